"""Texts of statements without what users wrote in them: literals, passwords, comments; pure."""

from __future__ import annotations

import re

_CORRELATION = re.compile(r"/\*\s*correlation_id=([A-Za-z0-9._-]{1,128})\s*\*/")
_TOKENS = re.compile(
    r"""(?P<comment>/\*.*?(?:\*/|\Z)|--[^\n]*)
    |(?P<text>\b[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)|(?:\b[bBxXnN]|\b[uU]&)?'(?:[^']|'')*(?:'|\Z)
        |\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<name>"(?:[^"]|"")*(?:"|\Z)|[A-Za-z_]\w*|\$\d+)
    |(?P<number>\.?\d[\w.]*(?:(?<=[eE])[+-]\d+)?)""",
    re.DOTALL | re.VERBOSE,
)


def correlation_id(statement: str | None) -> str:
    """The request's id that services write as a comment before each statement; empty without one."""
    match = _CORRELATION.search(statement or "")
    return match[1] if match else ""


def plain(statement: str | None) -> str:
    """The statement in one line: each text and number is `?`, names and parameters stay, comments go.

    A text that the server cut off is closed at its end, so that nothing of it is shown.
    """
    return " ".join(_TOKENS.sub(_replaced, statement or "").split())


def _replaced(match: re.Match[str]) -> str:
    if match["comment"] is not None:
        return " "
    return match[0] if match["name"] is not None else "?"


_QUOTED = re.compile(r"[eE]?'(?:[^']|'')*(?:'|\Z)")
_EXPRESSION = re.compile(
    r"^(?P<label>\s*(?!Rows Removed)(?:[A-Z]\S* )*"
    r"(?:Cond|Filter|Key|Output|Condition|Call|By|Statement|Parameters|Text):)(?P<rest>.*)$"
)


def plain_plan(plan: str) -> str:
    """A plan in its lines without texts, and without numbers where they stand in expressions; costs and counts stay."""
    return "\n".join(_plain_line(line) for line in _QUOTED.sub("?", plan).rstrip().splitlines())


def _plain_line(line: str) -> str:
    match = _EXPRESSION.match(line)
    return f"{match['label']} {plain(match['rest'])}" if match else line.rstrip()
