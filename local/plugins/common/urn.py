"""A resource's URN: `urn:pulumi:stack::project::parent$type::name`."""

from __future__ import annotations


def type_of(urn: str) -> str:
    """The type token inside a URN, without its parents' types."""
    return urn.split("::")[2].rpartition("$")[2]


def name_of(urn: str) -> str:
    """The name that the program gave to the resource; it may itself hold `::`."""
    return urn.split("::", 3)[3]
