"""The one kind of error of the migration runner."""

from __future__ import annotations

from collections.abc import Sequence

FAILED, BAD_INPUT, AGAIN = 1, 2, 3
"""Exit codes, as of `ops`: 1 it did not work or is not as it should be, 2 what was given cannot be used, 3 another try
may do: the connection was lost on the way, or another runner was not done. The same command goes on where it was."""


class MigrationError(Exception):
    """What stopped the runner: one or more lines, each with who, what was received and what to do."""

    def __init__(self, *problems: str, exit_code: int = FAILED) -> None:
        self.problems = problems
        self.exit_code = exit_code
        super().__init__("\n".join(problems))


class NotReadyError(MigrationError):
    """The server does not let the runner work yet: what is missing may come without it."""


def refuse(problems: Sequence[str], exit_code: int = BAD_INPUT) -> None:
    """Raise MigrationError if there are problems."""
    if problems:
        raise MigrationError(*problems, exit_code=exit_code)
