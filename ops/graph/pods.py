"""What runs pods, and which labels these will carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.graph.resources import Resource

_RUNS_PODS = {
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Cluster",
    "Pooler",
    "Prometheus",
    "Alertmanager",
}

_OWNER = "gateway.envoyproxy.io/owning-gateway"
_PROXY = {"app.kubernetes.io/managed-by": "envoy-gateway", "app.kubernetes.io/name": "envoy"}


@dataclass(frozen=True, kw_only=True)
class PodGroup:
    """A resource that runs pods, with what a flow's party is matched against."""

    resource: Resource
    namespace: str
    labels: tuple[dict[str, str], ...]
    """Labels of each sort of pod that it runs; a database cluster has instances and, while it grows, jobs."""

    def has(self, labels: Mapping[str, str], present: Iterable[str] = ()) -> bool:
        """True if one sort of its pods carries the labels, and the other keys with any value."""
        return any(labels.items() <= own.items() and all(key in own for key in present) for own in self.labels)


def pod_groups(resources: Sequence[Resource]) -> list[PodGroup]:
    """Everything in a stack's graph that runs pods, in the order of the graph."""
    return [
        PodGroup(resource=found, namespace=str(found.input("metadata", "namespace") or ""), labels=_labels(found))
        for found in resources
        if found.is_kubernetes and found.kind in _RUNS_PODS
    ]


def proxy_groups(resources: Sequence[Resource]) -> list[PodGroup]:
    """The proxies of each Gateway, which its controller makes: known by the flows that name them."""
    found = []
    for gateway in (each for each in resources if each.is_kubernetes and each.kind == "Gateway"):
        own = {
            f"{_OWNER}-name": gateway.object_name,
            f"{_OWNER}-namespace": str(gateway.input("metadata", "namespace") or ""),
        }
        ends = [flow.inputs.get(role) or {} for flow in resources for role in ("source", "destination")]
        spaces = [str(end.get("namespace")) for end in ends if own.items() <= dict(end.get("labels") or {}).items()]
        if spaces:
            found.append(PodGroup(resource=gateway, namespace=spaces[0], labels=({**own, **_PROXY},)))
    return found


def _labels(resource: Resource) -> tuple[dict[str, str], ...]:
    """From the template, and those that an operator adds."""
    name, template = resource.object_name, dict(resource.input("spec", "template", "metadata", "labels") or {})
    if resource.kind == "CronJob":
        return (dict(resource.input("spec", "jobTemplate", "spec", "template", "metadata", "labels") or {}),)
    if resource.kind == "Cluster":
        cluster = {"cnpg.io/cluster": name}
        return {**cluster, "cnpg.io/podRole": "instance"}, {**cluster, "cnpg.io/jobRole": "any"}
    if resource.kind == "Pooler":
        cluster = {"cnpg.io/cluster": str(resource.input("spec", "cluster", "name") or "")}
        return ({**template, **cluster, "cnpg.io/poolerName": name, "cnpg.io/podRole": "pooler"},)
    if resource.kind in ("Prometheus", "Alertmanager"):
        kind = resource.kind.lower()
        own = dict(resource.input("spec", "podMetadata", "labels") or {})
        return ({**own, "app.kubernetes.io/name": kind, "app.kubernetes.io/instance": name, kind: name},)
    return (template,)
