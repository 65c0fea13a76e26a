"""Manifests of the backup plugin, pure. Its release brings them for cert-manager; this is what is needed, hardened."""

from typing import Any

import pulumi

from omnibase_infra.backup.args import BarmanPluginArgs
from omnibase_infra.backup.names import PLUGIN_NAMESPACE, PLUGIN_PORT, PLUGIN_SERVICE
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest, encoded
from omnibase_infra.pods import hardened
from omnibase_infra.postgres import BACKUP_PLUGIN

CPU_MILLIS, MEMORY_MIB = 10, 96
TRUST = f"{PLUGIN_SERVICE}-trust"
_CLUSTER_ROLE = "omnibase-backup-plugin"
_UID = 65532  # the image's user
_HEALTH_PORT = 8081
_READ = ["get", "list", "watch"]
_SELECTOR = {"app.kubernetes.io/name": PLUGIN_SERVICE}


def account() -> Manifest:
    """Its own account; the Deployment mounts the token itself."""
    return {**_object("v1", "ServiceAccount", PLUGIN_SERVICE), "automountServiceAccountToken": False}


def cluster_role() -> Manifest:
    """What it may do: read stores and backups, and give each cluster's own account the right to read its store's keys.

    Whoever gives a right must have it, which is why it may read Secrets. Its release may also write and delete them.
    """
    rules = [
        _rule("", ["secrets"], _READ),
        _rule("barmancloud.cnpg.io", ["objectstores"], [*_READ, "update", "patch"]),
        _rule("barmancloud.cnpg.io", ["objectstores/finalizers"], ["update"]),
        _rule("barmancloud.cnpg.io", ["objectstores/status"], ["get", "patch", "update"]),
        _rule("postgresql.cnpg.io", ["backups"], _READ),
        _rule("postgresql.cnpg.io", ["clusters/finalizers"], ["update"]),
        _rule("rbac.authorization.k8s.io", ["roles", "rolebindings"], [*_READ, "create", "patch", "update"]),
    ]
    return {**_object("rbac.authorization.k8s.io/v1", "ClusterRole", _CLUSTER_ROLE), "rules": rules}


def binding() -> Manifest:
    """For the whole cluster, as the operator watches all of it."""
    return {
        **_object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", _CLUSTER_ROLE),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _CLUSTER_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": PLUGIN_SERVICE, "namespace": PLUGIN_NAMESPACE}],
    }


def trust(bundle: pulumi.Input[str]) -> Manifest:
    """What the operator trusts. It looks for the plugin's certificate under this key; an authority outlives that."""
    data = {"tls.crt": pulumi.Output.from_input(bundle).apply(encoded)}
    return {**_object("v1", "Secret", TRUST), "type": "Opaque", "data": data}


def service(args: BarmanPluginArgs) -> Manifest:
    """How the operator finds the plugin, and by which certificates they know each other."""
    found = _object("v1", "Service", PLUGIN_SERVICE)
    found["metadata"]["labels"]["cnpg.io/pluginName"] = BACKUP_PLUGIN
    found["metadata"]["annotations"] = {
        "cnpg.io/pluginPort": str(PLUGIN_PORT),
        "cnpg.io/pluginServerSecret": TRUST,
        "cnpg.io/pluginClientSecret": args["client_secret"],
    }
    ports = [{"name": "grpc", "port": PLUGIN_PORT, "targetPort": PLUGIN_PORT, "protocol": "TCP"}]
    return {**found, "spec": {"type": "ClusterIP", "selector": _SELECTOR, "ports": ports}}


def deployment(args: BarmanPluginArgs) -> Manifest:
    """The plugin. One pod, without election: for the seconds between two the operator asks again."""
    return {
        **_object("apps/v1", "Deployment", PLUGIN_SERVICE),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _SELECTOR},
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": 180,
            "template": {
                "metadata": {"labels": labels(PLUGIN_SERVICE, "backup", args["environment"])},
                "spec": {
                    # It talks to the API server: the one weaker setting here, waived by name in the policy pack.
                    "serviceAccountName": PLUGIN_SERVICE,
                    "automountServiceAccountToken": True,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _UID,
                        "runAsGroup": _UID,
                        "fsGroup": _UID,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(args)],
                    "volumes": [
                        {"name": "tls", "secret": {"secretName": args["tls_secret"], "defaultMode": 0o440}},
                    ],
                },
            },
        },
    }


def _container(args: BarmanPluginArgs) -> Manifest:
    memory = f"{int(args.get('memory_mib', MEMORY_MIB))}Mi"
    return {
        "name": PLUGIN_SERVICE,
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "operator",
            "--server-cert=/tls/tls.crt",
            "--server-key=/tls/tls.key",
            "--client-cert=/tls/ca.crt",
            f"--server-address=:{PLUGIN_PORT}",
            f"--health-probe-bind-address=:{_HEALTH_PORT}",
        ],
        "env": [{"name": "SIDECAR_IMAGE", "value": args["sidecar_image"]}],
        "ports": [
            {"name": "grpc", "containerPort": PLUGIN_PORT, "protocol": "TCP"},
            {"name": "probes", "containerPort": _HEALTH_PORT, "protocol": "TCP"},
        ],
        "resources": {
            "requests": {"cpu": f"{int(args.get('cpu_request_millis', CPU_MILLIS))}m", "memory": memory},
            "limits": {"memory": memory},
        },
        # Ready is who takes calls, so that whoever waits for this can make clusters.
        "readinessProbe": {"tcpSocket": {"port": PLUGIN_PORT}, "periodSeconds": 2, "timeoutSeconds": 3},
        "startupProbe": {"httpGet": _health("/healthz"), "periodSeconds": 2, "failureThreshold": 30},
        "livenessProbe": {"httpGet": _health("/healthz"), "periodSeconds": 10, "timeoutSeconds": 3},
        "securityContext": hardened(),
        "volumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}],
    }


def _health(path: str) -> dict[str, Any]:
    return {"path": path, "port": _HEALTH_PORT}


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _object(version: str, kind: str, name: str) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "labels": labels(name, "backup")}
    if not kind.startswith("Cluster"):
        metadata["namespace"] = PLUGIN_NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
