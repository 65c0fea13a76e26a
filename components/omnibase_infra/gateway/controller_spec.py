"""Manifests of Envoy Gateway itself, pure. Its chart is a template for helm; this is what we need of it, hardened."""

import hashlib
import json
from typing import Any

from omnibase_infra.environment import quota
from omnibase_infra.gateway.args import GatewayControllerArgs
from omnibase_infra.gateway.names import (
    CONTROLLER_KIND,
    CONTROLLER_NAME,
    CONTROLLER_NAMESPACE,
    GATEWAY_CLASS,
    METRICS_PORT,
    PROBE_PORT,
    XDS_PORT,
)
from omnibase_infra.gateway.rights import CERTGEN_NAME
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.pods import hardened, spread

UID = 65532  # the image's user
_SELECTOR = {"control-plane": CONTROLLER_NAME}
_CONFIG = "envoy-gateway-config"
_CERTGEN_CPU_MILLIS, _CERTGEN_MEMORY_MIB = 10, 64
SHUTDOWN_CPU_MILLIS, SHUTDOWN_MEMORY_MIB = 5, 64
"""Of the part of each proxy pod that drains connections."""
_START_SECONDS = 60
_NAMESPACE = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
_ENV = [
    {"name": "ENVOY_GATEWAY_NAMESPACE", "valueFrom": _NAMESPACE},
    {"name": "KUBERNETES_CLUSTER_DOMAIN", "value": "cluster.local"},
]


def watched(args: GatewayControllerArgs) -> list[str]:
    """Namespaces that it reads: the served ones and its own.

    v1.9.1 says that its own is always included, but gives its cache two entries for Services, Secrets and ConfigMaps,
    of which a random one wins at each start; with the other one it never finds the proxies' Service.
    """
    return sorted({*args["namespaces"], CONTROLLER_NAMESPACE})


def config(args: GatewayControllerArgs) -> str:
    """Envoy Gateway's own settings, as JSON, which YAML contains."""
    settings = {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": CONTROLLER_KIND},
        "logging": {"level": {"default": "info"}, "encoder": "JSON"},
        "provider": {
            "type": "Kubernetes",
            "kubernetes": {
                "watch": {"type": "Namespaces", "namespaces": watched(args)},
                "shutdownManager": {"image": args["image"]},
                # One controller has nobody to agree with, and would end itself whenever the API server is slow.
                "leaderElection": {"disable": int(args["replicas"]) == 1},
                # its webhook would be the one thing here that can stop pods from being made
                "proxyTopologyInjector": {"disabled": True},
            },
        },
        # Patches, Lua and free backends are ways around everything that the components check.
        "extensionApis": {"enableEnvoyPatchPolicy": False, "enableBackend": False, "enableLua": False},
    }
    return json.dumps(settings, indent=1, sort_keys=True) + "\n"


def config_map(args: GatewayControllerArgs) -> Manifest:
    """The settings as a file."""
    return {**_head("v1", "ConfigMap", _CONFIG, args), "data": {"envoy-gateway.yaml": config(args)}}


def gateway_class() -> Manifest:
    """What Gateways name to be served by this controller."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {
            "name": GATEWAY_CLASS,
            "labels": labels(GATEWAY_CLASS, "gateway"),
            "annotations": {"pulumi.com/waitFor": "condition=Accepted"},
        },
        "spec": {"controllerName": CONTROLLER_KIND},
    }


def certgen(args: GatewayControllerArgs) -> Manifest:
    """Makes the certificates between controller and proxies once (5 years); what exists stays as it is."""
    container = {
        **_container("certgen", args, ["envoy-gateway", "certgen", "--disable-topology-injector"]),
        "resources": {
            "requests": {"cpu": f"{_CERTGEN_CPU_MILLIS}m", "memory": f"{_CERTGEN_MEMORY_MIB}Mi"},
            "limits": {"memory": f"{_CERTGEN_MEMORY_MIB}Mi"},
        },
    }
    pod = {**_pod(CERTGEN_NAME), "restartPolicy": "Never", "containers": [container]}
    template = {"metadata": {"labels": labels(CERTGEN_NAME, "gateway", args["environment"])}, "spec": pod}
    spec = {"backoffLimit": 4, "activeDeadlineSeconds": 300, "template": template}
    return {**_head("batch/v1", "Job", CERTGEN_NAME, args), "spec": spec}


def deployment(args: GatewayControllerArgs) -> Manifest:
    """The controller. A change of its settings restarts it, pod by pod: it does not read all of them anew."""
    memory = f"{int(args['memory_mib'])}Mi"
    container = {
        **_container(CONTROLLER_NAME, args, ["envoy-gateway", "server", "--config-path=/config/envoy-gateway.yaml"]),
        "ports": [
            {"name": name, "containerPort": port, "protocol": "TCP"}
            for name, port in (("grpc", XDS_PORT), ("metrics", METRICS_PORT), ("probes", PROBE_PORT))
        ],
        "resources": {
            "requests": {"cpu": f"{int(args['cpu_request_millis'])}m", "memory": memory},
            "limits": {"memory": memory},
        },
        **_probes(),
        "volumeMounts": [
            {"name": "config", "mountPath": "/config", "readOnly": True},
            {"name": "certs", "mountPath": "/certs", "readOnly": True},
            {"name": "wasm-cache", "mountPath": "/var/lib/eg/wasm"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # a directory of the pod, private to it
        ],
    }
    pod = {
        **_pod(CONTROLLER_NAME),
        "terminationGracePeriodSeconds": 10,
        "topologySpreadConstraints": spread({"matchLabels": _SELECTOR}),
        "containers": [container],
        "volumes": [
            {"name": "config", "configMap": {"name": _CONFIG, "defaultMode": 0o444}},
            {"name": "certs", "secret": {"secretName": CONTROLLER_NAME, "defaultMode": 0o440}},
            {"name": "wasm-cache", "emptyDir": {"sizeLimit": "16Mi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
        ],
    }
    metadata = {
        "labels": {**labels(CONTROLLER_NAME, "gateway", args["environment"]), **_SELECTOR},
        "annotations": {"omnibase.io/config": hashlib.sha256(config(args).encode()).hexdigest()[:16]},
    }
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    spec = {
        "replicas": int(args["replicas"]),
        "selector": {"matchLabels": _SELECTOR},
        # without an election two must never work at the same time; proxies do without for the seconds between
        "strategy": {"type": "Recreate"} if int(args["replicas"]) == 1 else rolling,
        "revisionHistoryLimit": 5,
        "progressDeadlineSeconds": 180,
        "template": {"metadata": metadata, "spec": pod},
    }
    return {**_head("apps/v1", "Deployment", CONTROLLER_NAME, args), "spec": spec}


def service(args: GatewayControllerArgs) -> Manifest:
    """Where proxies find the controller; the name is fixed by its certificate."""
    ports = [
        {"name": name, "port": port, "targetPort": port, "protocol": "TCP"}
        for name, port in (("grpc", XDS_PORT), ("metrics", METRICS_PORT))
    ]
    spec = {"type": "ClusterIP", "selector": _SELECTOR, "ports": ports}
    return {**_head("v1", "Service", CONTROLLER_NAME, args), "spec": spec}


def bounds(args: GatewayControllerArgs) -> Manifest:
    """The namespace's quota: controllers with one more while they roll, the certificate Job, all proxies."""
    controllers, proxies = int(args["replicas"]) + 1, int(args["proxies"])
    found = quota(
        CONTROLLER_NAMESPACE,
        cpu_request_millis=controllers * int(args["cpu_request_millis"])
        + proxies * (int(args["proxy_cpu_request_millis"]) + SHUTDOWN_CPU_MILLIS)
        + _CERTGEN_CPU_MILLIS,
        memory_mib=controllers * int(args["memory_mib"])
        + proxies * (int(args["proxy_memory_mib"]) + SHUTDOWN_MEMORY_MIB)
        + _CERTGEN_MEMORY_MIB,
        pods=controllers + proxies + 1,
        storage_gib=0,
    )
    # a load balancer takes a node port for each of its ports, and has one
    balancers = str(int(args.get("load_balancers", 0)))
    found["spec"]["hard"].update({"services.loadbalancers": balancers, "services.nodeports": balancers})
    return found


def disruption_budget(args: GatewayControllerArgs) -> Manifest:
    """A drain takes one controller at a time."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": _SELECTOR},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return {**_head("policy/v1", "PodDisruptionBudget", CONTROLLER_NAME, args), "spec": spec}


def pod_security() -> dict[str, Any]:
    """securityContext of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": UID,
        "runAsGroup": UID,
        "fsGroup": UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _pod(account: str) -> dict[str, Any]:
    # Both talk to the API server: this is the one weaker setting here, waived by name in the policy pack.
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
    }


def _container(name: str, args: GatewayControllerArgs, command: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": command[:1],
        "args": command[1:],
        "env": _ENV,
        "securityContext": hardened(user=UID),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _probes() -> dict[str, Any]:
    def get(path: str) -> dict[str, Any]:
        return {"path": path, "port": "probes"}

    return {
        "startupProbe": {
            "httpGet": get("/healthz"), "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": _START_SECONDS,
        },
        "readinessProbe": {"httpGet": get("/readyz"), "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 3},
        "livenessProbe": {"httpGet": get("/healthz"), "periodSeconds": 20, "timeoutSeconds": 3, "failureThreshold": 3},
    }  # fmt: skip


def _head(version: str, kind: str, name: str, args: GatewayControllerArgs) -> Manifest:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": CONTROLLER_NAMESPACE,
            "labels": labels(name, "gateway", args["environment"]),
        },
    }
