"""The answer of the bus's controller; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """How one service stands with one topic."""

    name: str
    pending: int
    """Events not handed out yet."""
    unacknowledged: int
    """Events being worked on."""
    redelivered: int
    """Of those, handed out more than once."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A dead letter without its message."""

    sequence: int
    consumer: str
    error_type: str
    failure_reason: str
    retry_count: int
    correlation_id: str
    timestamp: str


@dataclass(frozen=True, kw_only=True)
class Topic:
    """What is kept of one topic."""

    topic: str
    stream: str
    events: int
    bytes: int
    limit_bytes: int
    dead_letters: int
    """How many are kept."""
    consumers: tuple[Consumer, ...]
    letters: tuple[Letter, ...]
    """The newest, the newest first."""


@dataclass(frozen=True, kw_only=True)
class BusState:
    """What the controller saw last."""

    connected: bool
    looked_at: str
    topics: tuple[Topic, ...]
    undeclared: tuple[str, ...]
    """Streams that nobody declares; they are kept."""
    problems: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """The bus answers and everything is as declared; dead letters are no fault of the bus."""
        return self.connected and not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"healthy": self.healthy, **dataclasses.asdict(self)}


def bus_state(document: Mapping[str, Any], topics: Sequence[str] = ()) -> BusState:
    """Read the controller's answer.

    Args:
        topics: only these; none for all.

    Raises:
        InputError: a topic that nobody declares.
    """
    found = tuple(_topic(entry) for entry in document.get("topics") or [])
    known = [topic.topic for topic in found]
    for wanted in topics:
        if wanted not in known:
            raise InputError(f"no topic {wanted!r} is declared", hint=f"declared are {', '.join(known) or 'none'}")
    return BusState(
        connected=bool(document.get("connected")),
        looked_at=str(document.get("looked_at") or ""),
        topics=tuple(topic for topic in found if not topics or topic.topic in topics),
        undeclared=tuple(map(str, document.get("undeclared") or [])),
        problems=tuple(map(str, document.get("problems") or [])),
    )


def _topic(entry: Mapping[str, Any]) -> Topic:
    return Topic(
        topic=str(entry["topic"]),
        stream=str(entry["stream"]),
        events=int(entry["events"]),
        bytes=int(entry["bytes"]),
        limit_bytes=int(entry["limit_bytes"]),
        dead_letters=int(entry["dead_letters"]),
        consumers=tuple(
            Consumer(**{field.name: consumer[field.name] for field in dataclasses.fields(Consumer)})
            for consumer in entry.get("consumers") or []
        ),
        letters=tuple(
            Letter(**{field.name: letter[field.name] for field in dataclasses.fields(Letter)})
            for letter in entry.get("letters") or []
        ),
    )
