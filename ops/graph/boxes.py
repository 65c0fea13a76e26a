"""What a picture is made of, before it has positions."""

from __future__ import annotations

from dataclasses import dataclass, field

FLOW, SCRAPE = "flow", "scrape"
"""Kinds of arrows: a connection that does the work, and one that only reads metrics."""


@dataclass(kw_only=True)
class Box:
    """Something to draw. With children it is a frame around them."""

    id: str
    title: str
    subtitle: str = ""
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Connections that are told instead of drawn; several stand in one line."""
    style: str = "pods"
    """pods, component, namespace, machine or outside."""
    children: list[Box] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """An allowed connection from one box to another."""

    source: str
    target: str
    ports: tuple[int, ...]
    kind: str = FLOW

    @property
    def tab(self) -> Tab:
        """Where it ends."""
        reader = self.source if self.kind == SCRAPE else ""
        return Tab(box=self.target, ports=self.ports, kind=self.kind, reader=reader)


@dataclass(frozen=True, kw_only=True, order=True)
class Tab:
    """The mark at a box's left side that says on which ports it is reached; arrows to the same ports share it."""

    box: str
    ports: tuple[int, ...]
    kind: str = FLOW
    reader: str = ""
    """Who reads metrics there: lines of one reader join, those of two to one tab would not know whose they are."""

    @property
    def text(self) -> str:
        """What it says."""
        return ", ".join(str(port) for port in self.ports)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture before it has positions."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    remarks: tuple[str, ...] = ()
    """Sentences below the picture."""
