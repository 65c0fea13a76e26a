"""A Docker engine in memory: the methods of the docker library's client that the plugin calls, and its errors."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

from docker import errors
from requests import Response

PUSHED = f"sha256:{'b' * 64}"


class FakeEngine:
    """Keeps containers, networks and volumes; a started container is healthy at once unless told otherwise."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.networks: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.images = {"registry.test/web@sha256:1"}
        self.files: dict[str, bytes] = {}
        self.connected: list[tuple[str, str]] = []
        self.health = "healthy"
        self.calls: list[str] = []
        self.build_lines: list[dict[str, Any]] = [{"stream": "Step 1"}, {"aux": {"ID": "sha256:image"}}]

    # -- images ----------------------------------------------------------------------------------------------------

    def inspect_image(self, image: str) -> dict[str, Any]:
        if image not in self.images:
            raise absent(f"No such image: {image}")
        return {"Id": "sha256:image"}

    def pull(self, image: str, **_: object) -> Iterator[dict[str, Any]]:
        self.calls.append(f"pull {image}")
        if "absent" in image:
            yield {"error": "manifest unknown"}
        self.images.add(image)
        yield {"status": "Pulled"}

    def build(self, *, fileobj: io.BytesIO, tag: str, **rest: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
        with tarfile.open(fileobj=fileobj) as archive:
            names = sorted(member.name for member in archive.getmembers() if member.isfile())
        self.calls.append(f"build {tag} of {' '.join(names)} with {rest['dockerfile']} {rest['buildargs']}")
        yield from self.build_lines

    def push(self, name: str, **rest: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
        self.calls.append(f"push {name} {rest['auth_config']}")
        yield {"status": "Pushed"}
        yield {"aux": {"Digest": PUSHED}}

    # -- containers ------------------------------------------------------------------------------------------------

    def create_container_from_config(self, config: dict[str, Any], name: str) -> dict[str, Any]:
        if any(found["Name"] == f"/{name}" for found in self.containers.values()):
            raise refused(f'Conflict. The container name "/{name}" is already in use')
        identity = f"{len(self.containers) + 1:064d}"
        host = config["HostConfig"]
        self.containers[identity] = {
            "Id": identity,
            "Name": f"/{name}",
            "Image": "sha256:image",
            "Platform": "linux",
            "Config": {"Hostname": identity[:12], **config},
            "HostConfig": {"MemorySwap": 2 * host.get("Memory", 0), "ShmSize": 64 << 20, "IpcMode": "private", **host},
            "State": {"Running": False, "ExitCode": 0},
            "NetworkSettings": {"Networks": {host["NetworkMode"]: {"IPAddress": "10.0.0.2"}}, "Ports": {}},
        }
        return {"Id": identity}

    def inspect_container(self, identity: str) -> dict[str, Any]:
        if identity not in self.containers:
            raise absent(f"No such container: {identity}")
        return self.containers[identity]

    def start(self, identity: str) -> None:
        found = self.inspect_container(identity)
        if found["State"]["Running"]:
            return
        found["State"] = {"Running": True, "ExitCode": 0}
        if found["Config"].get("Healthcheck"):
            log = [{"Output": "not yet\n"}]
            found["State"]["Health"] = {"Status": self.health, "Log": log}
        bindings = found["HostConfig"].get("PortBindings") or {}
        found["NetworkSettings"]["Ports"] = bindings

    def stop(self, identity: str, timeout: int) -> None:
        self.calls.append(f"stop within {timeout}")
        self.inspect_container(identity)["State"] = {"Running": False, "ExitCode": 143}

    def remove_container(self, identity: str, *, v: bool, force: bool) -> None:
        self.calls.append(f"remove volumes={v} force={force}")
        del self.containers[identity]

    def update_container(self, identity: str, **given: Any) -> None:  # noqa: ANN401
        self.calls.append(f"update {sorted(given)}")
        host = self.inspect_container(identity)["HostConfig"]
        names = {"mem_limit": "Memory", "memswap_limit": "MemorySwap", "restart_policy": "RestartPolicy"}
        host.update({names[key]: value for key, value in given.items() if key in names})

    def put_archive(self, identity: str, path: str, data: bytes) -> bool:
        assert path == "/", identity
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive.getmembers():
                content = archive.extractfile(member)
                assert content is not None
                self.files[f"/{member.name} {member.mode:o}"] = content.read()
        return True

    def logs(self, identity: str, tail: int) -> bytes:
        return f"last {tail} lines of {identity[-1]}".encode()

    def connect_container_to_network(self, identity: str, network: str, **_: object) -> None:
        self.connected.append((identity[-1], network))

    def disconnect_container_from_network(self, identity: str, network: str) -> None:
        raise refused(f"container {identity} is not connected to the network {network}")

    # -- networks and volumes --------------------------------------------------------------------------------------

    def create_network(self, name: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401
        identity = f"net-{name}"
        self.networks[identity] = {
            "Id": identity,
            "Name": name,
            "Driver": given["driver"] or "bridge",
            "Internal": given["internal"],
            "Labels": given["labels"] or {},
            "Options": given["options"] or {},
            "Scope": "local",
            "IPAM": {"Driver": "default", "Config": given["ipam"]["Config"] or [{"Subnet": "10.0.0.0/26"}]},
        }
        return {"Id": identity}

    def inspect_network(self, identity: str) -> dict[str, Any]:
        if identity not in self.networks:
            raise absent(f"network {identity} not found")
        return self.networks[identity]

    def remove_network(self, identity: str) -> None:
        found = self.inspect_network(identity)
        if found.get("busy"):
            found["busy"] -= 1
            raise refused(f"error while removing network: network {identity} has active endpoints")
        del self.networks[identity]

    def create_volume(self, *, name: str, driver: str | None, driver_opts: object, labels: object) -> dict[str, Any]:
        found = {
            "Name": name,
            "Driver": driver or "local",
            "Options": driver_opts,
            "Labels": labels,
            "Mountpoint": "/v",
        }
        return self.volumes.setdefault(name, found)

    def inspect_volume(self, name: str) -> dict[str, Any]:
        if name not in self.volumes:
            raise absent(f"get {name}: no such volume")
        return self.volumes[name]

    def remove_volume(self, name: str, *, force: bool) -> None:
        self.calls.append(f"remove volume {name} {force}")
        self.volumes.pop(name, None)


def absent(message: str) -> errors.NotFound:
    """The engine's 404."""
    return errors.NotFound(message, response=_response(404), explanation=message)


def refused(message: str) -> errors.APIError:
    """The engine's 409 or 403."""
    return errors.APIError(message, response=_response(409), explanation=message)


def _response(status: int) -> Response:
    return Mock(spec=Response, status_code=status)
