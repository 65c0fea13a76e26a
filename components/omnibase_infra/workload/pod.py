"""The hardened pod, pure: what every workload has in common."""

from typing import Any

from omnibase_infra.naming import content_digest, content_name
from omnibase_infra.objects import Manifest
from omnibase_infra.pods import hardened, spread
from omnibase_infra.workload.args import (
    DEFAULT_START_SECONDS,
    DEFAULT_STOP_SECONDS,
    DEFAULT_UID,
    LIVE,
    LONG_RUNNING,
    READY,
    SETTINGS_DIRECTORY,
    TLS_DIRECTORY,
    TLS_KEYS,
    HardenedWorkloadArgs,
    Probe,
    SecretMount,
)

_START_PERIOD = 2  # seconds between start probes: a fast start is seen fast
_SETTINGS = "settings"
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
        "volumes": _volumes(name, args),
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


def settings_digest(args: HardenedWorkloadArgs) -> str:
    """Of the names and texts of the settings' files."""
    return content_digest(sorted(args.get("settings", {}).items()))


def settings_name(name: str, args: HardenedWorkloadArgs) -> str:
    """Name of the ConfigMap with the settings' files."""
    return content_name(name, _SETTINGS, digest=settings_digest(args))


def _container(name: str, args: HardenedWorkloadArgs, long_running: bool) -> Manifest:
    found: Manifest = {
        "name": name,
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": key, "value": value} for key, value in sorted(args.get("env", {}).items())],
        "resources": _resources(args),
        "securityContext": hardened(writable_root=bool(args.get("writable_root", False))),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(args),
    }
    if args.get("command"):
        found["command"] = list(args["command"])
    if args.get("arguments"):
        found["args"] = list(args["arguments"])
    if long_running:
        if ports(args):
            found["ports"] = [
                {"name": key, "containerPort": port, "protocol": "TCP"} for key, port in ports(args).items()
            ]
        found["lifecycle"] = {"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}}
        found.update(_probes(args))
    return found


def _resources(args: HardenedWorkloadArgs) -> Manifest:
    limit = int(args["memory_mib"])
    limits = {"memory": f"{limit}Mi"}
    if "cpu_limit_millis" in args:
        limits["cpu"] = f"{int(args['cpu_limit_millis'])}m"
    memory = f"{int(args.get('memory_request_mib', limit))}Mi"
    return {"requests": {"cpu": f"{int(args.get('cpu_request_millis', 50))}m", "memory": memory}, "limits": limits}


def ports(args: HardenedWorkloadArgs) -> dict[str, int]:
    """Name -> port of pods and Service, the main one first."""
    main = {scheme(args): int(args["port"])} if "port" in args else {}
    return {**main, **{name: int(port) for name, port in args.get("more_ports", {}).items()}}


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
    live, ready = args.get("live", LIVE), args.get("ready", READY)
    start = args.get("start", live)
    period = int(start.get("interval_seconds", _START_PERIOD)) if "start" in args else _START_PERIOD
    budget = int(args.get("start_seconds", DEFAULT_START_SECONDS))
    return {
        "startupProbe": {
            **_question(args, start),
            "periodSeconds": period,
            "timeoutSeconds": int(start.get("timeout_seconds", 2)),
            "failureThreshold": max(1, -(-budget // period)),
        },
        "readinessProbe": {**_question(args, ready), **_patience(ready, period=5, retries=2)},
        "livenessProbe": {**_question(args, live), **_patience(live, period=10, retries=3)},
    }


def _patience(probe: Probe, *, period: int, retries: int) -> dict[str, int]:
    return {
        "periodSeconds": int(probe.get("interval_seconds", period)),
        "timeoutSeconds": int(probe.get("timeout_seconds", 3)),
        "failureThreshold": int(probe.get("retries", retries)),
    }


def _question(args: HardenedWorkloadArgs, probe: Probe) -> dict[str, Any]:
    if "command" in probe:
        return {"exec": {"command": list(probe["command"])}}
    port: str | int = int(probe["port"]) if "port" in probe else scheme(args)
    if probe.get("tcp"):
        return {"tcpSocket": {"port": port}}
    secure = {"scheme": "HTTPS"} if "tls_secret" in args and "port" not in probe else {}
    return {"httpGet": {"path": probe["path"], "port": port, **secure}}


def _scratch(args: HardenedWorkloadArgs) -> dict[str, int]:
    return args.get("scratch_mib", {"/tmp": 64})  # noqa: S108  # a directory of the pod, private to it


def _volumes(name: str, args: HardenedWorkloadArgs) -> list[Manifest]:
    found: list[Manifest] = []
    if args.get("settings"):
        source = {"name": settings_name(name, args), "defaultMode": 0o444}
        found.append({"name": _SETTINGS, "configMap": source})
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
    if args.get("settings"):
        found.append({"name": _SETTINGS, "mountPath": SETTINGS_DIRECTORY, "readOnly": True})
    found += [{"name": key, "mountPath": volume["path"]} for key, volume in args.get("volumes", {}).items()]
    return found
