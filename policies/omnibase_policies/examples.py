"""The objects that the rules' examples change, one field at a time: every rule is content with them as they are."""

from __future__ import annotations

import json
from typing import Any

from omnibase_policies.examples_platform import PLATFORM_OBJECTS
from omnibase_policies.model import Example

_LABELS = {"app.kubernetes.io/name": "orders"}
_OWNER = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "name": "orders",
    "uid": "9b8f5c1e-5d0c-4e35-9d6a-0f5a2a3c7a10",
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "orders", "namespace": "orders", "labels": _LABELS, "ownerReferences": [_OWNER]},
    "spec": {
        "automountServiceAccountToken": False,
        "hostUsers": False,
        "priorityClassName": "platform",
        "serviceAccountName": "orders",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "orders",
                "image": f"registry.example/orders:1@sha256:{'1' * 64}",
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}},
                "ports": [{"name": "http", "containerPort": 8080}],
                "resources": {
                    "limits": {"cpu": "250m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
                    "requests": {"cpu": "100m", "memory": "64Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
            }
        ],
    },
}
NAMESPACE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": "orders",
        "labels": {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": "v1.34",
        },
    },
}
ROLE_BINDING: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "orders", "namespace": "orders"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "orders"},
    "subjects": [{"kind": "ServiceAccount", "name": "orders", "namespace": "orders"}],
}
DOCKER_CONTAINER: dict[str, Any] = {
    "kind": "DockerContainer",
    "name": "orders",
    "image": f"registry.example/orders@sha256:{'1' * 64}",
    "user": "10001:10001",
    "capabilities": {"drops": ["ALL"]},
    "securityOpts": ["no-new-privileges:true"],
    "readOnly": True,
    "memory": 64,
    "cpus": "0.5",
    "ulimits": [{"name": "nproc", "soft": 64, "hard": 64}],
    "networkMode": "orders",
    "healthcheck": {"tests": ["CMD", "/healthy"]},
}
DOCKER_PROVIDER: dict[str, Any] = {
    "kind": "DockerProvider",
    "host": "tcp://docker.example:2376",
    "certPath": "/certificates",
}


def _object(api_version: str, kind: str, **fields: object) -> dict[str, Any]:
    metadata = {"name": "orders", "namespace": "orders", "labels": _LABELS}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


_TEMPLATE = {"metadata": {"labels": _LABELS}, "spec": POD["spec"]}
_JOB = {"metadata": {"labels": _LABELS}, "spec": {**POD["spec"], "restartPolicy": "OnFailure"}}
_SPREAD = [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}]
_PEERS = {"to": [{"podSelector": {"matchLabels": _LABELS}}]}
_SELECTOR = {"matchLabels": _LABELS}
_RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
_ROLE_API = "rbac.authorization.k8s.io/v1"
KUBERNETES: tuple[dict[str, Any], ...] = (
    _object(
        "apps/v1",
        "Deployment",
        spec={
            "replicas": 2,
            "selector": _SELECTOR,
            "template": {**_TEMPLATE, "spec": {**POD["spec"], "topologySpreadConstraints": _SPREAD}},
        },
    ),
    _object("batch/v1", "Job", spec={"ttlSecondsAfterFinished": 600, "template": _JOB}),
    _object(
        "batch/v1",
        "CronJob",
        spec={
            "schedule": "0 3 * * *",
            "startingDeadlineSeconds": 600,
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": {"template": _JOB}},
        },
    ),
    _object("v1", "Service", spec={"selector": _LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}),
    _object("v1", "ServiceAccount", automountServiceAccountToken=False),
    _object("v1", "ConfigMap", data={"level": "info"}),
    _object("v1", "Secret", type="Opaque"),
    _object(
        "networking.k8s.io/v1",
        "Ingress",
        metadata={
            "name": "orders",
            "namespace": "orders",
            "labels": _LABELS,
            "annotations": {"kubernetes.io/ingress.allow-http": "false"},
        },
        spec={
            "tls": [{"hosts": ["orders.example"], "secretName": "orders-tls"}],
            "rules": [
                {
                    "host": "orders.example",
                    "http": {"paths": [{"path": "/orders", "backend": {"service": {"name": "orders"}}}]},
                }
            ],
        },
    ),
    _object(
        "networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Egress"], "egress": [_PEERS]}
    ),
    _object(_ROLE_API, "Role", rules=[_RULE]),
    _object(
        "policy/v1", "PodDisruptionBudget", spec={"unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": _SELECTOR}
    ),
    _object("autoscaling/v2", "HorizontalPodAutoscaler", spec={"minReplicas": 2, "maxReplicas": 4}),
    _object("v1", "PersistentVolumeClaim", spec={"storageClassName": "fast"}),
    _object("v1", "PersistentVolume", spec={"storageClassName": "fast"}),
    _object(
        "storage.k8s.io/v1",
        "StorageClass",
        provisioner="ebs.csi.aws.com",
        reclaimPolicy="Retain",
        parameters={"encrypted": "true"},
    ),
    {"kind": "Release", "metadata": {"name": "orders", "namespace": "orders"}},
    {"kind": "ConfigFile"},
    _object("extensions.agents.x-k8s.io/v1beta1", "SandboxTemplate", spec={"networkPolicy": {"egress": []}}),
)
"""One hardened object of each further kind that examples change."""
_OWN = (POD, NAMESPACE, ROLE_BINDING, DOCKER_CONTAINER, DOCKER_PROVIDER, *KUBERNETES)
OBJECTS = {found["kind"]: found for found in _OWN} | PLATFORM_OBJECTS

SPECIAL = ("kind", "settings")
"""Keys of an example that are no paths."""
_FREE_KEYS = ("labels", "annotations", "matchLabels", "limits", "requests", "data")  # below them a key may have dots


def example(changes: Example) -> dict[str, Any]:
    """The hardened object with an example's fields changed.

    Args:
        changes: paths such as `spec.containers.0.securityContext.privileged` and their values; None removes the field.
            `kind` chooses the object, default Pod; `settings` are parameters for the rules and change nothing here.
    """
    result: dict[str, Any] = json.loads(json.dumps(OBJECTS[str(changes.get("kind", "Pod"))]))
    for path, value in changes.items():
        if path not in SPECIAL:
            change(result, path, value)
    return result


def change(target: dict[str, Any], path: str, value: object) -> None:
    """Set one field, making the mappings above it; None removes it."""
    keys = _split(path)
    at: Any = target
    for key in keys[:-1]:
        at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
    if isinstance(at, list):
        at[int(keys[-1])] = value
    elif value is None:
        at.pop(keys[-1], None)
    else:
        at[keys[-1]] = value


def _split(path: str) -> list[str]:
    keys = path.split(".")
    for index, key in enumerate(keys):
        if key in _FREE_KEYS and index + 1 < len(keys):
            return [*keys[: index + 1], ".".join(keys[index + 1 :])]
    return keys
