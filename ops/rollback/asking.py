"""What rolling back has in common: the question before, and an end that unwinds."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

from local.errors import InputError


def confirm() -> None:
    """Ask whether to go on.

    Raises:
        InputError: no, or nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise InputError("nobody can be asked here", hint="give --yes to go on without a question")
    if input("go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("nothing was changed", hint="answer y, or give --yes")


@contextlib.contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """`kill` must unwind like Ctrl-C, or the engine would outlive us."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
