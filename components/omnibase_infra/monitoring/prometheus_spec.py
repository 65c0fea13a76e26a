"""The manifests around the operator's `Prometheus`, pure."""

from typing import Any

from omnibase_infra.config.monitoring import USABLE_SHARE
from omnibase_infra.environment import MONITORED_BY
from omnibase_infra.monitoring import names, pods_spec
from omnibase_infra.monitoring.args import MonitoringStackArgs
from omnibase_infra.monitoring.rights import role_binding
from omnibase_infra.naming import dns_label, labels
from omnibase_infra.objects import Manifest
from omnibase_infra.versions import PROMETHEUS_VERSION

_LONGEST_SCRAPE = 10  # seconds
_MIB_PER_GIB = 1024
_SAMPLES, _TARGETS, _LABELS = 50_000, 1000, 64
"""Bounds of a single target or monitor: one that runs wild is cut off instead of filling the store for all."""


def prometheus(args: MonitoringStackArgs) -> Manifest:
    """The Prometheus. Selectors are `{}`, which is all; namespaces opt in by a label."""
    space, interval = args["namespace"], f"{int(args['scrape_seconds'])}s"
    opted_in = {"matchLabels": {MONITORED_BY: space}}
    kinds = ("podMonitor", "serviceMonitor", "probe", "rule", "scrapeConfig")
    selectors: Manifest = {f"{kind}Selector": {} for kind in kinds} | {
        f"{kind}NamespaceSelector": opted_in for kind in kinds
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": pods_spec.metadata(names.INSTANCE, names.PROMETHEUS, args),
        "spec": {
            "image": args["prometheus_image"],
            "version": PROMETHEUS_VERSION,
            "replicas": int(args["replicas"]),
            "serviceAccountName": names.PROMETHEUS,
            "scrapeInterval": interval,
            "scrapeTimeout": f"{min(_LONGEST_SCRAPE, int(args['scrape_seconds']))}s",
            "evaluationInterval": interval,
            "retention": f"{int(args['retention_days'])}d",
            # The volume holds the log of the newest samples and a compaction beside the blocks.
            "retentionSize": f"{int(int(args['storage_gib']) * _MIB_PER_GIB * USABLE_SHARE)}MB",
            "walCompression": True,
            "enableAdminAPI": False,
            "arbitraryFSAccessThroughSMs": {"deny": True},
            "enforcedSampleLimit": _SAMPLES,
            "enforcedTargetLimit": _TARGETS,
            "enforcedLabelLimit": _LABELS,
            "externalLabels": {"environment": args["environment"], "stack": space},
            "serviceDiscoveryRole": "EndpointSlice",
            "alerting": {
                "alertmanagers": [
                    {"namespace": space, "name": "alertmanager-operated", "port": "web", "apiVersion": "v2"}
                ]
            },
            **selectors,
            **pods_spec.pod(names.PROMETHEUS, args, int(args["cpu_request_millis"]), int(args["memory_mib"])),
            "storage": pods_spec.storage(args, int(args["storage_gib"])),
            "terminationGracePeriodSeconds": 60,
        },
    }


def reading_role(args: MonitoringStackArgs) -> Manifest:
    """What Prometheus may read of the API: where pods and endpoints are; bound in the targets' namespaces only."""
    name = role_name(args)
    read = ["get", "list", "watch"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels(name, "monitoring", args["environment"])},
        "rules": [
            {"apiGroups": [""], "resources": ["pods", "services", "endpoints"], "verbs": read},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
        ],
    }


def reading_binding(args: MonitoringStackArgs, namespace: str) -> Manifest:
    """Lets Prometheus find the targets of one namespace."""
    account = {"kind": "ServiceAccount", "name": names.PROMETHEUS, "namespace": args["namespace"]}
    return role_binding(role_name(args), namespace, args["environment"], account)


def role_name(args: MonitoringStackArgs) -> str:
    """Name of the role: stacks share clusters, so it derives from the namespace."""
    return dns_label(args["namespace"], names.PROMETHEUS)


def secret_role(args: MonitoringStackArgs, namespace: str, secrets: list[str]) -> Manifest:
    """Lets the operator read, in a namespace of somebody else, the Secrets that monitors name there, and no other."""
    name = dns_label(args["namespace"], "monitor-tls")
    rules: list[dict[str, Any]] = [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": sorted(secrets), "verbs": ["get"]}
    ]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels(name, "monitoring", args["environment"]),
        },
        "rules": rules,
    }


def secret_binding(args: MonitoringStackArgs, namespace: str, operator: dict[str, Any]) -> Manifest:
    """The role of `secret_role` for the operator's account."""
    name = dns_label(args["namespace"], "monitor-tls")
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels(name, "monitoring", args["environment"]),
        },
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [operator],
    }
