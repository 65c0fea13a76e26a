"""Names of topics, and what follows from a name: stream, subjects, dead letters, how long events are kept. Pure."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from omnibase_infra.config.units import Form

TOPIC = r"^onex\.(evt|cmd|intent|snapshot)\.[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*\.v[0-9]+$"
"""`onex.<kind>.<producer>.<event>.v<number>`, without environment: a stack has a bus of its own. Dead-letter topics
(kind `dlq`) are not declared, they follow from their topics."""
LONGEST_TOPIC = 120  # its stream's name, with that of a consumer, becomes a directory of the server
TopicName = Annotated[
    str, Form(TOPIC, "a topic such as onex.evt.orders.order-placed.v1"), Field(max_length=LONGEST_TOPIC)
]
"""`onex.<evt|cmd|intent|snapshot>.<producer>.<event>.v<number>`."""

RETENTION_HOURS = {
    "evt": 30 * 24,
    "cmd": 7 * 24,
    "intent": 24,
    "snapshot": 7 * 24,
    "dlq": 7 * 24,
    "quarantine": 90 * 24,
}
"""Class -> how long events are kept unless the settings say otherwise; the users' documented classes. A topic is of the
class of its kind, its dead letters are of `dlq`, unless it names others."""
QUARANTINE = "quarantine"
"""Class of dead letters that outlive the events of their topic, until somebody has looked at them."""
ADVISORIES = "omnibase_advisories"
"""Stream of the servers' notes about events that were delivered in vain, until dead letters are made of them."""
ADVISORIES_MIB = 16
REDELIVERIES = "omnibase_redeliveries"
"""Stream of the records of dead letters that operators handed out again; a record outlives its letter."""
REDELIVERIES_MIB = 4
OWN_MIB = ADVISORIES_MIB + REDELIVERIES_MIB
"""What the bus keeps besides topics and dead letters, in MiB."""
OPERATORS = "operators"
"""Client of the bus for `ops`; services and other clients cannot have its name."""
CONTROLLER = "stream-controller"
"""Client of the bus that makes streams and dead letters, and its consumer; the program has it as a constant."""


def kind(topic: str) -> str:
    """evt, cmd, intent, snapshot or dlq."""
    return topic.split(".")[1]


def stream(topic: str) -> str:
    """Name of the stream of a topic: a stream's name cannot hold dots."""
    return topic.replace(".", "_")


def subjects(topic: str) -> list[str]:
    """Subjects of a topic. A snapshot keeps one event per key, and the key is the last part of the subject."""
    return [f"{topic}.*"] if kind(topic) == "snapshot" else [topic]


def redelivery(letters: str, sequence: int | str) -> str:
    """Subject of the record that a letter was handed out again.

    Args:
        letters: the stream of dead letters.
        sequence: of the letter in it; `*` for all.
    """
    return f"omnibase.redeliveries.{letters}.{sequence}"


def may_redeliver(topic: str) -> bool:
    """Whether its events can be handed out again: of a snapshot an old one would replace the newest."""
    return kind(topic) != "snapshot"


def dead_letters(topic: str) -> str:
    """Topic that takes what a consumer of this one could not handle."""
    return re.sub(r"^onex\.[a-z]+\.", "onex.dlq.", topic)
