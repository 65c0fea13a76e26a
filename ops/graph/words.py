"""What stands in the boxes of a Kubernetes environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ops.graph.pods import PodGroup
from ops.graph.resources import Resource

_COUNTED = {
    "PodDisruptionBudget": "disruption budget",
    "HorizontalPodAutoscaler": "autoscaler",
    "Secret": "Secret",
    "ConfigMap": "ConfigMap",
    "ServiceAccount": "account",
    "CustomResourceDefinition": "CRD",
    "ValidatingWebhookConfiguration": "webhook",
}
_BOUNDS = {"ResourceQuota": "quota", "LimitRange": "limits", "PriorityClass": "priorities"}
_POOLS = {"rw": "read-write", "ro": "read-only"}
_OPERATED = ("Prometheus", "Alertmanager")
"""Kinds whose objects are all called main: the kind says more than the name."""


def name_of(group: PodGroup) -> str:
    """How people call what runs these pods."""
    return group.resource.kind if group.resource.kind in _OPERATED else group.resource.object_name


def short(group: PodGroup, *, alone: bool) -> str:
    """One line on a workload in the box of its component; `alone` if that has no other."""
    resource = group.resource
    if resource.kind == "Cluster":
        return ": ".join(part for part in (_postgres(resource), _instances(resource)) if part)
    if resource.kind == "Pooler":
        return f"pgbouncer {_pool(resource)}, {_pods(resource)}"
    if resource.kind == "Gateway":
        return "Envoy proxies"
    return f"{resource.kind if alone else name_of(group)}, {_pods(resource)}"


def long(group: PodGroup, resources: Iterable[Resource]) -> list[str]:
    """Lines on a workload in a box of its own."""
    resource = group.resource
    if resource.kind == "Cluster":
        standbys = resource.input("spec", "postgresql", "synchronous", "number")
        waits = [f"a commit waits for {int(standbys)} of them"] if standbys else []
        return [_postgres(resource) or "PostgreSQL", _instances(resource), *waits]
    said = _pods(resource) if resource.kind in _OPERATED else short(group, alone=True)
    return [said, *_services(group, resources)]


def counted(resources: Iterable[Resource]) -> list[str]:
    """What else a component holds."""
    kinds = Counter(_COUNTED[found.kind] for found in resources if found.is_kubernetes and found.kind in _COUNTED)
    return [_many(count, word) for word, count in kinds.items()]


def bounds_of(namespace: str, resources: Sequence[Resource]) -> list[str]:
    """What holds for a whole namespace."""
    inside = [item for item in resources if str(item.input("metadata", "namespace") or "") == namespace]
    space = next((item for item in resources if item.kind == "Namespace" and item.object_name == namespace), None)
    level = (space.input("metadata", "labels") or {}).get("pod-security.kubernetes.io/enforce") if space else None
    words = [f"Pod Security {level}"] if level else []
    if any(item.kind == "NetworkPolicy" and item.object_name == "default-deny" for item in inside):
        words.append("network default-deny")
    return words + [word for kind, word in _BOUNDS.items() if any(item.kind == kind for item in inside)]


def _pods(resource: Resource) -> str:
    if resource.kind == "DaemonSet":
        return "a pod per node"
    replicas = resource.input("spec", "instances" if resource.kind == "Pooler" else "replicas")
    return _many(1 if replicas is None else int(replicas), "pod")


def _postgres(resource: Resource) -> str:
    image = str(resource.input("spec", "imageName") or "")
    tag = image.partition("@")[0].rpartition(":")[2] if ":" in image.rpartition("/")[2] else ""
    major = tag.partition("-")[0].partition(".")[0]  # a picture must not change with every security update
    return f"PostgreSQL {major}" if major else ""


def _instances(resource: Resource) -> str:
    return f"1 primary, {_many(int(resource.input('spec', 'instances') or 1) - 1, 'replica')}"


def _pool(resource: Resource) -> str:
    kind = str(resource.input("spec", "type") or "rw")
    return _POOLS.get(kind, kind)


def _services(group: PodGroup, resources: Iterable[Resource]) -> list[str]:
    lines = []
    for resource in resources:
        selector = resource.input("spec", "selector") if resource.kind == "Service" else None
        same = str(resource.input("metadata", "namespace") or "") == group.namespace
        if isinstance(selector, dict) and same and selector and group.has(selector):
            ports = ", ".join(str(port.get("port")) for port in resource.input("spec", "ports") or [])
            lines.append(f"Service {resource.object_name}:{ports}")
    return lines


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
