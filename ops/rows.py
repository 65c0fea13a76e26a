"""Rows for people: a table in a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_rows(names: tuple[str, ...], rows: Sequence[tuple[str, ...]], console: Console) -> None:
    """A table in a terminal; elsewhere one line a row, cells parted by tabs, for `grep` and `cut`."""
    if not console.is_terminal:
        for row in rows:
            print("\t".join(" ".join(cell.split()) for cell in row), file=console.file)
        return
    table = Table(*names)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
