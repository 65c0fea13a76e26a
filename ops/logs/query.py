"""What is asked of the store, in its language LogsQL; pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from local.errors import InputError

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")  # what services accept as a correlation id
_SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SINCE = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which lines are wanted."""

    identity: str
    """Correlation id; empty for any."""
    services: tuple[str, ...]
    """Names of services; none for any."""
    seconds: int
    """How far back."""
    phrase: str = ""
    """Words that the text of a line has; empty for any."""


def question(identity: str, services: tuple[str, ...], since: str) -> Question:
    """Check what an operator typed.

    Args:
        since: a number and s, m, h, d or w.

    Raises:
        InputError: an id or a service that cannot exist, a time without unit, or neither id nor service.
    """
    if identity and not _ID.fullmatch(identity):
        raise InputError(f"--id {identity!r} is no correlation id", hint="1 to 128 letters, digits and the signs . _ -")
    for service in services:
        if not _SERVICE.fullmatch(service):
            raise InputError(f"--service {service!r} is no name of a service", hint="for example reference or database")
    if not identity and not services:
        raise InputError("which lines? give --id, --service or both", hint="ops logs --id <correlation id>")
    match = _SINCE.fullmatch(since)
    if match is None:
        raise InputError(f"--since {since!r} is no time", hint="a whole number and s, m, h, d or w, for example 90m")
    return Question(identity=identity, services=services, seconds=int(match[1]) * _SECONDS[match[2]])


def logsql(asked: Question, limit: int) -> str:
    """The newest lines that fit, newest first.

    Args:
        limit: most lines.
    """
    filters = [f"_time:{asked.seconds}s"]
    if asked.identity:
        filters.append(f"correlation_id:={json.dumps(asked.identity)}")
    if asked.services:
        names = ", ".join(json.dumps(name) for name in asked.services)
        filters.append(f"service:in({names})")
    if asked.phrase:
        filters.append(json.dumps(asked.phrase))
    return f"{' '.join(filters)} | sort by (_time desc) limit {limit}"
