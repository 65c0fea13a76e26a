"""From resources to boxes and arrows: rooms for namespaces, boxes for components, arrows for flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from ops.graph.boxes import FLOW, Arrow, Box, Scene
from ops.graph.docker import docker_boxes
from ops.graph.flows import End, Flow, flows_of, told
from ops.graph.parts import Part
from ops.graph.pods import PodGroup, pod_groups, proxy_groups
from ops.graph.postgresql import postgresql_boxes
from ops.graph.resources import Resource
from ops.graph.words import bounds_of, counted, long, name_of, short

_OURS = "omnibase-infra:"
_PLATFORM = ":Platform"


def build_scene(stack: str, resources: Sequence[Resource], part: Part | None = None) -> Scene:
    """Arrange a stack's resources.

    A component is one box. Somebody outside that many talk to (the API server, for example) and who reads metrics stand
    in the boxes as words, because so many arrows to one place hide all others.

    Args:
        part: draw its components with each workload in a box of its own, and else only who talks with them.
    """
    resources = sorted(resources, key=lambda resource: resource.key)  # the engine's order changes from run to run
    groups = [*pod_groups(resources), *proxy_groups(resources)]
    groups.sort(key=lambda item: item.resource.input("spec", "type") == "ro")  # what writes stands above what reads
    sketch = _Sketch(resources=resources, groups=groups, part=part)
    sketch.connect(flows_of(resources, groups))
    rooms = sketch.rooms()
    docker, joins = docker_boxes(resources)
    databases, logins = postgresql_boxes(resources)
    title = f"stack {stack}: {part.name}" if part else f"stack {stack}"
    return Scene(
        title=title,
        boxes=(*sketch.outside.values(), *rooms, *docker, *databases),
        arrows=(*sketch.arrows(), *joins, *logins),
        remarks=tuple(sketch.remarks),
    )


@dataclass(kw_only=True)
class _Sketch:
    """A picture of the pods of an environment, in the making."""

    resources: Sequence[Resource]
    groups: Sequence[PodGroup]
    part: Part | None
    outside: dict[str, Box] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    drawn: dict[tuple[str, str, str], set[int]] = field(default_factory=dict)
    """Ports of each arrow: source, target, kind."""
    told: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    """For each box the words, and ports, of connections that are not drawn."""

    def __post_init__(self) -> None:
        by_key = {resource.key: resource for resource in self.resources}
        self.owners = {found.key: _component(found, by_key) for found in self.resources}
        self.boxes = {group.resource.key: self._box_of(group) for group in self.groups}

    def _box_of(self, group: PodGroup) -> str:
        """The box that a workload is drawn in: its own in the part that is drawn, else its component's."""
        owner = self.owners[group.resource.key]
        if owner is None or self._is_open(owner):
            return group.resource.key
        return f"{group.namespace}:{owner.key}"

    def _is_open(self, owner: Resource) -> bool:
        """Whether a component is a frame around the boxes of its workloads."""
        return self.part is not None and self.part.has(owner)

    # -- connections ---------------------------------------------------------------------------------------------------

    def connect(self, flows: Sequence[Flow]) -> None:
        """Draw flows or tell them."""
        many = told(flows)
        for flow in flows:
            for source in self._ends(flow.source):
                for target in self._ends(flow.target):
                    self._connect(flow, source, target, many)

    def _ends(self, end: End) -> list[str]:
        return list(dict.fromkeys(self.boxes[key] for key in end.groups)) or [end.outside]

    def _connect(self, flow: Flow, source: str, target: str, many: set[str]) -> None:
        if flow.kind != FLOW and (source == target or not (self.part and self.part.reads_metrics)):
            self._tell(target, "metrics", flow.ports)
        elif source == target:
            if source in self.boxes:  # between the workloads of one box nothing is seen from outside
                self._tell(source, "among themselves", flow.ports)
        elif flow.target.name in many and not flow.target.groups:
            self._tell(source, f"to {flow.target.name}", flow.ports if self.part else ())
        elif flow.source.name in many and not flow.source.groups:
            self._tell(target, f"{flow.source.name} to", flow.ports)
        elif self.part is None or {source, target} & self._of_part():
            self.drawn.setdefault((source, target, flow.kind), set()).update(flow.ports)
            for end in (flow.source, flow.target):
                if not end.groups:
                    lines = [end.namespace] if end.namespace else list(end.cidrs)
                    self.outside[end.outside] = Box(id=end.outside, title=end.name, lines=lines, style="outside")

    def _of_part(self) -> set[str]:
        owners = {key: self.owners[key] for key in self.boxes}
        return {key for key, owner in owners.items() if owner is not None and self._is_open(owner)}

    def _tell(self, box: str, words: str, ports: Iterable[int]) -> None:
        self.told.setdefault(box, {}).setdefault(words, set()).update(ports)

    def arrows(self) -> list[Arrow]:
        """The drawn flows."""
        return [
            Arrow(source=source, target=target, ports=tuple(sorted(ports)), kind=kind)
            for (source, target, kind), ports in self.drawn.items()
        ]

    # -- boxes ---------------------------------------------------------------------------------------------------------

    def rooms(self) -> list[Box]:
        """Namespaces with the boxes of their components; without those that a part's picture does not need."""
        wanted = {end for pair in self.drawn for end in pair[:2]} | self._of_part()
        rooms: dict[str, Box] = {}
        frames: dict[str, Box] = {}
        for group in self.groups:
            key, owner = self.boxes[group.resource.key], self.owners[group.resource.key]
            if self.part is not None and key not in wanted:
                continue
            room = rooms.setdefault(group.namespace, _room(group.namespace))
            if owner is None or not self._is_open(owner):
                if key not in frames:
                    frames[key] = self._component_box(key, owner, group)
                    room.children.append(frames[key])
                continue
            place = f"{group.namespace}:{owner.key}"
            if place not in frames:
                frames[place] = self._frame(place, owner)
                room.children.append(frames[place])
            frames[place].children.append(self._workload_box(group))
        for room in rooms.values():
            room.children = [_collapsed(child) for child in room.children]
        self._bind(rooms)
        return list(rooms.values())

    def _component_box(self, key: str, owner: Resource | None, first: PodGroup) -> Box:
        """A component as one box, with a line for each of its workloads."""
        groups = [group for group in self.groups if self.boxes[group.resource.key] == key]
        lines = list(dict.fromkeys(short(group, alone=len(groups) == 1) for group in groups))
        if owner is None:
            return Box(id=key, title=name_of(first), lines=lines, notes=self._notes(key))
        kind = owner.type.rpartition(":")[2]
        return Box(id=key, title=owner.name, subtitle=kind, lines=lines, notes=self._notes(key))

    def _frame(self, place: str, owner: Resource) -> Box:
        words = counted(found for found in self.resources if self.owners[found.key] == owner)
        lines = [", ".join(words[:3]), ", ".join(words[3:])]
        subtitle = owner.type.rpartition(":")[2]
        return Box(
            id=place, title=owner.name, subtitle=subtitle, lines=[each for each in lines if each], style="component"
        )

    def _workload_box(self, group: PodGroup) -> Box:
        key = group.resource.key
        return Box(id=key, title=name_of(group), lines=long(group, self.resources), notes=self._notes(key))

    def _notes(self, box: str) -> list[str]:
        found = self.told.get(box, {})
        if self.part is not None and box not in self._of_part():
            return []
        return [
            " ".join([words, ", ".join(str(port) for port in sorted(ports))]).strip() for words, ports in found.items()
        ]

    def _bind(self, rooms: Mapping[str, Box]) -> None:
        """What holds for most rooms is said once below the picture, and in a room only what is other there."""
        bounds = {name: bounds_of(name, self.resources) for name in rooms}
        common = [
            word for word, count in Counter(chain.from_iterable(bounds.values())).items() if count > len(rooms) / 2
        ]
        if common:
            self.remarks.append(f"Every namespace, where it says no other: {', '.join(common)}; DNS is allowed.")
        for name, words in bounds.items():
            other = [word for word in words if word not in common]
            rooms[name].subtitle = ", ".join(other or (["outside of this stack"] if not words else []))


def _room(namespace: str) -> Box:
    return Box(id=f"namespace:{namespace}", title=namespace, style="namespace")


def _component(resource: Resource, by_key: Mapping[str, Resource]) -> Resource | None:
    """The component of ours that a reader of the stack's program knows: the outermost one below the platform."""
    found, parent = None, by_key.get(resource.parent)
    while parent is not None and not parent.type.endswith(_PLATFORM):
        found = parent if parent.type.startswith(_OURS) else found
        parent = by_key.get(parent.parent)
    return found


def _collapsed(frame: Box) -> Box:
    """A frame around a single box says nothing more than the box: one is drawn, with the words of both."""
    if len(frame.children) != 1 or frame.style != "component":
        return frame
    (only,) = frame.children
    only.lines += frame.lines
    only.title, only.subtitle = frame.title, frame.subtitle
    return only
