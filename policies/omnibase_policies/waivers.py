"""Waivers among an object's annotations: `omnibase.io/waiver.<rule>: "<last day>; <owner>; <reason>"`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from omnibase_policies.objects import Object
from omnibase_policies.parameters import Waiver
from omnibase_policies.texts import printable
from omnibase_policies.values import View

PREFIX = "omnibase.io/waiver."
FORM = "<last day as 2027-01-31>; <owner>; <reason>"
_PARTS = 3
UNWAIVABLE = frozenset({"exception-has-owner-reason-expiry", "exception-is-needed", "readable-pod"})
"""Rules that keep waivers honest, and that what cannot be read does not pass."""


def annotated_waiver(rule: str, found: Object) -> Waiver | None:
    """The waiver of a rule among an object's annotations, if it has its form."""
    if rule in UNWAIVABLE:
        return None
    return parsed(rule, found, found.metadata["annotations"][f"{PREFIX}{rule}"])


def annotated_waivers(found: Object) -> list[Waiver]:
    """Every annotation of an object that has the form of a waiver."""
    return [waiver for rule, note in noted(found) if (waiver := parsed(rule, found, note)) is not None]


def parsed(rule: str, found: Object, note: View) -> Waiver | None:
    """An annotation as a waiver, None if there is none or one of its three parts is missing."""
    parts = [printable(part.strip()) for part in note.text().split(";", _PARTS - 1)]
    if len(parts) != _PARTS or not all(parts):
        return None
    try:
        until = datetime.date.fromisoformat(parts[0])
    except ValueError:
        return None
    return Waiver(rule=rule, object=found.identity, reason=parts[2], owner=parts[1], until=until)


def noted(found: Object) -> Iterator[tuple[str, View]]:
    """Every annotation of an object that wants to be a waiver, by its rule."""
    for name, note in found.metadata["annotations"].fields():
        if name.startswith(PREFIX):
            yield name.removeprefix(PREFIX), note
