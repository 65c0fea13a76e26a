"""The objects that the rules' examples change, one field at a time: every rule is content with them as they are."""

from __future__ import annotations

import copy
from typing import Any

from omnibase_policies.examples_platform import PLATFORM_OBJECTS
from omnibase_policies.model import Example

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "orders", "namespace": "orders", "labels": {"app.kubernetes.io/name": "orders"}},
    "spec": {
        "automountServiceAccountToken": False,
        "hostUsers": False,
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
                "image": "registry.example/orders:1",
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
                "ports": [{"containerPort": 8080}],
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
_OWN = (POD, NAMESPACE, ROLE_BINDING, DOCKER_CONTAINER, DOCKER_PROVIDER)
OBJECTS = {found["kind"]: found for found in _OWN} | PLATFORM_OBJECTS

_FREE_KEYS = ("labels", "annotations")  # below them a key may have dots


def example(changes: Example) -> dict[str, Any]:
    """The hardened object with an example's fields changed.

    Args:
        changes: paths such as `spec.containers.0.securityContext.privileged` and their values; None removes the field.
            `kind` chooses the object, default Pod.
    """
    result = copy.deepcopy(OBJECTS[str(changes.get("kind", "Pod"))])
    for path, value in changes.items():
        if path != "kind":
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
        if key in _FREE_KEYS:
            return [*keys[: index + 1], ".".join(keys[index + 1 :])]
    return keys
