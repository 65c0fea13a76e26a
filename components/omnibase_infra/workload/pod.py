"""The hardened pod, pure: what every workload has in common."""

from typing import Any

from omnibase_infra.objects import Manifest
from omnibase_infra.pods import hardened, spread
from omnibase_infra.workload.args import (
    DEFAULT_START_SECONDS,
    DEFAULT_STOP_SECONDS,
    DEFAULT_UID,
    LONG_RUNNING,
    TLS_DIRECTORY,
    TLS_KEYS,
    HardenedWorkloadArgs,
    SecretMount,
)

_START_PERIOD = 2  # seconds between start probes: a fast start is seen fast
_DRAIN_SECONDS = 5
"""Between leaving the Service's endpoints and SIGTERM, so that no new request meets a closed socket. Three were too
short for a gateway on two busy cores: one call of 400 met 503 in a rollout."""


def pod_template(name: str, args: HardenedWorkloadArgs, labels: dict[str, str]) -> Manifest:
    """metadata and spec of the pods."""
    long_running = args.get("kind", "Deployment") in LONG_RUNNING
    uid = int(args.get("uid", DEFAULT_UID))
    spec: Manifest = {
        "serviceAccountName": name,
        "automountServiceAccountToken": bool(args.get("service_account_token", False)),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": int(args.get("stop_seconds", DEFAULT_STOP_SECONDS)),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": uid,
            "runAsGroup": uid,
            "fsGroup": uid,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(name, args, long_running)],
        "volumes": _volumes(args),
    }
    if long_running:
        spec["topologySpreadConstraints"] = spread({"matchLabels": {"app.kubernetes.io/name": name}})
    else:
        spec["restartPolicy"] = "Never"
    if "priority_class" in args:
        spec["priorityClassName"] = args["priority_class"]
    metadata: Manifest = {"labels": labels}
    if args.get("restart_on"):
        metadata["annotations"] = {f"omnibase.io/{key}": value for key, value in sorted(args["restart_on"].items())}
    return {"metadata": metadata, "spec": spec}


def _container(name: str, args: HardenedWorkloadArgs, long_running: bool) -> Manifest:
    memory = f"{int(args['memory_mib'])}Mi"
    found: Manifest = {
        "name": name,
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": key, "value": value} for key, value in sorted(args.get("env", {}).items())],
        "resources": {
            "requests": {"cpu": f"{int(args.get('cpu_request_millis', 50))}m", "memory": memory},
            "limits": {"memory": memory},
        },
        "securityContext": hardened(writable_root=bool(args.get("writable_root", False))),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(args),
    }
    if args.get("command"):
        found["command"] = list(args["command"])
    if long_running:
        found["ports"] = [{"name": scheme(args), "containerPort": int(args["port"]), "protocol": "TCP"}]
        found["lifecycle"] = {"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}}
        found.update(_probes(args))
    return found


def scheme(args: HardenedWorkloadArgs) -> str:
    """What is spoken on the port; also the port's name."""
    return "https" if "tls_secret" in args else "http"


def _secret_mounts(args: HardenedWorkloadArgs) -> list[SecretMount]:
    mounts = list(args.get("secret_mounts", []))
    if "tls_secret" in args:
        mounts.append({"secret": args["tls_secret"], "keys": TLS_KEYS, "path": TLS_DIRECTORY})
    return mounts


def _probes(args: HardenedWorkloadArgs) -> dict[str, Any]:
    """Start has its own budget, so that liveness can be quick without killing a slow start."""
    spoken = {"port": scheme(args), **({"scheme": "HTTPS"} if "tls_secret" in args else {})}
    ready, live = args.get("ready_path", "/readyz"), args.get("live_path", "/healthz")
    budget = int(args.get("start_seconds", DEFAULT_START_SECONDS))
    return {
        "startupProbe": {
            "httpGet": {"path": live, **spoken},
            "periodSeconds": _START_PERIOD,
            "timeoutSeconds": 2,
            "failureThreshold": max(1, budget // _START_PERIOD),
        },
        "readinessProbe": {
            "httpGet": {"path": ready, **spoken},
            "periodSeconds": 5,
            "timeoutSeconds": 3,
            "failureThreshold": 2,
        },
        "livenessProbe": {
            "httpGet": {"path": live, **spoken},
            "periodSeconds": 10,
            "timeoutSeconds": 3,
            "failureThreshold": 3,
        },
    }


def _scratch(args: HardenedWorkloadArgs) -> dict[str, int]:
    return args.get("scratch_mib", {"/tmp": 64})  # noqa: S108  # a directory of the pod, private to it


def _volumes(args: HardenedWorkloadArgs) -> list[Manifest]:
    found: list[Manifest] = []
    for number, size in enumerate(_scratch(args).values()):
        found.append({"name": f"scratch-{number}", "emptyDir": {"sizeLimit": f"{int(size)}Mi"}})
    for number, mount in enumerate(_secret_mounts(args)):
        items = [{"key": key, "path": key} for key in mount["keys"]]
        # readable by the group only, which is the pod's fsGroup
        secret = {"secretName": mount["secret"], "items": items, "defaultMode": 0o440}
        found.append({"name": f"secret-{number}", "secret": secret})
    for number, configuration in enumerate(args.get("config_mounts", [])):
        sources = [{"configMap": {"name": config_map}} for config_map in configuration["config_maps"]]
        found.append({"name": f"config-{number}", "projected": {"sources": sources, "defaultMode": 0o444}})
    return found


def _mounts(args: HardenedWorkloadArgs) -> list[Manifest]:
    found: list[Manifest] = [
        {"name": f"scratch-{number}", "mountPath": path} for number, path in enumerate(_scratch(args))
    ]
    for number, mount in enumerate(_secret_mounts(args)):
        found.append({"name": f"secret-{number}", "mountPath": mount["path"], "readOnly": True})
    for number, configuration in enumerate(args.get("config_mounts", [])):
        found.append({"name": f"config-{number}", "mountPath": configuration["path"], "readOnly": True})
    if "storage_path" in args:
        found.append({"name": "data", "mountPath": args["storage_path"]})
    return found
