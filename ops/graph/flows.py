"""Who may connect to whom: the parties of flows as workloads, or as somebody outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.graph.boxes import FLOW, SCRAPE
from ops.graph.pods import PodGroup
from ops.graph.resources import Resource

_FLOW_TYPE = ":NetworkFlow"
_SCRAPE_MARK = "-scrape-"
"""In the name of a flow that reads metrics."""
_MANY = 4
"""Somebody outside with more neighbours is told in their boxes: so many arrows to one place hide all others."""


@dataclass(frozen=True, kw_only=True)
class End:
    """One party of a flow."""

    name: str
    groups: tuple[str, ...] = ()
    """Keys of the workloads that it selects; none for somebody outside."""
    cidrs: tuple[str, ...] = ()
    namespace: str = ""

    @property
    def outside(self) -> str:
        """Id of its box if it is outside."""
        return f"outside:{self.name}"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """An allowed connection between two parties."""

    source: End
    target: End
    ports: tuple[int, ...]
    kind: str


def flows_of(resources: Sequence[Resource], groups: Sequence[PodGroup]) -> list[Flow]:
    """All flows of a stack in the order of the graph."""
    return [
        Flow(
            source=_end(found, "source", groups),
            target=_end(found, "destination", groups),
            ports=tuple(sorted(int(port) for port in found.inputs.get("ports") or [])),
            kind=SCRAPE if _SCRAPE_MARK in found.name else FLOW,
        )
        for found in resources
        if found.type.endswith(_FLOW_TYPE)
    ]


def told(flows: Sequence[Flow]) -> set[str]:
    """Names of those outside with too many neighbours to be drawn."""
    neighbours: dict[str, set[str]] = {}
    for flow in flows:
        if not flow.target.groups:
            neighbours.setdefault(flow.target.name, set()).update(flow.source.groups)
        if not flow.source.groups:
            neighbours.setdefault(flow.source.name, set()).update(flow.target.groups)
    return {name for name, found in neighbours.items() if len(found) > _MANY}


def _end(flow: Resource, role: str, groups: Sequence[PodGroup]) -> End:
    party: Mapping[str, Any] = flow.inputs.get(role) or {}
    name, namespace = str(party.get("name") or role), str(party.get("namespace") or "")
    wanted, present = dict(party.get("labels") or {}), list(party.get("labels_present") or [])
    selected = (each for each in groups if each.namespace == namespace and each.has(wanted, present))
    return End(
        name=name,
        groups=tuple(each.resource.key for each in selected) if namespace else (),
        cidrs=tuple(party.get("cidrs") or ()),
        namespace=namespace,
    )
