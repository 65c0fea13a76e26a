"""The message bus in one line: what waits, and what nobody could handle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ops.status.documents import Document, dig


@dataclass(frozen=True, kw_only=True)
class BusStatus:
    """One bus, as its controller saw it last."""

    namespace: str
    topics: int
    waiting: int
    """Events that were not handed out yet, of all consumers."""
    dead_letters: int
    """Events that are kept because nobody could handle them."""


def bus_status(states: Mapping[str, Document]) -> tuple[BusStatus, ...]:
    """Read the controllers' answers.

    Args:
        states: one answer by namespace; a controller that does not answer is a workload that is not ready.
    """
    return tuple(_bus(namespace, state) for namespace, state in sorted(states.items()))


def _bus(namespace: str, state: Document) -> BusStatus:
    topics: list[Document] = dig(state, "topics") or []
    consumers: Iterable[Document] = (each for topic in topics for each in topic.get("consumers") or [])
    return BusStatus(
        namespace=namespace,
        topics=len(topics),
        waiting=sum(int(each.get("pending") or 0) for each in consumers),
        dead_letters=sum(int(topic.get("dead_letters") or 0) for topic in topics),
    )
