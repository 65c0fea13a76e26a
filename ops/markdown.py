"""Pieces of Markdown that every report for a forge has. A forge cuts long comments, so long lists end in a count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

MOST_LINES = 60
_LONGEST = 300


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table, with an empty one after it."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('-' * len(head))}|"
    for row in rows[:MOST_LINES]:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    if len(rows) > MOST_LINES:
        yield f"| ... and {len(rows) - MOST_LINES} more |{' |' * (len(head) - 1)}"
    yield ""


def plural(count: int, word: str) -> str:
    """`1 finding`, `2 findings`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
