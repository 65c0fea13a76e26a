"""Containers of a Docker host in a picture: a frame for the host, a box for each, arrows for who joins whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ops.graph.boxes import Arrow, Box
from ops.graph.resources import Resource

_CONTAINER = "docker:index/container:Container"
_NETWORK = "docker:index/network:Network"
_HOST, _CALLERS = "docker-host", "docker-callers"
_EDGE = "-edge"


def docker_boxes(resources: Sequence[Resource]) -> tuple[list[Box], list[Arrow]]:
    """Boxes and arrows of a stack's containers; nothing for a stack without."""
    containers = [resource for resource in resources if resource.type == _CONTAINER]
    running = [resource for resource in containers if resource.input("start") is not False]
    if not running:
        return [], []
    networks = {str(resource.input("name")): resource for resource in resources if resource.type == _NETWORK}
    holders = {str(resource.input("name")): resource for resource in containers if resource not in running}
    owners = {str(resource.input("networkMode")): resource for resource in running}
    host = Box(id=_HOST, title="Docker host", style="machine")
    host.children = [_box(resource, networks, holders) for resource in running]
    arrows = [arrow for resource in running for arrow in _arrows(resource, owners)]
    published = [resource for resource in running if resource.input("ports")]
    if not published:
        return [host], arrows
    callers = Box(id=_CALLERS, title="callers on the host", style="outside")
    arrows += [Arrow(source=_CALLERS, target=resource.key, ports=_external(resource)) for resource in published]
    return [callers, host], arrows


def _box(resource: Resource, networks: Mapping[str, Resource], holders: Mapping[str, Resource]) -> Box:
    own = networks.get(str(resource.input("networkMode")))
    lines = [f"user {resource.input('user')}, {resource.input('memory')} MiB, {resource.input('cpus')} cores"]
    if own is not None:
        lines.append(f"network {own.input('name')}{', no way out' if own.input('internal') else ''}")
    lines += [f"port {port['ip']}:{port['external']} of the host" for port in resource.input("ports") or []]
    for volume in resource.input("volumes") or []:
        holder = holders.get(str(volume.get("fromContainer", "")).partition(":")[0])
        if holder is not None:
            names = sorted(str(upload["file"]).rpartition("/")[2] for upload in _uploads(holder))
            lines.append(f"secrets {', '.join(names)}")
        elif volume.get("volumeName"):
            lines.append(f"volume {volume['volumeName']}")
    title = str(resource.input("name") or resource.name)
    return Box(id=resource.key, title=title, subtitle="container, read-only root, no capabilities", lines=lines)


def _uploads(holder: Resource) -> list[Mapping[str, Any]]:
    found = holder.input("uploads")
    return found if isinstance(found, list) else []  # an export holds secrets as one hidden text


def _arrows(resource: Resource, owners: Mapping[str, Resource]) -> list[Arrow]:
    joined = [str(each.get("name")) for each in resource.input("networksAdvanced") or []]
    targets = [owners[name] for name in joined if name in owners and not name.endswith(_EDGE)]
    return [Arrow(source=resource.key, target=target.key, ports=_internal(target)) for target in targets]


def _internal(resource: Resource) -> tuple[int, ...]:
    return tuple(int(port["internal"]) for port in resource.input("ports") or [])


def _external(resource: Resource) -> tuple[int, ...]:
    return tuple(int(port["external"]) for port in resource.input("ports") or [])
