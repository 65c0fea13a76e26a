"""The one kind of error that components raise for wrong arguments, before any resource exists."""

from __future__ import annotations

from collections.abc import Sequence


class ArgsError(ValueError):
    """Arguments of a component cannot be used; `problems` lists every reason."""

    exit_code = 2

    def __init__(self, component: str, name: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{component} '{name}': " + "; ".join(problems))


def refuse(component: str, name: str, problems: Sequence[str]) -> None:
    """Raise ArgsError if there are problems."""
    if problems:
        raise ArgsError(component, name, problems)
