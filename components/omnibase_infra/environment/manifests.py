"""Manifests of a namespace and its bounds, pure."""

from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest

MONITORED_BY = "omnibase.io/monitoring"
"""Label by which a namespace opts in to a Prometheus, whose namespace is the value."""


def namespace(name: str, environment: str, pod_security: str, monitored_by: str = "") -> Manifest:
    """A namespace that enforces a Pod Security level, with warnings and audit at the same level."""
    found = labels(name, "environment", environment)
    if monitored_by:
        found[MONITORED_BY] = monitored_by
    for mode in ("enforce", "audit", "warn"):
        found[f"pod-security.kubernetes.io/{mode}"] = pod_security
        found[f"pod-security.kubernetes.io/{mode}-version"] = "latest"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": found}}


def quota(space: str, cpu_request_millis: int, memory_mib: int, pods: int, storage_gib: int) -> Manifest:
    """Upper bounds of the namespace. No node ports and no load balancers: the edge is the gateway's."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "quota", "namespace": space, "labels": labels("quota", "environment")},
        "spec": {
            "hard": {
                "requests.cpu": f"{cpu_request_millis}m",
                "requests.memory": f"{memory_mib}Mi",
                "limits.memory": f"{memory_mib}Mi",
                "requests.storage": f"{storage_gib}Gi",
                "pods": str(pods),
                "services.nodeports": "0",
                "services.loadbalancers": "0",
            }
        },
    }


def limit_range(space: str) -> Manifest:
    """What a container gets that declares nothing (an operator's Job for instance), so that the quota admits it."""
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "defaults", "namespace": space, "labels": labels("defaults", "environment")},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "default": {"memory": "256Mi"},
                    "defaultRequest": {"cpu": "10m", "memory": "64Mi"},
                }
            ]
        },
    }


def priority_class(name: str, value: int, description: str) -> Manifest:
    """A priority that never preempts: what runs is not killed to make room for what comes."""
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name, "labels": labels(name, "environment")},
        "value": value,
        "preemptionPolicy": "Never",
        "description": description,
    }


def group_binding(space: str, role: str, groups: list[str]) -> Manifest:
    """A group's rights in the namespace, through one of Kubernetes' own aggregated roles."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"groups-{role}", "namespace": space, "labels": labels(f"groups-{role}", "environment")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [
            {"kind": "Group", "name": group, "apiGroup": "rbac.authorization.k8s.io"} for group in sorted(groups)
        ],
    }
