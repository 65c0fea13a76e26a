"""SQL as far as a migration must be understood: where statements end, and which of them mind a transaction.

PostgreSQL's own lexical rules: nested comments, quoted names, escape strings, dollar quotes, parentheses, and bodies
between BEGIN ATOMIC and END, all of which may hold semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
  | (?P<comment>/\*)
  | (?P<text>[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*' | '[^']*(?:''[^']*)*')
  | (?P<name>"[^"]*(?:""[^"]*)*")
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
  | (?P<parameter>\$\d+)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_OPENERS = {"'": "text", '"': "name", "$": "dollar quote"}
_ROUTINES = (["CREATE", "FUNCTION"], ["CREATE", "PROCEDURE"])


class SqlError(ValueError):
    """The text is no SQL: something that was opened is not closed."""


@dataclass
class Statement:
    """One statement without its semicolon."""

    line: int
    """Line of its first word, from 1."""
    tokens: list[str] = field(default_factory=list)
    """Its words and marks as written, without comments."""

    def starts(self, *words: str) -> bool:
        """Whether it begins with these words, in any case of letters."""
        return [token.upper() for token in self.tokens[: len(words)]] == list(words)


def statements(text: str) -> list[Statement]:
    """The statements of a text, in order; what is only comment or space is none.

    Raises:
        SqlError: a comment, text, name or dollar quote is not closed.
    """
    found, current, depth = [], Statement(line=0), _Depth()
    for position, word in _tokens(text):
        if word == ";" and not depth.inside:
            found.append(current)
            current, depth = Statement(line=0), _Depth()
            continue
        if not current.tokens:
            current.line = line_of(text, position)
        current.tokens.append(word)
        depth.see(current, word.upper())
    return [each for each in (*found, current) if each.tokens]


def line_of(text: str, position: int) -> int:
    """Line of a character, from 1."""
    return text.count("\n", 0, position) + 1


class _Depth:
    """How deep in parentheses and in the body of a routine a token stands, as psql counts it."""

    def __init__(self) -> None:
        self._parentheses = self._blocks = 0

    @property
    def inside(self) -> bool:
        return self._parentheses > 0 or self._blocks > 0

    def see(self, statement: Statement, word: str) -> None:
        if word in ("(", ")"):
            self._parentheses = max(0, self._parentheses + (1 if word == "(" else -1))
        elif self._parentheses == 0 and _makes_routine(statement):
            if word == "BEGIN" or (word == "CASE" and self._blocks):
                self._blocks += 1
            elif word == "END" and self._blocks:
                self._blocks -= 1


def _makes_routine(statement: Statement) -> bool:
    words = [token.upper() for token in statement.tokens[:4]]
    return [word for word in words if word not in ("OR", "REPLACE")][:2] in _ROUTINES


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    position = 0
    while match := _TOKEN.match(text, position):
        kind, token = match.lastgroup, match.group()
        if match["comment"]:
            position = _end_of_comment(text, position)
            continue
        if match["mark"] in _OPENERS:
            raise SqlError(f"line {line_of(text, position)}: a {_OPENERS[token]} begins and does not end")
        if kind != "space":
            yield position, token
        position = match.end()


def _end_of_comment(text: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise SqlError(f"line {line_of(text, start)}: a comment begins and does not end")
