"""The objects of a set, pure."""

from collections.abc import Mapping

import pulumi

from omnibase_infra.naming import dns_label, labels
from omnibase_infra.objects import Manifest, encoded
from omnibase_infra.secrets.args import SecretEntry, SecretStore

_NAME = 52  # what is left of 63 for the name in front of `-` and the digest
REFRESH = "1h"


def base_name(name: str, consumer: str) -> str:
    """Name of a consumer's Secret without its digest."""
    return dns_label(name, consumer, limit=_NAME)


def secret(
    object_name: pulumi.Input[str],
    *,
    namespace: str,
    consumer: str,
    environment: str,
    values: Mapping[str, pulumi.Output[str]],
) -> Manifest:
    """A Secret that never changes: another content has another name."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": object_name,
            "namespace": namespace,
            "labels": labels(consumer, "secrets", environment),
        },
        "type": "Opaque",
        "immutable": True,
        "data": {key: value.apply(encoded) for key, value in sorted(values.items())},
    }


def external_secret(
    object_name: str,
    *,
    namespace: str,
    consumer: str,
    environment: str,
    entries: Mapping[str, SecretEntry],
    store: SecretStore,
) -> Manifest:
    """The External Secrets Operator's order: read these keys from the store into a Secret of the same name.

    An update waits until the operator has filled it, and ends with the operator's words if it cannot: otherwise the
    consumer's pods would wait, and nobody would know for what. The Secret is not immutable, as the operator renews its
    values in place, and it stays when the store loses a value, so that pods can start on with the last one.
    """
    data = []
    for key, entry in entries.items():
        remote = {"key": entry["remote_key"]}
        if entry.get("remote_property"):
            remote["property"] = entry["remote_property"]
        data.append({"secretKey": key, "remoteRef": remote})
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {
            "name": object_name,
            "namespace": namespace,
            "labels": labels(consumer, "secrets", environment),
            "annotations": {"pulumi.com/waitFor": "condition=Ready"},
        },
        "spec": {
            "refreshInterval": REFRESH,
            "secretStoreRef": {"kind": store.get("kind", "ClusterSecretStore"), "name": store["name"]},
            "target": {"name": object_name, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "data": data,
        },
    }
