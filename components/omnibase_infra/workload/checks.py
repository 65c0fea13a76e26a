"""What is refused, all of it together, before any resource exists."""

import datetime
import re
from collections import Counter

from omnibase_infra.naming import dns_label
from omnibase_infra.pinned import digest_problem
from omnibase_infra.waiver import waiver_problems
from omnibase_infra.workload.args import (
    DEFAULT_DEADLINE_SECONDS,
    DEFAULT_START_SECONDS,
    DEFAULT_STOP_SECONDS,
    DEFAULT_UID,
    KINDS,
    LIVE,
    LONG_RUNNING,
    LONGEST_START_SECONDS,
    LONGEST_STOP_SECONDS,
    MOST_SETTINGS_BYTES,
    PROBES,
    READY,
    SETTINGS_DIRECTORY,
    TLS_DIRECTORY,
    WAIVABLE,
    HardenedWorkloadArgs,
    Probe,
)
from omnibase_infra.workload.pod import ports

_CRON = re.compile(r"^(\S+\s+){4}\S+$")
_CREDENTIAL = re.compile(r"(PASSWORD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIAL)S?$")
_FIRST_FREE_PORT = 1024  # binding a lower one would need a capability
_LAST_PORT = 65535
_LEAST_MEMORY_MIB = 16
_PART = re.compile(r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")
_FILE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
_LONGEST_PORT_NAME = 15
_LONGEST_PROBE_SECONDS = 300
_MOST_RETRIES = 100
_TAKEN = ("settings",)  # names of volumes that the pod has anyway


def problems(name: str, args: HardenedWorkloadArgs, day: datetime.date) -> list[str]:
    """Every reason why these arguments cannot be used.

    Args:
        name: of the workload.
        args: as given.
        day: today, for waivers.
    """
    parts = (_kind, _sizes, _ports, _pod, _probes, _settings)
    return [*_name(name), *(problem for part in parts for problem in part(args)), *_waivers(args, day)]


def _name(name: str) -> list[str]:
    try:
        return [] if dns_label(name) == name else [f"name {name!r} is longer than 63 characters"]
    except ValueError as error:
        return [str(error)]


def _kind(args: HardenedWorkloadArgs) -> list[str]:
    kind = args.get("kind", "Deployment")
    if kind not in KINDS:
        return [f"kind={kind!r} must be one of {', '.join(KINDS)}"]
    found = []
    if kind in LONG_RUNNING and "port" not in args and not _asked_without_port(args):
        found.append(f"port is required for a {kind}, unless every probe names one or is a command")
    if kind == "CronJob" and not _CRON.match(args.get("schedule", "")):
        found.append(f"schedule={args.get('schedule', '')!r} must be five cron fields, for example '0 3 * * *'")
    if kind != "CronJob" and "schedule" in args:
        found.append(f"schedule is for a CronJob, not for a {kind}")
    if kind == "StatefulSet" and not args.get("volumes"):
        found.append("a StatefulSet needs volumes; without them a Deployment is enough")
    if kind == "StatefulSet" and not ports(args):
        found.append("a StatefulSet needs a port: its pods are named by a Service")
    for field in ("volumes", "storage_class", "protect"):
        if kind != "StatefulSet" and field in args:
            found.append(f"{field} is for a StatefulSet, not for a {kind}")
    for field in ("deadline_seconds", "final_exit_codes"):
        if kind not in ("Job", "CronJob") and field in args:
            found.append(f"{field} is for a Job or CronJob, not for a {kind}")
    if kind not in LONG_RUNNING and args.get("replicas", 1) != 1:
        found.append(f"replicas={args.get('replicas')} has no meaning for a {kind}")
    if kind != "Deployment" and "max_replicas" in args:
        found.append(f"max_replicas is for a Deployment, not for a {kind}")
    return found


def _sizes(args: HardenedWorkloadArgs) -> list[str]:
    found = []
    bounds = {
        "memory_mib": (args["memory_mib"], _LEAST_MEMORY_MIB, 1_048_576),
        "memory_request_mib": (args.get("memory_request_mib", args["memory_mib"]), 1, args["memory_mib"]),
        "cpu_request_millis": (args.get("cpu_request_millis", 50), 1, 256_000),
        "cpu_limit_millis": (args.get("cpu_limit_millis", 256_000), args.get("cpu_request_millis", 50), 256_000),
        "port": (args.get("port", 8080), _FIRST_FREE_PORT, _LAST_PORT),
        "replicas": (args.get("replicas", 1), 1, 1000),
        "uid": (args.get("uid", DEFAULT_UID), 1, 2**31 - 1),
        "start_seconds": (args.get("start_seconds", DEFAULT_START_SECONDS), 1, LONGEST_START_SECONDS),
        "stop_seconds": (args.get("stop_seconds", DEFAULT_STOP_SECONDS), 1, LONGEST_STOP_SECONDS),
        "deadline_seconds": (args.get("deadline_seconds", DEFAULT_DEADLINE_SECONDS), 10, 86_400),
        **{f"volumes[{key}].size_gib": (each["size_gib"], 1, 65_536) for key, each in args.get("volumes", {}).items()},
        **{f"final_exit_codes[{place}]": (code, 1, 255) for place, code in enumerate(args.get("final_exit_codes", []))},
    }
    for field, (value, low, high) in bounds.items():
        if not low <= value <= high:
            found.append(f"{field}={value} is outside {low}..{high}")
    if "max_replicas" in args and args["max_replicas"] <= args.get("replicas", 1):
        found.append(f"max_replicas={args['max_replicas']} must be above replicas={args.get('replicas', 1)}")
    return found


def _pod(args: HardenedWorkloadArgs) -> list[str]:
    found = []
    for key in args.get("env", {}):
        # a name that ends in _FILE points at a mounted secret and is what we want to see
        if _CREDENTIAL.search(key):
            found.append(f"env {key} looks like a credential; mount it with secret_mounts and pass {key}_FILE")
    for mount in args.get("secret_mounts", []):
        if not mount["path"].startswith("/") or not mount["keys"]:
            found.append(f"secret mount at {mount['path']!r} needs an absolute path and at least one key")
    for configuration in args.get("config_mounts", []):
        if not configuration["path"].startswith("/") or not configuration["config_maps"]:
            found.append(f"config mount at {configuration['path']!r} needs an absolute path and at least one ConfigMap")
    for path, size in args.get("scratch_mib", {}).items():
        if not path.startswith("/") or size < 1:
            found.append(f"scratch_mib {path!r}={size} needs an absolute path and at least 1 MiB")
    for key, volume in args.get("volumes", {}).items():
        if not volume["path"].startswith("/") or not _PART.match(key) or key in _TAKEN:
            found.append(f"volume {key!r} at {volume['path']!r} needs an absolute path and a name like 'data'")
    return [*found, *_shared_paths(args)]


def _shared_paths(args: HardenedWorkloadArgs) -> list[str]:
    """A directory that two things are mounted at would show one of them only."""
    mounts = [
        *args.get("scratch_mib", {}),
        *(volume["path"] for volume in args.get("volumes", {}).values()),
        *(mount["path"] for mount in args.get("secret_mounts", [])),
        *(mount["path"] for mount in args.get("config_mounts", [])),
        *([SETTINGS_DIRECTORY] if args.get("settings") else []),
        *([TLS_DIRECTORY] if "tls_secret" in args else []),
    ]
    places = Counter(path.rstrip("/") for path in mounts)
    return [f"{count} things are mounted at {path!r}; give each its own" for path, count in places.items() if count > 1]


def _ports(args: HardenedWorkloadArgs) -> list[str]:
    found = []
    for key, port in args.get("more_ports", {}).items():
        if not _PART.match(key) or len(key) > _LONGEST_PORT_NAME or key in ("http", "https"):
            found.append(f"more_ports {key!r} must be at most 15 of a-z, 0-9 and '-', and not http or https")
        if not _FIRST_FREE_PORT <= port <= _LAST_PORT:
            found.append(f"more_ports {key!r}={port} is outside {_FIRST_FREE_PORT}..{_LAST_PORT}")
    twice = [port for port, count in Counter(ports(args).values()).items() if count > 1]
    found += [f"port {port} has more than one name" for port in twice]
    for call in args.get("calls", []):
        if not call["ports"]:
            found.append(f"calls to {call['party']['name']!r} name no port")
    if args.get("accepts_from") and not ports(args):
        found.append("accepts_from needs a port to connect to")
    return found


def _asked_without_port(args: HardenedWorkloadArgs) -> bool:
    live = args.get("live", LIVE)
    probes = (live, args.get("ready", READY), args.get("start", live))
    return all("command" in probe or "port" in probe for probe in probes)


def _probes(args: HardenedWorkloadArgs) -> list[str]:
    given: dict[str, Probe] = {
        field: args[field]  # type: ignore[literal-required]  # keys of HardenedWorkloadArgs
        for field in PROBES
        if field in args
    }
    return [f"{field} {problem}" for field, probe in given.items() for problem in _probe(probe, args)]


def _probe(probe: Probe, args: HardenedWorkloadArgs) -> list[str]:
    asked = [how for how in ("path", "command", "tcp") if probe.get(how)]
    found = [] if len(asked) == 1 else [f"must have exactly one of path, command and tcp, and has {asked or 'none'}"]
    if not probe.get("path", "/").startswith("/"):
        found.append(f"path={probe.get('path')!r} must start with '/'")
    if "port" in probe and probe["port"] not in ports(args).values():
        found.append(
            f"port={probe['port']} is not a port of the workload ({', '.join(map(str, ports(args).values()))})"
        )
    for field in ("interval_seconds", "timeout_seconds"):
        value = int(probe.get(field, 1))  # type: ignore[call-overload]  # a key of Probe
        if not 1 <= value <= _LONGEST_PROBE_SECONDS:
            found.append(f"{field}={value} is outside 1..{_LONGEST_PROBE_SECONDS}")
    if not 1 <= probe.get("retries", 1) <= _MOST_RETRIES:
        found.append(f"retries={probe.get('retries')} is outside 1..{_MOST_RETRIES}")
    return found


def _settings(args: HardenedWorkloadArgs) -> list[str]:
    files = args.get("settings", {})
    found = [f"settings file {name!r} must be named by letters, digits, '-', '_' and '.'" for name in files
             if not _FILE.match(name)]  # fmt: skip
    size = sum(len(name) + len(text.encode()) for name, text in files.items())
    if size > MOST_SETTINGS_BYTES:
        found.append(
            f"settings have {size} bytes of at most {MOST_SETTINGS_BYTES}; what is that big belongs in storage"
        )
    return found


def _waivers(args: HardenedWorkloadArgs, day: datetime.date) -> list[str]:
    waivers = args.get("waivers", [])
    waived = {waiver.get("setting") for waiver in waivers}
    image = args["image"]
    weaker = {
        "writable-root": "writable_root=True" if args.get("writable_root") else "",
        "service-account-token": "service_account_token=True" if args.get("service_account_token") else "",
        "unpinned-image": digest_problem(image) if isinstance(image, str) else "",
    }
    found = waiver_problems(waivers, WAIVABLE, day)
    for setting, what in weaker.items():
        if what and setting not in waived:
            found.append(f"{what}: needs a waiver for '{setting}'")
        if not what and setting in waived and (setting != "unpinned-image" or isinstance(image, str)):
            found.append(f"waiver for '{setting}' waives nothing; remove it")
    return found
