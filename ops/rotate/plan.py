"""Which generations come next, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ops.rotate.state import Certificates, Generations, days_left


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a rotation does to the stack file."""

    wanted: Generations
    """What the stack file shall say."""
    continues: bool
    """The stack file asks for more than the engine has begun to deploy: no further number is taken."""
    reasons: tuple[str, ...]


def plan(asked: Generations, deployed: Certificates, *, authority: bool, life_days: int, moment: datetime) -> Plan:
    """The next generations.

    Args:
        asked: what the stack file says now.
        deployed: what the last update made.
        authority: rotate the authority as well; it is rotated unasked where new certificates could not live out.
        life_days: life of a server's certificate.
        moment: now.
    """
    made = deployed.generations
    if asked.authority > made.authority or asked.server > made.server:
        return Plan(wanted=asked, continues=True, reasons=("a rotation that was cut short goes on",))
    left = days_left(deployed.authority, moment)
    also = authority or left < life_days
    reasons = tuple(_reasons(left, life_days, authority=authority))
    return Plan(
        wanted=Generations(authority=asked.authority + also, server=asked.server + 1), continues=False, reasons=reasons
    )


def _reasons(left: float, life_days: int, *, authority: bool) -> Iterator[str]:
    yield "new keys and certificates for all servers"
    if authority:
        yield "a new authority, for which the old one vouches"
    elif left < life_days:
        yield f"a new authority as well: the old one ends in {left:.0f} days, before certificates of {life_days} days"
