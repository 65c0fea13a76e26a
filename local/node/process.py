"""What the node's supervisor is told about each long-running program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Ready:
    """How to see that a program serves: exactly one of `url` and `socket`."""

    url: str = ""
    """http(s) address answering 200; asked from inside the node's network namespace, without checking certificates."""
    socket: str = ""
    """Path of a unix socket that accepts a connection."""
    seconds: float = 60.0
    """How long the first start may take."""


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One supervised program. It runs in the node's network and mount namespaces and in its control group.

    It is restarted when it ends, with a pause that doubles from 0.5 s to 30 s and falls back after a minute of life.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    """Programs that must be ready before the first start."""
    ready: Ready | None = None
