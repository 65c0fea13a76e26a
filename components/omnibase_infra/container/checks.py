"""What is refused, all of it together, before any resource exists."""

import datetime
import ipaddress
import re
from collections.abc import Iterator

from omnibase_infra.config.environments import Environment as Tier
from omnibase_infra.container.args import (
    DEFAULT_CPU_MILLIS,
    DEFAULT_PROCESSES,
    DEFAULT_SCRATCH_MIB,
    DEFAULT_START_SECONDS,
    DEFAULT_STOP_SECONDS,
    DEFAULT_UID,
    LONGEST_START_SECONDS,
    LONGEST_STOP_SECONDS,
    SECRETS_PATH,
    WAIVABLE,
    HardenedContainerArgs,
)
from omnibase_infra.naming import dns_label
from omnibase_infra.pinned import digest_problem
from omnibase_infra.waiver import waiver_problems

_CREDENTIAL = re.compile(r"(PASSWORD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIAL)S?$")
_FILE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_FIRST_FREE_PORT = 1024  # a lower one needs a capability inside, and on the host belongs to its own services
_LAST_PORT = 65535
_LEAST_MEMORY_MIB = 6  # the engine refuses less


def problems(name: str, args: HardenedContainerArgs, day: datetime.date) -> list[str]:
    """Every reason why these arguments cannot be used.

    Args:
        name: of the container.
        args: as given.
        day: today, for waivers.
    """
    return [*_name(name, args), *_sizes(args), *_publish(args), *_process(args), *_files(args), *_waivers(args, day)]


def _name(name: str, args: HardenedContainerArgs) -> Iterator[str]:
    if args["environment"] not in tuple(Tier):
        yield f"environment={args['environment']!r} must be one of {', '.join(Tier)}"
        return
    try:
        joined = dns_label(args["environment"], name)
    except ValueError as error:
        yield str(error)
        return
    if joined != f"{args['environment']}-{name}":
        yield f"name {name!r} is longer than 63 characters with its environment"


def _sizes(args: HardenedContainerArgs) -> Iterator[str]:
    bounds = {
        "memory_mib": (args["memory_mib"], _LEAST_MEMORY_MIB, 1_048_576),
        "cpu_millis": (args.get("cpu_millis", DEFAULT_CPU_MILLIS), 10, 256_000),
        "processes": (args.get("processes", DEFAULT_PROCESSES), 1, 65_536),
        "port": (args.get("port", 8080), _FIRST_FREE_PORT, _LAST_PORT),
        "publish.host_port": (args.get("publish", {}).get("host_port", 8080), _FIRST_FREE_PORT, _LAST_PORT),
        "uid": (args.get("uid", DEFAULT_UID), 1, 2**31 - 1),
        "start_seconds": (args.get("start_seconds", DEFAULT_START_SECONDS), 1, LONGEST_START_SECONDS),
        "stop_seconds": (args.get("stop_seconds", DEFAULT_STOP_SECONDS), 1, LONGEST_STOP_SECONDS),
    }
    for field, (value, low, high) in bounds.items():
        if not low <= value <= high:
            yield f"{field}={value} is outside {low}..{high}"


def _publish(args: HardenedContainerArgs) -> Iterator[str]:
    if "publish" not in args:
        return
    if "port" not in args:
        yield "publish needs port: the one that the container listens on"
    address = args["publish"].get("address", "127.0.0.1")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        yield f"publish.address={address!r} must be an address of the host, for example 127.0.0.1"


def is_public(args: HardenedContainerArgs) -> bool:
    """Whether the port is open on every address of the host."""
    address = args["publish"].get("address", "127.0.0.1") if "publish" in args else "127.0.0.1"
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False


def _process(args: HardenedContainerArgs) -> Iterator[str]:
    if not args["health_command"]:
        yield "health_command is empty: without it nothing knows whether the container works"
    for key in args.get("env", {}):
        # a name that ends in _FILE points at a mounted secret and is what we want to see
        if _CREDENTIAL.search(key):
            yield f"env {key} looks like a credential; give it in secrets and pass {key}_FILE={SECRETS_PATH}/<file>"
        if "=" in key or not key:
            yield f"env {key!r} is not a name"


def _files(args: HardenedContainerArgs) -> Iterator[str]:
    for name in args.get("secrets", {}):
        if not _FILE_NAME.match(name):
            yield f"secret {name!r} is not a file name; letters, digits, '.', '_' and '-' are allowed"
    for path, size in args.get("scratch_mib", {}).items():
        if not path.startswith("/") or path == "/" or size < 1:
            yield f"scratch_mib {path!r}={size} needs an absolute path below / and at least 1 MiB"
    scratch = sum(args.get("scratch_mib", DEFAULT_SCRATCH_MIB).values())
    if scratch >= args["memory_mib"]:
        yield f"scratch_mib is {scratch} MiB together and counts into memory_mib={args['memory_mib']}; it must be less"
    data = args.get("data_path", "/data")
    if not data.startswith("/") or data.rstrip("/") in ("", SECRETS_PATH):
        yield f"data_path={data!r} needs an absolute path below /, other than {SECRETS_PATH}"


def _waivers(args: HardenedContainerArgs, day: datetime.date) -> Iterator[str]:
    waivers = args.get("waivers", [])
    waived = {waiver.get("setting") for waiver in waivers}
    image = args["image"]
    address = args["publish"].get("address") if "publish" in args else ""
    weaker = {
        "public-port": f"publish.address={address!r} is every address of the host" if is_public(args) else "",
        "unpinned-image": digest_problem(image) if isinstance(image, str) else "",
        "writable-root": "writable_root=True" if args.get("writable_root") else "",
    }
    yield from waiver_problems(waivers, WAIVABLE, day)
    for setting, what in weaker.items():
        if what and setting not in waived:
            yield f"{what}: needs a waiver for '{setting}'"
        if not what and setting in waived and (setting != "unpinned-image" or isinstance(image, str)):
            yield f"waiver for '{setting}' waives nothing; remove it"
