"""The store's answer as lines for people; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

Line = dict[str, str]
"""Field -> text; `_time`, `_msg` and whatever the line had."""

_HIDDEN_PREFIXES = ("_", "k8s.", "log.", "cnpg.", "service.", "omnibase.", "record.", "logging_")
_HIDDEN = frozenset({
    "service", "level", "correlation_id", "environment", "version", "time", "ts", "logger", "message", "pipe",
})  # fmt: skip
_SHOWN = ("record.detail", "record.sql_state_code")
_FRACTION = 9
_SUCCESS = "00000"  # PostgreSQL's state of what did not fail


def read_lines(answer: str) -> list[Line]:
    """Lines of an answer in the order of their times; what was stored twice is shown once.

    A collector that was killed sends again what it may have sent before.
    """
    found: dict[str, Line] = {}
    for text in answer.split("\n"):  # a text may hold what else Python takes for the end of a line
        if text.strip():
            found.setdefault(text, json.loads(text))
    return in_order(found.values())


def in_order(lines: Iterable[Line]) -> list[Line]:
    """By time; lines of one moment keep their order."""
    return sorted(lines, key=lambda line: moment(line.get("_time", "")))


def moment(text: str) -> str:
    """A time that sorts as text: RFC 3339 with a fraction of nine digits, which the store leaves short."""
    head, _, fraction = text.removesuffix("Z").partition(".")
    return f"{head}.{fraction.ljust(_FRACTION, '0')}"


def shown(line: Mapping[str, str]) -> str:
    """One line for people: time, service, level, text, and the fields that say more."""
    time = moment(line.get("_time", ""))[11:23]
    rest = [f"{key}={value}" for key, value in sorted(line.items()) if _tells(key) and value not in ("", _SUCCESS)]
    parts = [time, f"{line.get('service', '?'):<20}", f"{line.get('level', ''):<7}", line.get("_msg", ""), *rest]
    return " ".join(parts).rstrip()


def _tells(key: str) -> bool:
    return key in _SHOWN or not (key in _HIDDEN or key.startswith(_HIDDEN_PREFIXES))
