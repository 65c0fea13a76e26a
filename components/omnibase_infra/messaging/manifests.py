"""The servers' objects, pure."""

from collections.abc import Mapping
from typing import Any

import pulumi

from omnibase_infra.config.messaging import QUORUM_SERVERS
from omnibase_infra.messaging import names
from omnibase_infra.messaging.args import CLIENT_PORT, MONITOR_PORT, ROUTE_PORT, MessageBusArgs
from omnibase_infra.messaging.server_config import DATA, PID_FILE, TLS
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.pods import hardened, spread

CONFIG_KEY = "nats.conf"
UID = 10001
_CONFIG = "/etc/nats"
_SERVER = "/usr/sbin/nats-server"
_HEAP_PERCENT = 80  # of the memory limit: Go collects before the kernel kills
_GUARDED = ("staging", "prod")
_VERSIONS = {"StatefulSet": "apps/v1", "PodDisruptionBudget": "policy/v1"}


def config_map(name: str, args: MessageBusArgs, text: str) -> Manifest:
    """The servers' configuration, without keys."""
    return _object("ConfigMap", f"{name}-config", name, args, {"data": {CONFIG_KEY: text}})


def keys(name: str, args: MessageBusArgs, found: Mapping[str, pulumi.Output[str]]) -> Manifest:
    """Public keys of the clients, variables of the servers."""
    return _object("ConfigMap", names.keys(name), name, args, {"data": dict(found)})


def service_account(name: str, args: MessageBusArgs) -> Manifest:
    """An account of its own, without token."""
    return _object("ServiceAccount", name, name, args, {"automountServiceAccountToken": False})


def service(name: str, args: MessageBusArgs) -> Manifest:
    """The clients' address; only servers that take clients are behind it."""
    ports = [{"name": "nats", "port": CLIENT_PORT, "targetPort": "nats", "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "selector": {"app.kubernetes.io/name": name}, "ports": ports}
    return _object("Service", name, name, args, {"spec": spec})


def peer_service(name: str, args: MessageBusArgs) -> Manifest:
    """Names of the single servers, also before they are ready: they have to find each other to become it."""
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {"app.kubernetes.io/name": name},
        "ports": [{"name": "routes", "port": ROUTE_PORT, "targetPort": ROUTE_PORT, "protocol": "TCP"}],
    }
    return _object("Service", names.peers(name), name, args, {"spec": spec})


def disruption_budget(name: str, args: MessageBusArgs) -> Manifest:
    """A drain takes one server at a time, so that a majority stays."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return _object("PodDisruptionBudget", name, name, args, {"spec": spec})


def stateful_set(name: str, args: MessageBusArgs, config_digest: str) -> Manifest:
    """The servers. Another configuration, key or certificate (its Secret has another name then) restarts them."""
    claim: Manifest = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{int(args['storage_gib'])}Gi"}},
        },
    }
    if "storage_class" in args:
        claim["spec"]["storageClassName"] = args["storage_class"]
    metadata = {
        "labels": labels(name, "messaging", args["environment"]),
        "annotations": {
            "omnibase.io/config-digest": config_digest,
            "omnibase.io/credential-generation": str(args.get("credential_generation", 1)),
        },
    }
    spec = {
        "serviceName": names.peers(name),
        "replicas": int(args["servers"]),
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "podManagementPolicy": "Parallel",  # one after the other, the first would wait for a majority for ever
        "updateStrategy": {"type": "RollingUpdate"},
        "minReadySeconds": 5 if int(args["servers"]) > 1 else 0,  # a server catches up before the next one goes
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "volumeClaimTemplates": [claim],
        "template": {"metadata": metadata, "spec": _pod(name, args)},
    }
    return _object("StatefulSet", name, name, args, {"spec": spec})


def _pod(name: str, args: MessageBusArgs) -> Manifest:
    # Two servers of a majority on one node would make that node a single point of failure.
    strict = int(args["servers"]) >= QUORUM_SERVERS and args["environment"] in _GUARDED
    found: Manifest = {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(name, args)],
        "volumes": [
            {"name": "config", "configMap": {"name": f"{name}-config"}},
            {"name": "tls", "secret": {"secretName": args["tls_secret"], "defaultMode": 0o440}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "16Mi"}},
        ],
        "topologySpreadConstraints": spread({"matchLabels": {"app.kubernetes.io/name": name}}, strict_nodes=strict),
    }
    if "priority_class" in args:
        found["priorityClassName"] = args["priority_class"]
    return found


def _container(name: str, args: MessageBusArgs) -> Manifest:
    memory = int(args["memory_mib"])
    found: Manifest = {
        "name": "nats",
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": [_SERVER, f"--config={_CONFIG}/{CONFIG_KEY}", "--name=$(POD_NAME)"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "GOMEMLIMIT", "value": f"{memory * _HEAP_PERCENT // 100}MiB"},
        ],
        "envFrom": [{"configMapRef": {"name": names.keys(name)}}],
        "ports": [
            {"name": "nats", "containerPort": CLIENT_PORT, "protocol": "TCP"},
            {"name": "routes", "containerPort": ROUTE_PORT, "protocol": "TCP"},
            {"name": "monitor", "containerPort": MONITOR_PORT, "protocol": "TCP"},
        ],
        "resources": {
            "requests": {"cpu": f"{int(args.get('cpu_request_millis', 50))}m", "memory": f"{memory}Mi"},
            "limits": {"memory": f"{memory}Mi"},
        },
        "securityContext": hardened(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "config", "mountPath": _CONFIG, "readOnly": True},
            {"name": "tls", "mountPath": TLS, "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108  # a directory of the pod
            {"name": "data", "mountPath": DATA},
        ],
        **_probes(),
    }
    if int(args["servers"]) > 1:
        # Clients move to the other servers, and leaders too, before this one goes. With one server there is no other.
        command = [_SERVER, f"--signal=ldm={PID_FILE}"]
        found["lifecycle"] = {"preStop": {"exec": {"command": command}}}
    return found


def _probes() -> dict[str, Any]:
    """Restarted only when JetStream is off for good: a lost majority is no reason, a restart would prolong it."""

    def get(query: str) -> dict[str, Any]:
        return {"httpGet": {"path": f"/healthz?{query}=true", "port": "monitor"}, "timeoutSeconds": 3}

    return {
        "startupProbe": {**get("js-enabled-only"), "periodSeconds": 1, "failureThreshold": 120},
        "readinessProbe": {**get("js-server-only"), "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**get("js-enabled-only"), "periodSeconds": 10, "failureThreshold": 3},
    }


def _object(kind: str, own: str, bus: str, args: MessageBusArgs, rest: dict[str, Any]) -> Manifest:
    metadata = {"name": own, "namespace": args["namespace"], "labels": labels(bus, "messaging", args["environment"])}
    return {"apiVersion": _VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata, **rest}
