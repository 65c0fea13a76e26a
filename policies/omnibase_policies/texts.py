"""Judging texts, whatever stands in their place: a mapping or a list is never a good value, and never read through.

`str()` of a value that YAML aliases nest into each other has no end, and a list is in no set.
"""

from __future__ import annotations

from collections.abc import Callable, Collection


def as_text(value: object) -> str:
    """A text, a number or a switch as text; anything else is an empty text."""
    return str(value) if isinstance(value, str | int | float) else ""


def printable(text: str) -> str:
    """A name of others as it may be shown: what moves a terminal's cursor or is half a character becomes `?`."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def one_of(names: Collection[str]) -> Callable[[object], bool]:
    """Good is one of these texts."""
    return lambda value: isinstance(value, str) and value in names


def none_of(names: Collection[str]) -> Callable[[object], bool]:
    """Good is a text that is none of these."""
    return lambda value: isinstance(value, str) and value not in names
