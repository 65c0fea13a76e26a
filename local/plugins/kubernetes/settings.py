"""The provider's configuration: what a program, a stack or the environment says about all its resources."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.errors import InputError
from local.plugins.common.values import UNKNOWN, Json, Object
from local.plugins.kubernetes import kubeconfig
from local.plugins.kubernetes.values import plain

_PREFIX = "kubernetes:config:"
_UNSERVED = {
    "renderYamlToDirectory": "rendering YAML is not served by the offline kubernetes plugin",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One configured provider."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    server_side_apply: bool = True
    patch_force: bool = False
    upsert_existing: bool = False
    mutable_config_maps: bool = False
    mutable_secrets: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False

    @classmethod
    def read(cls, variables: Mapping[str, str], env: Mapping[str, str] = os.environ) -> Settings:
        """Read the engine's variables; flags may also come from the environment, where the variables are silent.

        Raises:
            InputError: an option that only the official provider serves.
        """
        given = {key.removeprefix(_PREFIX): value for key, value in variables.items()}
        for key, reason in _UNSERVED.items():
            if given.get(key):
                raise InputError(f"provider option {key}={given[key]!r}: {reason}", hint="use the official provider")

        def flag(key: str, variable: str, default: bool = False) -> bool:
            text = given.get(key, env.get(f"PULUMI_K8S_{variable}", ""))
            return text == "true" if text else default

        return cls(
            kubeconfig=given.get("kubeconfig", ""),
            context=given.get("context", ""),
            cluster=given.get("cluster", ""),
            namespace=given.get("namespace", ""),
            server_side_apply=flag("enableServerSideApply", "ENABLE_SERVER_SIDE_APPLY", default=True),
            patch_force=flag("enablePatchForce", "ENABLE_PATCH_FORCE"),
            upsert_existing=flag("upsertExistingObjects", "UPSERT_EXISTING_OBJECTS"),
            mutable_config_maps=flag("enableConfigMapMutable", "ENABLE_CONFIGMAP_MUTABLE"),
            mutable_secrets=flag("enableSecretMutable", "ENABLE_SECRET_MUTABLE"),
            delete_unreachable=flag("deleteUnreachable", "DELETE_UNREACHABLE"),
            skip_update_unreachable=flag("skipUpdateUnreachable", "SKIP_UPDATE_UNREACHABLE"),
        )


def strict_problems(urn: str, news: Object, env: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """What strict mode forbids about a provider, as pairs of property and reason."""
    if not _strict(news, env):
        return []
    problems = []
    if urn.rpartition("::")[2].startswith("default"):
        problems.append(("", "strict mode prohibits default provider"))
    problems += [
        (key, f'strict mode requires Provider "{key}" argument')
        for key in ("kubeconfig", "context")
        if not news.get(key)
    ]
    return problems


def _strict(news: Object, env: Mapping[str, str]) -> bool:
    if isinstance(news.get("strictMode"), str):
        return bool(news["strictMode"] == "true")
    try:
        stack = json.loads(env.get("PULUMI_CONFIG") or "{}")
    except ValueError:
        return False
    return any(stack.get(key) == "true" for key in ("strictMode", "kubernetes:strictMode"))


@dataclass(frozen=True)
class ProviderDiff:
    """How a change of the provider's own configuration affects its resources."""

    changed: tuple[str, ...]
    replaces: tuple[str, ...] = ()


def compare(olds: Object, news: Object) -> ProviderDiff:
    """Everything that differs; resources are replaced when the provider now points to another cluster.

    Which cluster it is, `clusterIdentifier` says where it is given; otherwise the kubeconfig's active cluster.

    Raises:
        InputError: a kubeconfig that cannot be read.
    """
    changed = tuple(sorted(key for key in olds.keys() | news.keys() if olds.get(key) != news.get(key)))
    if not changed:
        return ProviderDiff(())
    unknown = [key for key in ("kubeconfig", "context", "cluster") if news.get(key) is UNKNOWN]
    old_mark, new_mark = olds.get("clusterIdentifier"), news.get("clusterIdentifier")
    if old_mark and new_mark:
        return ProviderDiff(changed, ("clusterIdentifier",) if old_mark != new_mark else ())
    if unknown:
        return ProviderDiff((unknown[0],), (unknown[0],))
    old_cluster, new_cluster = _active_cluster(olds), _active_cluster(news)
    moved = old_cluster is not None and new_cluster is not None and old_cluster != new_cluster
    causes = tuple(key for key in changed if key in ("kubeconfig", "context", "cluster"))
    return ProviderDiff(changed, causes if moved else ())


def _active_cluster(properties: Object) -> Mapping[str, Any] | None:
    given: Json = plain(properties.get("kubeconfig"))
    if not given:
        return None
    config = given if isinstance(given, dict) else kubeconfig.load(str(given))
    context = str(properties.get("context") or "")
    try:
        return kubeconfig.select(config, context=context, cluster=str(properties.get("cluster") or "")).cluster
    except InputError:
        return None
