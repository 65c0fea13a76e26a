"""Containers of a Docker host: what a process may do there, what it may use, and who reaches it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from omnibase_policies.checks import at_least, at_most, if_set, is_number, must_not_be_true, required
from omnibase_policies.model import REMOVED, Level, Problem, Severity, missing, resource_rule, undecided
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_CONTAINER, _PROVIDER = "DockerContainer", "DockerProvider"
_DIGEST = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")
_CREDENTIAL = re.compile(r"^[^=]*(PASSWORD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIAL)S?=", re.IGNORECASE)
_SENSITIVE = ("/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/usr", "/var/lib", "/var/run")
_SOCKET = re.compile(r"(docker|containerd|crio|podman|buildkitd)[^/]*\.sock")
_UNCONFINED = re.compile(r"unconfined|label[:=]disable")
_FIRST_FREE_PORT = 1024
_MOST_RESTARTS = 5


def _is_container(found: Object) -> bool:
    return found.kind == _CONTAINER


def _no_capabilities(place: View) -> list[str]:
    return ["ALL"] if place.keys[-1] == "drops" else []


def _with_no_new_privileges(place: View) -> list[object]:
    return [*(place.value if isinstance(place.value, list) else ()), "no-new-privileges:true"]


@resource_rule(
    "docker-no-privileged",
    "No privileged container on a Docker host",
    severity=Severity.CRITICAL,
    frameworks=("CIS Docker 5.5",),
    rationale="A privileged container is root on the host.",
    remedy="Remove `privileged`.",
    right=False,
    bad={"kind": _CONTAINER, "privileged": True},
    good={"kind": _CONTAINER, "privileged": False},
)
def docker_no_privileged(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`privileged` is false or not set."""
    if _is_container(found):
        yield from must_not_be_true(found.view["privileged"], "must be false or not set")


@resource_rule(
    "docker-drop-caps",
    "Containers on a Docker host have no capabilities",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 5.4",),
    rationale="The engine gives fourteen of root's powers to every container that does not refuse them.",
    remedy="Set `capabilities` to drop ALL and add none.",
    right=_no_capabilities,
    bad={"kind": _CONTAINER, "capabilities.drops": ["NET_RAW"]},
    good={"kind": _CONTAINER, "capabilities.drops": ["ALL"]},
)
def docker_drop_caps(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`capabilities.drops` has ALL, and `capabilities.adds` is empty."""
    if not _is_container(found):
        return
    drops = found.view.at("capabilities", "drops")
    yield from required(drops, lambda value: isinstance(value, list) and "ALL" in value, "must contain ALL")
    yield from if_set(found.view.at("capabilities", "adds"), lambda value: value == [], "must be empty")


@resource_rule(
    "docker-no-new-privileges",
    "No process of a container on a Docker host gains rights",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 5.26",),
    rationale="A setuid program in the image would make root of any user.",
    remedy="Add `no-new-privileges:true` to `securityOpts`.",
    right=_with_no_new_privileges,
    bad={"kind": _CONTAINER, "securityOpts": []},
    good={"kind": _CONTAINER, "securityOpts": ["no-new-privileges"]},
)
def docker_no_new_privileges(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`securityOpts` has no-new-privileges."""
    if _is_container(found):
        wanted = {"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"}
        yield from required(
            found.view["securityOpts"],
            lambda value: isinstance(value, list) and not wanted.isdisjoint(map(as_text, value)),
            "must contain no-new-privileges:true",
        )


@resource_rule(
    "docker-no-unconfined",
    "The kernel's filters stay on for containers of a Docker host",
    severity=Severity.CRITICAL,
    frameworks=("CIS Docker 5.2, 5.22",),
    rationale="Without seccomp and AppArmor every hole of the kernel is in reach.",
    remedy="Remove `seccomp=unconfined`, `apparmor=unconfined`, `systempaths=unconfined` and `label=disable`.",
    right=REMOVED,
    bad={"kind": _CONTAINER, "securityOpts": ["no-new-privileges:true", "seccomp=unconfined"]},
    good={"kind": _CONTAINER, "securityOpts": ["no-new-privileges:true"]},
)
def docker_no_unconfined(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No entry of `securityOpts` turns a filter off."""
    if _is_container(found):
        for option in found.view["securityOpts"].items():
            yield from if_set(
                option, lambda value: not _UNCONFINED.search(as_text(value)), "must not turn a filter off"
            )


@resource_rule(
    "docker-limits",
    "Containers of a Docker host have limits of memory, processors and processes",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 5.11, 5.12, 5.29",),
    rationale="One container without limits stops all others of the host.",
    remedy="Set `memory`, `cpus` and an `ulimits` entry `nproc` (the provider has no input for a limit of the group).",
    bad={"kind": _CONTAINER, "memory": None},
    good={"kind": _CONTAINER, "memory": 64},
)
def docker_limits(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`memory` is above 0, `cpus` or `cpuQuota` is set, and `ulimits` names nproc."""
    if not _is_container(found):
        return
    yield from required(found.view["memory"], lambda value: is_number(value) and value != 0, "must be set, in MiB")
    cpus, quota = found.view["cpus"], found.view["cpuQuota"]
    if cpus.is_absent and quota.is_absent:
        yield missing(cpus, "must be set, for example 0.5")
    limits = found.view["ulimits"].items()
    if any(limit["name"].is_unknown for limit in limits):
        yield undecided(found.view["ulimits"], "must limit nproc")
    elif not any(limit["name"].value == "nproc" for limit in limits):
        yield missing(found.view["ulimits"], "must limit nproc")


@resource_rule(
    "docker-no-host-namespaces",
    "Containers of a Docker host share no namespace with it or with another container",
    severity=Severity.CRITICAL,
    frameworks=("CIS Docker 5.10, 5.16, 5.17, 5.31",),
    rationale="In the host's namespace a container sees its network, its processes or its shared memory.",
    remedy="Remove `host` and `container:` from networkMode, pidMode, ipcMode and usernsMode.",
    bad={"kind": _CONTAINER, "networkMode": "host"},
    good={"kind": _CONTAINER, "networkMode": "orders"},
)
def docker_no_host_namespaces(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """None of the four modes is the host's or another container's."""
    if _is_container(found):
        for name in ("networkMode", "pidMode", "ipcMode", "usernsMode"):
            yield from if_set(
                found.view[name],
                lambda value: (
                    as_text(value) not in ("host", "shareable") and not as_text(value).startswith("container:")
                ),
                "must not be `host`, shareable or another container's",
            )


@resource_rule(
    "docker-no-sensitive-mounts",
    "Containers of a Docker host see no directory of its own, no device and no socket of an engine",
    severity=Severity.CRITICAL,
    frameworks=("CIS Docker 5.6, 5.18, 5.20, 5.32",),
    rationale="The engine's socket, /etc or a disk in a container is the host in the hands of whoever breaks in.",
    remedy="Use a named volume; give configuration and secrets as files of the container.",
    bad={"kind": _CONTAINER, "volumes": [{"hostPath": "/var/run/docker.sock", "containerPath": "/engine.sock"}]},
    good={"kind": _CONTAINER, "volumes": [{"volumeName": "orders", "containerPath": "/data"}]},
)
def docker_no_sensitive_mounts(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No host path is sensitive, no bind propagates back, no device is given."""
    if not _is_container(found):
        return
    binds = [mount for mount in found.view["mounts"].items() if mount["type"].value in (None, "bind")]
    paths = [volume["hostPath"] for volume in found.view["volumes"].items()] + [mount["source"] for mount in binds]
    for path in paths:
        yield from if_set(
            path, lambda value: not _is_sensitive(as_text(value)), "must not be a directory of the host's own"
        )
    for mount in found.view["mounts"].items():
        propagation = mount.at("bindOptions", "propagation")
        yield from if_set(propagation, lambda value: "shared" not in as_text(value), "must not propagate to the host")
    yield from if_set(found.view["devices"], lambda value: value == [], "must not give a device")


def _is_sensitive(path: str) -> bool:
    bare = path.rstrip("/")
    below = any(bare == each or bare.startswith(f"{each}/") for each in _SENSITIVE)
    return bare in ("", "/var") or below or _SOCKET.search(bare) is not None


@resource_rule(
    "docker-ports-bound",
    "Ports of a Docker host are opened on a named address and above 1023",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 5.8, 5.14",),
    rationale="A port without address is open to every network of the host, past its firewall.",
    remedy="Set `ip` to one address, 127.0.0.1 where a proxy stands before it; remove `publishAllPorts`.",
    bad={"kind": _CONTAINER, "ports": [{"internal": 8080, "external": 8080, "ip": "0.0.0.0"}]},  # noqa: S104
    good={"kind": _CONTAINER, "ports": [{"internal": 8080, "external": 8080, "ip": "127.0.0.1"}]},
)
def docker_ports_bound(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every port has an address that is not all of them, and is not a privileged one of the host."""
    if not _is_container(found):
        return
    yield from must_not_be_true(found.view["publishAllPorts"], "must be false or not set")
    for port in found.view["ports"].items():
        yield from required(port["ip"], _is_one_address, "must be one address of the host")
        yield from if_set(port["external"], _is_free_port, "must be 1024 or higher")


def _is_one_address(value: object) -> bool:
    try:
        return not ipaddress.ip_address(as_text(value)).is_unspecified
    except ValueError:
        return False


def _is_free_port(value: object) -> bool:
    return is_number(value) and (value == 0 or float(as_text(value)) >= _FIRST_FREE_PORT)


@resource_rule(
    "docker-user-nonroot",
    "Containers of a Docker host run as a user other than root",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 4.1",),
    rationale="Root in a container is root for the kernel of the host.",
    remedy="Set `user` to a number other than 0, 10000 or higher.",
    bad={"kind": _CONTAINER, "user": "0:0"},
    good={"kind": _CONTAINER, "user": "10001:10001"},
)
def docker_user_nonroot(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`user` is set, and is neither root nor of root's group."""
    if _is_container(found):
        yield from required(found.view["user"], _is_other_user, "must be a user and group other than root's")


def _is_other_user(value: object) -> bool:
    parts = as_text(value).split(":")
    return parts[0] != "" and not any(part in ("root", "0") or re.fullmatch(r"0+", part) for part in parts)


@resource_rule(
    "docker-read-only-root",
    "The root of a container on a Docker host is read-only",
    severity=Severity.MEDIUM,
    frameworks=("CIS Docker 5.13",),
    rationale="What can write to its own programs can be changed for good.",
    remedy="Set `readOnly: true` and give scratch space as a mount of type tmpfs.",
    bad={"kind": _CONTAINER, "readOnly": False},
    good={"kind": _CONTAINER, "readOnly": False, "start": False},
)
def docker_read_only_root(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`readOnly` is true, unless the container is never started: then it is only a holder of files."""
    if _is_container(found) and found.view["start"].value is not False:
        yield from required(found.view["readOnly"], lambda value: value is True, "must be true")


@resource_rule(
    "docker-image-digest",
    "Containers of a Docker host run an image by digest",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 5.28",),
    rationale="A tag is what somebody pushed last; a digest is what was tested.",
    remedy="Use `name@sha256:<digest>`, for example the output `reference` of HardenedImage.",
    bad={"kind": _CONTAINER, "image": "registry.example/orders:1"},
    good={"kind": _CONTAINER, "image": f"registry.example/orders@sha256:{'0' * 64}"},
)
def docker_image_digest(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`image` ends in a digest."""
    if _is_container(found):
        yield from required(
            found.view["image"], lambda value: bool(_DIGEST.match(as_text(value))), "must have a digest"
        )


@resource_rule(
    "docker-no-secret-env",
    "No credential in the environment of a container on a Docker host",
    severity=Severity.HIGH,
    frameworks=("CIS Docker 4.10",),
    rationale="Everybody who may inspect a container reads its environment, and so do its crash reports.",
    remedy="Give the value as a file, and its path as <NAME>_FILE.",
    bad={"kind": _CONTAINER, "envs": ["DATABASE_PASSWORD=x"]},
    good={"kind": _CONTAINER, "envs": ["DATABASE_PASSWORD_FILE=/run/secrets/password"]},
)
def docker_no_secret_env(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No variable has a name of a credential."""
    if _is_container(found):
        for variable in found.view["envs"].items():
            yield from if_set(
                variable, lambda value: not _CREDENTIAL.match(as_text(value)), "must not be a credential, by its name"
            )


@resource_rule(
    "docker-healthcheck",
    "Containers of a Docker host say whether they work",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("CIS Docker 5.27",),
    rationale="Without a check a container that hangs counts as healthy.",
    remedy="Set `healthcheck.tests`.",
    bad={"kind": _CONTAINER, "healthcheck": None},
    good={"kind": _CONTAINER, "healthcheck": {"tests": ["CMD", "/healthy"]}},
)
def docker_healthcheck(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`healthcheck.tests` is a command, unless the container is never started."""
    if _is_container(found) and found.view["start"].value is not False:
        yield from required(
            found.view.at("healthcheck", "tests"),
            lambda value: isinstance(value, list) and len(value) > 1 and value[0] != "NONE",
            "should be a command",
        )


@resource_rule(
    "docker-restart-limit",
    "Containers of a Docker host are not started again without end",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("CIS Docker 5.15",),
    rationale="A program that dies at every start fills logs and memory; after five times somebody should look.",
    remedy="Set `restart` to `on-failure`, and `maxRetryCount` to 5 or less.",
    bad={"kind": _CONTAINER, "restart": "always"},
    good={"kind": _CONTAINER, "restart": "on-failure", "maxRetryCount": 5},
)
def docker_restart_limit(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`restart` is no, or on-failure with at most five tries."""
    if not _is_container(found):
        return
    restart, tries = found.view["restart"], found.view["maxRetryCount"]
    yield from if_set(restart, lambda value: value in ("no", "", "on-failure"), "should be on-failure or no")
    if restart.value == "on-failure":
        within = required(
            tries, lambda value: at_most(_MOST_RESTARTS)(value) and at_least(1)(value), "should be 1 to 5"
        )
        yield from within


@resource_rule(
    "docker-own-network",
    "Containers of a Docker host stay out of the default network",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("CIS Docker 5.30",),
    rationale="In the default network every container reaches every other one.",
    remedy="Make a network for the service and name it in `networkMode`.",
    bad={"kind": _CONTAINER, "networkMode": "bridge"},
    good={"kind": _CONTAINER, "networkMode": "none"},
)
def docker_own_network(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`networkMode` is a network other than the default one."""
    if _is_container(found):
        yield from required(
            found.view["networkMode"],
            lambda value: value not in ("", "default", "bridge"),
            "should be a network of its own",
        )


@resource_rule(
    "docker-daemon-tls",
    "A Docker engine behind the network is spoken to with certificates",
    severity=Severity.CRITICAL,
    frameworks=("CIS Docker 2.7",),
    rationale="Whoever reaches an engine without certificates is root on its host.",
    remedy="Set `certPath`, or reach the engine through its socket or ssh.",
    bad={"kind": _PROVIDER, "certPath": None},
    good={"kind": _PROVIDER, "host": "unix:///var/run/docker.sock", "certPath": None},
)
def docker_daemon_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """A host that is an address comes with certificates."""
    if found.kind != _PROVIDER:
        return
    host, given = found.view["host"], [found.view["certPath"], found.view["caMaterial"]]
    message = "must be a socket, or come with certificates"
    if any(not each.is_absent and not each.is_unknown for each in given):
        return
    if any(each.is_unknown for each in given):
        yield undecided(host, message)
        return
    yield from if_set(host, lambda value: not as_text(value).startswith(("tcp://", "http://", "https://")), message)
