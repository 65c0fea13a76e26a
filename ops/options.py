"""What every command takes, and where it prints."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

FILE_COLUMNS = 140

StackOption = Annotated[
    str, typer.Option("--stack", "-s", envvar="STACK", help="Name of the stack: dev, test, staging or prod.")
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


def console() -> Console:
    """Where tables go: as wide as the terminal, or wide enough for whole names in a file or a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else FILE_COLUMNS)
