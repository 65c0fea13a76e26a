"""The objects around and including the container, pure."""

from typing import Any

import pulumi

from omnibase_infra.container.args import (
    DEFAULT_CPU_MILLIS,
    DEFAULT_PROCESSES,
    DEFAULT_SCRATCH_MIB,
    DEFAULT_START_SECONDS,
    DEFAULT_STOP_SECONDS,
    DEFAULT_UID,
    SECRETS_PATH,
    HardenedContainerArgs,
)
from omnibase_infra.docker_objects import label_list
from omnibase_infra.naming import dns_label, labels

Inputs = dict[str, Any]

_MIB = 1024 * 1024
_HEALTH_SECONDS = 5
_HEALTH_TIMEOUT_SECONDS = 4
_HEALTH_RETRIES = 3
_LOG_FILE = "10m"
_LOG_FILES = "3"
_SCRATCH_MODE = 0o1777
_OPEN_FILES = 4096
_CARRIER_COMMAND = ["never-started"]


def full_name(name: str, args: HardenedContainerArgs) -> str:
    """Name of the container, of its network and the beginning of all other names on the host."""
    return dns_label(args["environment"], name)


def network(name: str, args: HardenedContainerArgs) -> Inputs:
    """A network of its own, which others may join, without a way out.

    Engines that make no firewall rules, and old ones that only rely on them, give even internal networks a gateway: the
    host's own address, through which its ports and other networks are reached. Here the host has no address.
    """
    return {
        "name": full_name(name, args),
        "driver": "bridge",
        "internal": True,
        "options": {"com.docker.network.bridge.inhibit_ipv4": "true"},
        "labels": label_list(labels(name, "network", args["environment"])),
    }


def edge_network(name: str, args: HardenedContainerArgs) -> Inputs:
    """The network behind a port of the host: the engine opens none for internal ones. Nobody else is in it.

    Its packets keep their own sender's address, which nobody outside the host can answer: connections come in by the
    port, and none go out.
    """
    return {
        "name": f"{full_name(name, args)}-edge",
        "driver": "bridge",
        "options": {"com.docker.network.bridge.enable_ip_masquerade": "false"},
        "labels": label_list(labels(name, "network", args["environment"])),
    }


def volume(name: str, args: HardenedContainerArgs) -> Inputs:
    """What outlives the container."""
    return {
        "name": f"{full_name(name, args)}-data",
        "labels": label_list(labels(name, "data", args["environment"])),
    }


def carrier(name: str, args: HardenedContainerArgs, image: pulumi.Input[str]) -> Inputs:
    """A container that is never started: its nameless volume holds the secrets.

    The engine refuses to put files into a container with a read-only root, so they are put into this one, and the real
    container mounts its volume read-only. Both vanish together, and the volume with them.
    """
    uploads = [
        {"file": f"{SECRETS_PATH}/{key}", "content": pulumi.Output.secret(content), "permissions": "0444"}
        for key, content in sorted(args.get("secrets", {}).items())
    ]
    return {
        **_locked_down(name, args, image),
        "name": f"{full_name(name, args)}-secrets",
        "labels": label_list(labels(name, "secrets", args["environment"])),
        "command": _CARRIER_COMMAND,
        "networkMode": "none",
        "start": False,
        "mustRun": False,
        "restart": "no",
        "readOnly": False,
        "volumes": [{"containerPath": SECRETS_PATH}],
        "uploads": uploads,
    }


def container(
    name: str,
    args: HardenedContainerArgs,
    image: pulumi.Input[str],
    *,
    own_network: pulumi.Input[str],
    edge: pulumi.Input[str] | None,
    carrier_id: pulumi.Input[str] | None,
) -> Inputs:
    """The container itself.

    Args:
        own_network: name of its network.
        edge: name of the network behind its port of the host, None without one.
        carrier_id: id of the container that holds the secrets, None without secrets. It changes with them, and as a
            label replaces this container then.
    """
    marks: dict[str, pulumi.Input[str]] = {**labels(name, "service", args["environment"])}
    volumes: list[Inputs] = []
    if carrier_id is not None:
        marks["omnibase.io/secrets"] = carrier_id
        volumes.append({"fromContainer": f"{full_name(name, args)}-secrets:ro"})
    if "data_path" in args:
        volumes.append({"volumeName": f"{full_name(name, args)}-data", "containerPath": args["data_path"]})
    found: Inputs = {
        **_locked_down(name, args, image),
        "name": full_name(name, args),
        "labels": label_list(marks),
        "hostname": full_name(name, args),
        "networkMode": own_network,
        "readOnly": not args.get("writable_root", False),
        "restart": "unless-stopped",  # `on-failure` would leave it down after a restart of the host
        "mustRun": True,
        "wait": True,
        "waitTimeout": int(args.get("start_seconds", DEFAULT_START_SECONDS)),
        "healthcheck": _healthcheck(args),
        "stopTimeout": _stop_seconds(args),
        "destroyGraceSeconds": _stop_seconds(args),
        "mounts": [_scratch(path, size) for path, size in sorted(args.get("scratch_mib", DEFAULT_SCRATCH_MIB).items())],
        "envs": [pulumi.Output.concat(key, "=", value) for key, value in sorted(args.get("env", {}).items())],
    }
    if "command" in args:
        found["command"] = args["command"]
    if volumes:
        found["volumes"] = volumes
    joined = [*args.get("joins", []), *([] if edge is None else [edge])]
    if joined:
        found["networksAdvanced"] = [{"name": each} for each in joined]
    if edge is not None:
        found["ports"] = [_port(args)]
    return found


def _locked_down(name: str, args: HardenedContainerArgs, image: pulumi.Input[str]) -> Inputs:
    """What holds for every container that is made here, started or not."""
    uid, processes = int(args.get("uid", DEFAULT_UID)), int(args.get("processes", DEFAULT_PROCESSES))
    return {
        "image": image,
        "user": f"{uid}:{uid}",
        "capabilities": {"drops": ["ALL"]},
        "securityOpts": ["no-new-privileges:true"],  # seccomp stays the engine's default profile
        "privileged": False,
        "ipcMode": "private",
        "memory": int(args["memory_mib"]),
        "memorySwap": int(args["memory_mib"]),  # equal to memory: no swap; unset, the engine would allow as much again
        "cpus": _decimal(int(args.get("cpu_millis", DEFAULT_CPU_MILLIS))),
        "ulimits": [
            {"name": "nproc", "soft": processes, "hard": processes},
            {"name": "nofile", "soft": _OPEN_FILES, "hard": _OPEN_FILES},
        ],
        "logDriver": "json-file",
        "logOpts": {"max-size": _LOG_FILE, "max-file": _LOG_FILES},
    }


def _decimal(millis: int) -> str:
    """Thousandths as the engine writes them back: `0.5`, `1`, `1.25`."""
    return f"{millis / 1000:.3f}".rstrip("0").rstrip(".")


def _stop_seconds(args: HardenedContainerArgs) -> int:
    return int(args.get("stop_seconds", DEFAULT_STOP_SECONDS))


def _healthcheck(args: HardenedContainerArgs) -> Inputs:
    return {
        "tests": ["CMD", *args["health_command"]],
        "interval": _duration(_HEALTH_SECONDS),
        "timeout": _duration(_HEALTH_TIMEOUT_SECONDS),
        "startPeriod": _duration(int(args.get("start_seconds", DEFAULT_START_SECONDS))),
        "retries": _HEALTH_RETRIES,
    }


def _duration(seconds: int) -> str:
    """Seconds as Go writes them, `1m30s`: any other spelling would be a change in every run."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"


def _scratch(path: str, size_mib: int) -> Inputs:
    """A directory in memory; the engine adds noexec, nosuid and nodev."""
    return {
        "target": path,
        "type": "tmpfs",
        "readOnly": False,
        "tmpfsOptions": {"sizeBytes": size_mib * _MIB, "mode": _SCRATCH_MODE},
    }


def _port(args: HardenedContainerArgs) -> Inputs:
    publish = args["publish"]
    return {
        "internal": int(args["port"]),
        "external": int(publish["host_port"]),
        "ip": publish.get("address", "127.0.0.1"),
        "protocol": "tcp",
    }
