"""What is refused, all of it together, before any resource exists."""

import datetime
import re

from omnibase_infra.naming import dns_label
from omnibase_infra.pinned import digest_problem
from omnibase_infra.waiver import waiver_problems
from omnibase_infra.workload.args import (
    DEFAULT_DEADLINE_SECONDS,
    DEFAULT_START_SECONDS,
    DEFAULT_STOP_SECONDS,
    DEFAULT_UID,
    KINDS,
    LONG_RUNNING,
    LONGEST_START_SECONDS,
    LONGEST_STOP_SECONDS,
    WAIVABLE,
    HardenedWorkloadArgs,
)

_CRON = re.compile(r"^(\S+\s+){4}\S+$")
_CREDENTIAL = re.compile(r"(PASSWORD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIAL)S?$")
_FIRST_FREE_PORT = 1024  # binding a lower one would need a capability
_LAST_PORT = 65535
_LEAST_MEMORY_MIB = 16


def problems(name: str, args: HardenedWorkloadArgs, day: datetime.date) -> list[str]:
    """Every reason why these arguments cannot be used.

    Args:
        name: of the workload.
        args: as given.
        day: today, for waivers.
    """
    return [*_name(name), *_kind(args), *_sizes(args), *_pod(args), *_waivers(args, day)]


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
    if kind in LONG_RUNNING and "port" not in args:
        found.append(f"port is required for a {kind}: without it nothing can probe or reach the pods")
    if kind == "CronJob" and not _CRON.match(args.get("schedule", "")):
        found.append(f"schedule={args.get('schedule', '')!r} must be five cron fields, for example '0 3 * * *'")
    if kind != "CronJob" and "schedule" in args:
        found.append(f"schedule is for a CronJob, not for a {kind}")
    if kind == "StatefulSet" and ("storage_gib" not in args or not args.get("storage_path", "").startswith("/")):
        found.append("a StatefulSet needs storage_gib and an absolute storage_path")
    if kind != "StatefulSet" and "storage_gib" in args:
        found.append(f"storage_gib is for a StatefulSet, not for a {kind}")
    for field in ("deadline_seconds", "final_exit_codes"):
        if kind != "Job" and field in args:
            found.append(f"{field} is for a Job, not for a {kind}")
    if kind not in LONG_RUNNING and args.get("replicas", 1) != 1:
        found.append(f"replicas={args.get('replicas')} has no meaning for a {kind}")
    if kind != "Deployment" and "max_replicas" in args:
        found.append(f"max_replicas is for a Deployment, not for a {kind}")
    return found


def _sizes(args: HardenedWorkloadArgs) -> list[str]:
    found = []
    bounds = {
        "memory_mib": (args["memory_mib"], _LEAST_MEMORY_MIB, 1_048_576),
        "cpu_request_millis": (args.get("cpu_request_millis", 50), 1, 256_000),
        "port": (args.get("port", 8080), _FIRST_FREE_PORT, _LAST_PORT),
        "replicas": (args.get("replicas", 1), 1, 1000),
        "uid": (args.get("uid", DEFAULT_UID), 1, 2**31 - 1),
        "start_seconds": (args.get("start_seconds", DEFAULT_START_SECONDS), 1, LONGEST_START_SECONDS),
        "stop_seconds": (args.get("stop_seconds", DEFAULT_STOP_SECONDS), 1, LONGEST_STOP_SECONDS),
        "deadline_seconds": (args.get("deadline_seconds", DEFAULT_DEADLINE_SECONDS), 10, 86_400),
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
    for field in ("live_path", "ready_path"):
        value = args.get(field, "/")
        if not str(value).startswith("/"):
            found.append(f"{field}={value!r} must start with '/'")
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
