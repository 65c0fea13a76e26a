"""From a container's inputs to what the engine is asked for. Pure."""

from __future__ import annotations

import base64
import io
import re
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Json, Object

_MIB = 1024 * 1024
_NANO = 10**9
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": _NANO, "m": 60 * _NANO, "h": 3600 * _NANO}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNCONFINED_PATHS = "systempaths=unconfined"
_MODE, _EXECUTABLE_MODE = 0o644, 0o744


def body(inputs: Object) -> Object:
    """The request `POST /containers/create`, without what is empty."""
    config = {
        "Image": inputs["image"],
        "Cmd": inputs.get("command"),
        "Entrypoint": inputs.get("entrypoints"),
        "Env": inputs.get("envs"),
        "WorkingDir": inputs.get("workingDir"),
        "User": inputs.get("user"),
        "Hostname": inputs.get("hostname"),
        "Domainname": inputs.get("domainname"),
        "Tty": inputs.get("tty"),
        "OpenStdin": inputs.get("stdinOpen"),
        "StopSignal": inputs.get("stopSignal"),
        "StopTimeout": inputs.get("stopTimeout"),
        "Labels": labels(inputs.get("labels")),
        "ExposedPorts": {_port_key(port): {} for port in inputs.get("ports") or []},
        "Volumes": {volume["containerPath"]: {} for volume in _volumes(inputs) if volume.get("containerPath")},
        "Healthcheck": _healthcheck(inputs.get("healthcheck")),
        "HostConfig": {**_given(_host_config(inputs)), "Init": bool(inputs.get("init"))},
    }
    return _given(config)


def _host_config(inputs: Object) -> Object:
    capabilities = inputs.get("capabilities") or {}
    options = [option for option in inputs.get("securityOpts") or [] if option != _UNCONFINED_PATHS]
    unconfined = _UNCONFINED_PATHS in (inputs.get("securityOpts") or [])
    return {
        "Privileged": inputs.get("privileged"),
        "PublishAllPorts": inputs.get("publishAllPorts"),
        "RestartPolicy": restart_policy(inputs),
        "Runtime": inputs.get("runtime"),
        "AutoRemove": inputs.get("rm"),
        "ReadonlyRootfs": inputs.get("readOnly"),
        "LogConfig": {"Type": inputs.get("logDriver") or "", "Config": inputs.get("logOpts") or {}},
        "CapAdd": capabilities.get("adds"),
        "CapDrop": capabilities.get("drops"),
        "SecurityOpt": options,
        **({"MaskedPaths": [], "ReadonlyPaths": []} if unconfined else {}),
        "NetworkMode": inputs.get("networkMode"),
        "PidMode": inputs.get("pidMode"),
        "IpcMode": inputs.get("ipcMode"),
        "UsernsMode": inputs.get("usernsMode"),
        "CgroupnsMode": inputs.get("cgroupnsMode"),
        "CgroupParent": inputs.get("cgroupParent"),
        "Sysctls": inputs.get("sysctls"),
        "GroupAdd": inputs.get("groupAdds"),
        "Dns": inputs.get("dns"),
        "DnsOptions": inputs.get("dnsOpts"),
        "DnsSearch": inputs.get("dnsSearches"),
        "ExtraHosts": [f"{host['host']}:{host['ip']}" for host in inputs.get("hosts") or []],
        "Ulimits": [
            {"Name": limit["name"], "Soft": limit["soft"], "Hard": limit["hard"]}
            for limit in inputs.get("ulimits") or []
        ],
        "Memory": _mebibytes(inputs.get("memory")),
        "MemoryReservation": _mebibytes(inputs.get("memoryReservation")),
        "MemorySwap": _mebibytes(inputs.get("memorySwap")),
        "ShmSize": _mebibytes(inputs.get("shmSize")),
        "NanoCpus": round(float(inputs.get("cpus") or 0) * _NANO),
        "CpuShares": inputs.get("cpuShares"),
        "CpusetCpus": inputs.get("cpuSet"),
        "PortBindings": _port_bindings(inputs.get("ports") or []),
        "Binds": list(_binds(inputs)),
        "VolumesFrom": [volume["fromContainer"] for volume in _volumes(inputs) if volume.get("fromContainer")],
        "Mounts": [_mount(mount) for mount in inputs.get("mounts") or []],
        "Tmpfs": inputs.get("tmpfs"),
    }


def _given(values: Object) -> Object:
    """Without what the daemon should decide itself."""
    return {key: value for key, value in values.items() if value not in (None, "", 0, False, [], {})}


def restart_policy(inputs: Object) -> Object:
    """RestartPolicy of the API."""
    return {"Name": inputs.get("restart") or "no", "MaximumRetryCount": int(inputs.get("maxRetryCount") or 0)}


def labels(entries: Json) -> dict[str, str]:
    """A list of label and value as the API's mapping."""
    return {entry["label"]: str(entry["value"]) for entry in entries or []}


def endpoint(network: Object) -> Object:
    """How a container is connected to one of its networks, as the docker library's arguments."""
    return _given(
        {
            "aliases": network.get("aliases"),
            "ipv4_address": network.get("ipv4Address"),
            "ipv6_address": network.get("ipv6Address"),
            "link_local_ips": network.get("linkLocalIps"),
            "mac_address": network.get("macAddress"),
        }
    )


def nanoseconds(text: str) -> int:
    """A duration in the form of Go: `1m30s` is 90 s.

    Raises:
        ResourceError: not a duration.
    """
    parts = _DURATION_PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        if text in ("", "0"):
            return 0
        raise ResourceError(f"{text!r} is no duration; write it like 10s or 1m30s")
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts))


def upload_archive(uploads: Iterable[Object]) -> bytes:
    """A tar file of the uploads, as files of root.

    Raises:
        ResourceError: an upload with no content, or with two.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for upload in uploads:
            content = _content(upload)
            entry = tarfile.TarInfo(upload["file"].lstrip("/"))
            entry.size, entry.mtime = len(content), int(time.time())
            standard = _EXECUTABLE_MODE if upload.get("executable") else _MODE
            entry.mode = int(upload["permissions"], 8) if upload.get("permissions") else standard
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _content(upload: Object) -> bytes:
    given = [key for key in ("content", "contentBase64", "source") if upload.get(key)]
    if len(given) != 1:
        raise ResourceError(
            f"upload of {upload['file']!r}: exactly one of content, contentBase64 and source must be set"
        )
    if given == ["content"]:
        return str(upload["content"]).encode()
    if given == ["contentBase64"]:
        return base64.b64decode(upload["contentBase64"])
    try:
        return Path(upload["source"]).read_bytes()
    except OSError as error:
        raise ResourceError(f"upload of {upload['file']!r}: {error}") from error


def _mebibytes(value: Json) -> int | None:
    """-1 means unlimited and stays."""
    if value is None:
        return None
    return int(value) * _MIB if value > 0 else int(value)


def _healthcheck(given: Json) -> Object | None:
    if not given:
        return None
    return {
        "Test": given.get("tests") or [],
        "Interval": nanoseconds(given.get("interval") or "0s"),
        "Timeout": nanoseconds(given.get("timeout") or "0s"),
        "StartPeriod": nanoseconds(given.get("startPeriod") or "0s"),
        "Retries": int(given.get("retries") or 0),
    }


def _port_key(port: Object) -> str:
    return f"{int(port['internal'])}/{port.get('protocol') or 'tcp'}"


def _port_bindings(ports: list[Object]) -> Object:
    bindings: Object = {}
    for port in ports:
        external = str(int(port["external"])) if port.get("external") else ""
        bindings.setdefault(_port_key(port), []).append({"HostIp": port.get("ip") or "", "HostPort": external})
    return bindings


def _volumes(inputs: Object) -> list[Object]:
    """Volume entries, each with a place of its own or another container's places.

    Raises:
        ResourceError: an entry with both or neither.
    """
    entries: list[Object] = inputs.get("volumes") or []
    for entry in entries:
        if bool(entry.get("fromContainer")) == bool(entry.get("containerPath")):
            raise ResourceError("an entry of volumes needs either fromContainer or containerPath")
    return entries


def _binds(inputs: Object) -> Iterable[str]:
    for volume in _volumes(inputs):
        source = volume.get("hostPath") or volume.get("volumeName")
        if source:
            mode = "ro" if volume.get("readOnly") else "rw"
            relabel = f",{volume['selinuxRelabel']}" if volume.get("selinuxRelabel") else ""
            yield f"{source}:{volume['containerPath']}:{mode}{relabel}"


def _mount(mount: Object) -> Object:
    kind = mount["type"]
    made: Object = {
        "Type": kind,
        "Target": mount["target"],
        "Source": mount.get("source") or "",
        "ReadOnly": bool(mount.get("readOnly")),
    }
    if kind == "bind" and mount.get("bindOptions"):
        made["BindOptions"] = _given({"Propagation": mount["bindOptions"].get("propagation")})
    if kind == "tmpfs" and mount.get("tmpfsOptions"):
        options = mount["tmpfsOptions"]
        made["TmpfsOptions"] = _given({"SizeBytes": options.get("sizeBytes"), "Mode": options.get("mode")})
    if kind == "volume" and mount.get("volumeOptions"):
        options = mount["volumeOptions"]
        driver = _given({"Name": options.get("driverName"), "Options": options.get("driverOptions")})
        made["VolumeOptions"] = _given(
            {"NoCopy": options.get("noCopy"), "Labels": labels(options.get("labels")), "DriverConfig": driver}
        )
    return made
