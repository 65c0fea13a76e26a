"""From what the engine says about a container to the fields of its resource. Pure."""

from __future__ import annotations

from decimal import Decimal

from local.plugins.common.values import Json, Object

_MIB = 1024 * 1024
_NANO = 10**9
_MINUTE, _HOUR = 60 * _NANO, 3600 * _NANO
_SMALL_UNITS = (("ms", 10**6), ("µs", 10**3), ("ns", 1))
_TAKEN_OVER = (
    "attach", "cgroupParent", "cgroupnsMode", "containerReadRefreshTimeoutMilliseconds", "destroyGraceSeconds", "envs",
    "labels", "logs", "mustRun", "networksAdvanced", "removeVolumes", "start", "uploads", "volumes", "wait",
    "waitTimeout",
)  # fmt: skip
"""Inputs that cannot be read back, as the image adds to them or the engine does not keep them."""


def state(live: Object, inputs: Object) -> Object:
    """The resource's outputs.

    Args:
        live: the answer of `GET /containers/<id>/json`.
        inputs: what was recorded; decides what is taken over, and which optional fields are read back.
    """
    found = {key: inputs[key] for key in _TAKEN_OVER if key in inputs}
    found |= _process(live) | _host(live["HostConfig"]) | _limits(live["HostConfig"]) | _network(live, inputs)
    if str(inputs.get("image", "")).startswith("sha256:"):
        found["image"] = live["Image"]
    for key, value in _when_asked(live).items():
        if inputs.get(key):
            found[key] = value
    if not live["State"]["Running"]:
        found["exitCode"] = live["State"]["ExitCode"]
        if inputs.get("mustRun", True):
            found["mustRun"] = False  # so that the next update starts it
    return found


def _process(live: Object) -> Object:
    config = live["Config"]
    found = {
        "name": live["Name"].lstrip("/"),
        "image": config["Image"],
        "hostname": config.get("Hostname") or "",
        "domainname": config.get("Domainname") or "",
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "user": config.get("User") or "",
        "workingDir": config.get("WorkingDir") or "",
        "tty": bool(config.get("Tty")),
        "stdinOpen": bool(config.get("OpenStdin")),
        "stopSignal": config.get("StopSignal") or "",
        "platform": live.get("Platform") or "",
        "healthcheck": _healthcheck(config.get("Healthcheck")),
    }
    if config.get("StopTimeout") is not None:
        found["stopTimeout"] = config["StopTimeout"]
    return {key: value for key, value in found.items() if value is not None}


def _host(host: Object) -> Object:
    added, dropped = host.get("CapAdd") or [], host.get("CapDrop") or []
    policy = host.get("RestartPolicy") or {}
    return {
        **({"capabilities": {"adds": added, "drops": dropped}} if added or dropped else {}),
        "rm": bool(host.get("AutoRemove")),
        "readOnly": bool(host.get("ReadonlyRootfs")),
        "privileged": bool(host.get("Privileged")),
        "publishAllPorts": bool(host.get("PublishAllPorts")),
        "restart": policy.get("Name") or "no",
        "maxRetryCount": policy.get("MaximumRetryCount") or 0,
        "init": bool(host.get("Init")),
        "securityOpts": host.get("SecurityOpt") or [],
        "runtime": host.get("Runtime") or "",
        "ipcMode": host.get("IpcMode") or "",
        "usernsMode": host.get("UsernsMode") or "",
        "networkMode": host.get("NetworkMode") or "",
        "sysctls": host.get("Sysctls") or {},
        "groupAdds": host.get("GroupAdd") or [],
        "dns": host.get("Dns") or [],
        "dnsOpts": host.get("DnsOptions") or [],
        "dnsSearches": host.get("DnsSearch") or [],
        "hosts": [
            {"host": name, "ip": ip} for name, _, ip in (entry.partition(":") for entry in host.get("ExtraHosts") or [])
        ],
        "mounts": [_mount(mount) for mount in host.get("Mounts") or []],
        "tmpfs": host.get("Tmpfs") or {},
        "logDriver": (host.get("LogConfig") or {}).get("Type") or "",
    }


def _limits(host: Object) -> Object:
    nano = int(host.get("NanoCpus") or 0)
    return {
        "memory": int(host.get("Memory") or 0) // _MIB,
        "memoryReservation": int(host.get("MemoryReservation") or 0) // _MIB,
        "memorySwap": _swap(int(host.get("MemorySwap") or 0)),
        "shmSize": int(host.get("ShmSize") or 0) // _MIB,
        "cpuShares": int(host.get("CpuShares") or 0),
        "cpuSet": host.get("CpusetCpus") or "",
        **({"cpus": f"{(Decimal(nano) / _NANO).normalize():f}"} if nano else {}),
    }


def _swap(value: int) -> int:
    return value // _MIB if value > 0 else value


def _when_asked(live: Object) -> Object:
    """Fields that are read back only where the program says something: the daemon's defaults are no drift."""
    host = live["HostConfig"]
    return {
        "logOpts": (host.get("LogConfig") or {}).get("Config") or {},
        "pidMode": host.get("PidMode") or "",
        "ulimits": [
            {"name": limit["Name"], "soft": limit["Soft"], "hard": limit["Hard"]} for limit in host.get("Ulimits") or []
        ],
    }


def _network(live: Object, inputs: Object) -> Object:
    settings = live.get("NetworkSettings") or {}
    found: Object = {
        "bridge": settings.get("Bridge") or "",
        "networkDatas": [
            {
                "networkName": name,
                "ipAddress": data.get("IPAddress") or "",
                "ipPrefixLength": data.get("IPPrefixLen") or 0,
                "gateway": data.get("Gateway") or "",
                "globalIpv6Address": data.get("GlobalIPv6Address") or "",
                "globalIpv6PrefixLength": data.get("GlobalIPv6PrefixLen") or 0,
                "ipv6Gateway": data.get("IPv6Gateway") or "",
                "macAddress": data.get("MacAddress") or "",
            }
            for name, data in sorted((settings.get("Networks") or {}).items())
        ],
    }
    if inputs.get("ports"):
        # A container that does not run has no ports: that is no drift of theirs.
        found["ports"] = _ports(settings.get("Ports") or {}) if live["State"]["Running"] else inputs["ports"]
    return found


def _ports(bindings: Object) -> list[Object]:
    return [
        {
            "internal": int(key.partition("/")[0]),
            "external": int(binding["HostPort"]),
            "ip": binding["HostIp"],
            "protocol": key.partition("/")[2],
        }
        for key, bound in sorted(bindings.items())
        for binding in bound or []
    ]


def _healthcheck(check: Json) -> Object | None:
    if not check:
        return None
    return {
        "tests": check.get("Test") or [],
        "interval": duration(int(check.get("Interval") or 0)),
        "timeout": duration(int(check.get("Timeout") or 0)),
        "startPeriod": duration(int(check.get("StartPeriod") or 0)),
        "startInterval": duration(int(check.get("StartInterval") or 0)),
        "retries": int(check.get("Retries") or 0),
    }


def duration(nanoseconds: int) -> str:
    """A duration as Go writes it: 90 s is `1m30s`."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < _NANO:
        unit, size = next(entry for entry in _SMALL_UNITS if nanoseconds >= entry[1])
        return f"{(Decimal(nanoseconds) / size).normalize():f}{unit}"
    hours, rest = divmod(nanoseconds, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    seconds = f"{(Decimal(rest) / _NANO).normalize():f}s"
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + seconds


def _mount(mount: Object) -> Object:
    made: Object = {
        "target": mount["Target"],
        "source": mount.get("Source") or "",
        "type": mount["Type"],
        "readOnly": bool(mount.get("ReadOnly")),
    }
    if mount.get("BindOptions"):
        made["bindOptions"] = {"propagation": mount["BindOptions"].get("Propagation") or ""}
    if mount.get("TmpfsOptions"):
        options = mount["TmpfsOptions"]
        made["tmpfsOptions"] = {"sizeBytes": options.get("SizeBytes") or 0, "mode": options.get("Mode") or 0}
    if mount.get("VolumeOptions"):
        options = mount["VolumeOptions"]
        driver = options.get("DriverConfig") or {}
        made["volumeOptions"] = {
            "noCopy": bool(options.get("NoCopy")),
            "labels": [{"label": key, "value": value} for key, value in (options.get("Labels") or {}).items()],
            "driverName": driver.get("Name") or "",
            "driverOptions": driver.get("Options") or {},
        }
    return made
