"""Documents for services, with the addresses of what is deployed: files of the service's own immutable settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from omnibase_infra.config import StackConfig
from omnibase_infra.config.addresses import Reached
from omnibase_infra.config.mcp import mcp_document
from omnibase_infra.config.responders import responder_document
from omnibase_infra.config.security import security_document
from omnibase_infra.platform.room import Room
from omnibase_infra.workload import SETTINGS_DIRECTORY, Call, HardenedWorkloadArgs

SETTINGS = "settings"
_SCHEMA = "omnibase.settings/1"
_WRITERS: dict[str, Callable[[StackConfig, Mapping[str, str]], dict[str, Any]]] = {
    "mcp": mcp_document,
    "responders": responder_document,
    "security": lambda config, _: security_document(config),
}
"""Name of a document -> what is in it, from settings and the host names of what is deployed."""


def give_documents(room: Room, args: HardenedWorkloadArgs, name: str, prefix: str) -> None:
    """Give a workload its settings and the documents that it asks for, with a variable `<PREFIX>_<NAME>_FILE` for each.

    Everything is plain and known before the first resource: another content is another ConfigMap and so other pods.
    """
    wanted = {SETTINGS: _settings(room, name)}
    for document in room.services[name].documents:
        wanted[document] = _WRITERS[document](room.config, room.hosts)
    args["settings"] = {f"{key}.json": _text(content) for key, content in wanted.items()}
    args.setdefault("env", {}).update(
        {f"{prefix}_{key.upper()}_FILE": f"{SETTINGS_DIRECTORY}/{key}.json" for key in wanted}
    )
    calls = _calls(room, name)
    if calls:
        args.setdefault("calls", []).extend(calls)


def _calls(room: Room, name: str) -> list[Call]:
    """The arrows to whatever the documents name, but for what the service calls anyway."""
    inside: dict[str, set[int]] = {}
    outside: dict[int, set[str]] = {}
    for place in _reached(room, room.services[name].documents):
        if place.cidrs:
            outside.setdefault(place.port, set()).update(place.cidrs)
        elif place.service not in (name, *room.services[name].calls):
            inside.setdefault(place.service, set()).add(place.port)
    found: list[Call] = [{"party": room.service(key), "ports": sorted(ports)} for key, ports in sorted(inside.items())]
    for port, cidrs in sorted(outside.items()):
        found.append({"party": {"name": f"documents-{port}", "cidrs": sorted(cidrs)}, "ports": [port]})
    return found


def _reached(room: Room, documents: Collection[str]) -> list[Reached]:
    found = room.config.mcp.reached(room.services) if "mcp" in documents else []
    return [*found, *(room.config.responders.reached(room.services) if "responders" in documents else [])]


def _settings(room: Room, name: str) -> dict[str, Any]:
    """What the stack's settings tell the service, without any secret."""
    service = room.services[name]
    return {
        "schema": _SCHEMA,
        "environment": room.tier,
        "service": name,
        "log_level": service.log_level,
        "settings": dict(service.env),
        "addresses": room.addresses(service.calls),
    }


def _text(content: Mapping[str, Any]) -> str:
    """One text for one content, whatever the order in which it was declared; people read it with kubectl."""
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
