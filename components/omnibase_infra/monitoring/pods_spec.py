"""What the operator's Prometheus and Alertmanager have in common: hardened pods, volumes, accounts, budgets; pure."""

from typing import Any

from omnibase_infra.monitoring.args import MonitoringStackArgs
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.pods import spread

_UID = 65532
_READY_SECONDS = 300


def metadata(name: str, role: str, args: MonitoringStackArgs) -> Manifest:
    """metadata of an object whose pods are waited for."""
    return {
        "name": name,
        "namespace": args["namespace"],
        "labels": labels(role, "monitoring", args["environment"]),
        "annotations": {
            "pulumi.com/waitFor": "condition=Available",
            "pulumi.com/timeoutSeconds": str(_READY_SECONDS),
        },
    }


def pod(role: str, args: MonitoringStackArgs, cpu_request_millis: int, memory_mib: int) -> Manifest:
    """Fields of the operator's resource that make its pods what ours are; it drops capabilities by itself."""
    memory = f"{memory_mib}Mi"
    found: Manifest = {
        "imagePullPolicy": "IfNotPresent",
        "logFormat": "json",
        "podMetadata": {"labels": {"omnibase.io/environment": args["environment"]}},
        "resources": {"requests": {"cpu": f"{cpu_request_millis}m", "memory": memory}, "limits": {"memory": memory}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "enableServiceLinks": False,
        "topologySpreadConstraints": spread({"matchLabels": {"app.kubernetes.io/name": role}}),
    }
    if "priority_class" in args:
        found["priorityClassName"] = args["priority_class"]
    return found


def storage(args: MonitoringStackArgs, gib: int) -> Manifest:
    """A volume for each pod."""
    spec: dict[str, Any] = {"resources": {"requests": {"storage": f"{gib}Gi"}}}
    if "storage_class" in args:
        spec["storageClassName"] = args["storage_class"]
    return {"volumeClaimTemplate": {"spec": spec}}


def account(role: str, args: MonitoringStackArgs, *, token: bool) -> Manifest:
    """The pods' own account."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": role,
            "namespace": args["namespace"],
            "labels": labels(role, "monitoring", args["environment"]),
        },
        "automountServiceAccountToken": token,
    }


def budget(role: str, args: MonitoringStackArgs) -> Manifest:
    """A drain takes one pod at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": role,
            "namespace": args["namespace"],
            "labels": labels(role, "monitoring", args["environment"]),
        },
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": role}},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
