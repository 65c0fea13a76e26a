"""The collector's objects, pure. The store is a HardenedWorkload."""

from __future__ import annotations

import hashlib
from typing import Any

import yaml

from omnibase_infra.logging import names
from omnibase_infra.logging.args import DEFAULT_DATA, DEFAULT_LOGS, LoggingStackArgs
from omnibase_infra.logging.collector_config import collector_config
from omnibase_infra.naming import dns_label, labels
from omnibase_infra.objects import Manifest
from omnibase_infra.pods import hardened

USER = 10001
ROOT_GROUP = 0
"""Log files of containers are readable for root's group (0640): membership replaces being root."""
_CONFIG_KEY = "collector.yaml"
_STOP_SECONDS = 30
_GO_SHARE = 0.7  # of the memory limit is the Go heap's soft bound; the rest are stacks and file caches
_INIT_MEMORY = "32Mi"


def account(name: str, args: LoggingStackArgs) -> Manifest:
    """The collectors' own account."""
    return _object("v1", "ServiceAccount", name, args, {"automountServiceAccountToken": False})


def role(name: str, args: LoggingStackArgs) -> Manifest:
    """Reading pods: their labels are the lines' metadata. The API cannot grant this for one node's pods only."""
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    return _cluster("ClusterRole", name, args, {"rules": rules})


def binding(name: str, args: LoggingStackArgs) -> Manifest:
    """The role for the account."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _cluster_name(name, args)}
    subject = {"kind": "ServiceAccount", "name": names.collector(name), "namespace": args["agents_namespace"]}
    return _cluster("ClusterRoleBinding", name, args, {"roleRef": reference, "subjects": [subject]})


def configuration(name: str, args: LoggingStackArgs) -> Manifest:
    """The collector's configuration file."""
    return _object("v1", "ConfigMap", name, args, {"data": {_CONFIG_KEY: _configuration_text(name, args)}})


def daemon_set(name: str, args: LoggingStackArgs) -> Manifest:
    """One collector per node. None of the workloads that it reads tolerates a taint, so neither does it."""
    found = labels(names.collector(name), "logging", args["environment"])
    checksum = hashlib.sha256(_configuration_text(name, args).encode()).hexdigest()[:16]
    spec = {
        "selector": {"matchLabels": {"app.kubernetes.io/name": names.collector(name)}},
        # Two on one node would read the same files, and only one gets the lock on the positions.
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        "revisionHistoryLimit": 5,
        "template": {
            "metadata": {"labels": found, "annotations": {"omnibase.io/configuration": checksum}},
            "spec": _pod(name, args),
        },
    }
    return _object("apps/v1", "DaemonSet", name, args, {"spec": spec})


def _configuration_text(name: str, args: LoggingStackArgs) -> str:
    return yaml.safe_dump(collector_config(name, args), sort_keys=False, width=1000)


def _pod(name: str, args: LoggingStackArgs) -> Manifest:
    return {
        "serviceAccountName": names.collector(name),
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _STOP_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "supplementalGroups": [ROOT_GROUP],
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [_prepare(args)],
        "containers": [_collector(name, args)],
        "volumes": [
            {"name": "logs", "hostPath": {"path": DEFAULT_LOGS, "type": "Directory"}},
            {"name": "data", "hostPath": {"path": _data_path(args), "type": "DirectoryOrCreate"}},
            {"name": "configuration", "configMap": {"name": names.collector(name)}},
        ],
    }


def _data_path(args: LoggingStackArgs) -> str:
    return args.get("data_path", f"{DEFAULT_DATA}/{args['agents_namespace']}/logs")


def _prepare(args: LoggingStackArgs) -> Manifest:
    """Root without any capability: it owns the directory that the kubelet made, and opens it to its group."""
    return {
        "name": "prepare",
        "image": args["collector_image"],
        "imagePullPolicy": "IfNotPresent",
        "args": ["prepare", names.DATA],
        "resources": {"requests": {"cpu": "5m", "memory": _INIT_MEMORY}, "limits": {"memory": _INIT_MEMORY}},
        "securityContext": hardened(non_root=False, user=0),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "data", "mountPath": names.DATA}],
    }


def _collector(name: str, args: LoggingStackArgs) -> Manifest:
    memory = int(args["collector_memory_mib"])
    cpu = int(args.get("collector_cpu_request_millis", 25))
    node = {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}
    probe = {"httpGet": {"path": "/", "port": "health"}}
    return {
        "name": names.collector(name),
        "image": args["collector_image"],
        "imagePullPolicy": "IfNotPresent",
        "args": [f"--config=/etc/collector/{_CONFIG_KEY}"],
        "env": [
            {"name": "GOMEMLIMIT", "value": f"{int(memory * _GO_SHARE)}MiB"},
            {"name": "GOMAXPROCS", "value": "2"},
            {"name": names.NODE_VARIABLE, "valueFrom": node},
        ],
        "ports": [
            {"name": "health", "containerPort": names.HEALTH_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": names.METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": {
            "requests": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"},
            "limits": {"memory": f"{memory}Mi"},
        },
        "securityContext": hardened(),
        "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": 30},
        "readinessProbe": {**probe, "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 10, "timeoutSeconds": 3, "failureThreshold": 3},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "logs", "mountPath": names.LOGS, "readOnly": True},
            {"name": "data", "mountPath": names.DATA},
            {"name": "configuration", "mountPath": "/etc/collector", "readOnly": True},
        ],
    }


def _cluster_name(name: str, args: LoggingStackArgs) -> str:
    return dns_label(args["agents_namespace"], names.collector(name))


def _cluster(kind: str, name: str, args: LoggingStackArgs, rest: dict[str, Any]) -> Manifest:
    made = labels(names.collector(name), "logging", args["environment"])
    metadata = {"name": _cluster_name(name, args), "labels": made}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **rest}


def _object(version: str, kind: str, name: str, args: LoggingStackArgs, rest: dict[str, Any]) -> Manifest:
    metadata = {
        "name": names.collector(name),
        "namespace": args["agents_namespace"],
        "labels": labels(names.collector(name), "logging", args["environment"]),
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}
