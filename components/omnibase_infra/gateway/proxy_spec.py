"""Gateway and EnvoyProxy, pure: the listener, and the pods that Envoy Gateway makes for it."""

from typing import Any

from omnibase_infra.gateway.args import GatewayArgs
from omnibase_infra.gateway.controller_spec import (
    SHUTDOWN_CPU_MILLIS,
    SHUTDOWN_MEMORY_MIB,
    UID,
    pod_security,
)
from omnibase_infra.gateway.names import (
    CLIENT_HEADER,
    GATEWAY_CLASS,
    LISTENER,
    LISTENER_PORT,
    proxies,
    proxy,
)
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.pods import hardened, spread
from omnibase_infra.versions import ENVOY_VERSION

_DRAIN_SECONDS = 10
_LEAST_DRAIN_SECONDS = 5  # endpoints take that long to leave every node's rules
_WAIT_SECONDS = 180


def gateway(name: str, args: GatewayArgs) -> Manifest:
    """One HTTPS listener. It has no host of its own: an unknown one gets 404 by the routes, not a broken handshake."""
    listener = {
        "name": LISTENER,
        "port": LISTENER_PORT,
        "protocol": "HTTPS",
        "tls": {
            "mode": "Terminate",
            "certificateRefs": [{"group": "", "kind": "Secret", "name": args["tls_secret"]}],
        },
        "allowedRoutes": {"namespaces": {"from": "Same"}, "kinds": [{"group": API_GROUP, "kind": "HTTPRoute"}]},
    }
    parameters = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": name}
    spec = {
        "gatewayClassName": GATEWAY_CLASS,
        "infrastructure": {"parametersRef": parameters},
        "listeners": [listener],
    }
    found = head(f"{API_GROUP}/v1", "Gateway", name, args["namespace"], args["environment"])
    found["metadata"]["annotations"] = waiting("condition=Programmed")
    return {**found, "spec": spec}


def envoy_proxy(name: str, args: GatewayArgs) -> Manifest:
    """How the proxies of one gateway run and what they log."""
    kubernetes: dict[str, Any] = {
        "envoyDeployment": _deployment(name, args),
        "envoyService": {
            "name": proxy(name, args["namespace"]),
            "type": "LoadBalancer" if args.get("load_balancer") else "ClusterIP",
        },
    }
    if args["replicas"] > 1:
        kubernetes["envoyPDB"] = {"maxUnavailable": 1}
    spec = {
        "provider": {"type": "Kubernetes", "kubernetes": kubernetes},
        "concurrency": max(1, int(args["cpu_request_millis"]) // 1000),
        "logging": {"level": {"default": "warn"}},
        # Without it each rule of each route counts failures for itself, and ejection needs that many times more.
        "mergeBackends": {},
        "shutdown": {"drainTimeout": f"{_DRAIN_SECONDS}s", "minDrainDuration": f"{_LEAST_DRAIN_SECONDS}s"},
        "telemetry": {"accessLog": {"settings": [_access_log(args)]}},
    }
    found = head("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy", name, args["namespace"], args["environment"])
    return {**found, "spec": spec}


def _deployment(name: str, args: GatewayArgs) -> Manifest:
    memory = f"{int(args['memory_mib'])}Mi"
    return {
        "name": proxy(name, args["namespace"]),
        "replicas": int(args["replicas"]),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "pod": {
            "labels": {"omnibase.io/environment": args["environment"]},
            "securityContext": pod_security(),
            "topologySpreadConstraints": spread({"matchLabels": proxies(name, args["namespace"])["labels"]}),
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}],
        },
        "container": {
            "image": args["image"],
            "resources": {
                "requests": {"cpu": f"{int(args['cpu_request_millis'])}m", "memory": memory},
                "limits": {"memory": memory},
            },
            "securityContext": hardened(user=UID),
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  # a directory of the pod
        },
        "patch": {"type": "StrategicMerge", "value": {"spec": {"template": {"spec": {"containers": _patches()}}}}},
    }


def _patches() -> list[Manifest]:
    """What EnvoyProxy has no field for."""
    memory = f"{SHUTDOWN_MEMORY_MIB}Mi"
    shutdown = {
        "name": "shutdown-manager",
        "resources": {
            "requests": {"cpu": f"{SHUTDOWN_CPU_MILLIS}m", "memory": memory},
            "limits": {"memory": memory},
        },
        # its sign that connections are drained is a file
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  # a directory of the pod
    }
    # a lost proxy is back as soon as it has its configuration, not up to ten seconds later
    envoy = {"name": "envoy", "startupProbe": {"periodSeconds": 1, "failureThreshold": 300}}
    return [envoy, shutdown]


def _access_log(args: GatewayArgs) -> Manifest:
    """One JSON object a call, with the fields of our services' logs. The query is left out: it may hold secrets."""
    fields = {
        "time": "%START_TIME(%Y-%m-%dT%H:%M:%E3SZ)%",
        "level": "info",
        "service": "gateway",
        "environment": args["environment"],
        "version": ENVOY_VERSION,
        "message": "request",
        "correlation_id": "%REQ(X-REQUEST-ID)%",
        "client": f"%REQ({CLIENT_HEADER})%",
        "address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "host": "%REQ(:AUTHORITY)%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ:ORIG_OR_PATH)%",
        "protocol": "%PROTOCOL%",
        "tls": "%DOWNSTREAM_TLS_VERSION%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "route": "%ROUTE_NAME%",
        "upstream": "%UPSTREAM_HOST%",
        "tries": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    }
    return {
        "format": {"type": "JSON", "json": fields},
        "sinks": [{"type": "File", "file": {"path": "/dev/stdout"}}],
    }


API_GROUP = "gateway.networking.k8s.io"


def head(version: str, kind: str, name: str, space: str, environment: str) -> Manifest:
    """apiVersion, kind and metadata of an object at the edge."""
    metadata: dict[str, Any] = {"name": name, "namespace": space, "labels": labels(name, "gateway", environment)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def waiting(condition: str) -> dict[str, str]:
    """Annotations that make the engine wait; bounded, as a controller that is not there says nothing at all."""
    return {"pulumi.com/waitFor": condition, "pulumi.com/timeoutSeconds": str(_WAIT_SECONDS)}


def address(status: object) -> str:
    """The proxies' address out of the status of a Gateway; empty where there is none yet."""
    found = status.get("addresses") if isinstance(status, dict) else None
    return str(found[0].get("value") or "") if found else ""
