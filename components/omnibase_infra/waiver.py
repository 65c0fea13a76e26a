"""A dated permission for one weaker setting. It shows in the stack's outputs and fails after its date."""

import datetime
from collections.abc import Collection, Sequence
from typing import TypedDict


class Waiver(TypedDict):
    """Why one setting may be weaker than the rule, who answers for it, and until when."""

    setting: str
    """Which rule is waived; each component documents its names."""
    reason: str
    """At least 10 characters."""
    owner: str
    """A person or team."""
    until: str
    """Last valid day, YYYY-MM-DD, at most a year ahead."""


LONGEST_DAYS = 366
_SHORTEST_REASON = 10


def today() -> datetime.date:
    """The date that waivers are measured against (UTC); tests replace it."""
    return datetime.datetime.now(tz=datetime.UTC).date()


def waiver_problems(waivers: Sequence[Waiver], known: Collection[str], day: datetime.date) -> list[str]:
    """What is wrong with waivers: unknown setting, no reason, no owner, no date, expired, too far ahead.

    Args:
        waivers: as given by the caller.
        known: names of settings that may be waived here.
        day: today.
    """
    return [problem for waiver in waivers for problem in _problems(waiver, known, day)]


def _problems(waiver: Waiver, known: Collection[str], day: datetime.date) -> list[str]:
    setting = waiver.get("setting", "")
    found = []
    if setting not in known:
        found.append(f"waiver for {setting!r}: no such rule; known: {', '.join(sorted(known))}")
    if len(waiver.get("reason", "").strip()) < _SHORTEST_REASON:
        found.append(f"waiver for {setting!r}: reason must say why in at least {_SHORTEST_REASON} characters")
    if not waiver.get("owner", "").strip():
        found.append(f"waiver for {setting!r}: owner is missing")
    try:
        until = datetime.date.fromisoformat(waiver.get("until", ""))
    except ValueError:
        return [*found, f"waiver for {setting!r}: until={waiver.get('until', '')!r} must be a date YYYY-MM-DD"]
    if until < day:
        found.append(f"waiver for {setting!r} ended on {until}; remove the weaker setting or ask {waiver['owner']}")
    if until > day + datetime.timedelta(days=LONGEST_DAYS):
        found.append(f"waiver for {setting!r}: until={until} is more than {LONGEST_DAYS} days ahead")
    return found
