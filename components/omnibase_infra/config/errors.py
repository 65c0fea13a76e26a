"""What is wrong with a stack's settings, all of it in one message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with one setting."""

    origin: str
    """The stack file, the environment variable or the tier's defaults that the value came from."""
    path: str
    """Key path below `omnibase-infra:`, for example `postgres.pooler.instances`."""
    received: str
    """The value as text; `[hidden]` where it may be a credential."""
    allowed: str
    """What would have been right."""
    hint: str = ""
    """What to do, for instance the nearest valid name."""

    def __str__(self) -> str:
        text = f"{self.origin}: {self.path} = {self.received}: {self.allowed}"
        return f"{text}; {self.hint}" if self.hint else text


class ConfigError(ValueError):
    """The settings cannot be used; `problems` lists every reason. Nothing has been registered."""

    exit_code = 2

    def __init__(self, stack: str, problems: Sequence[Problem]) -> None:
        self.stack = stack
        self.problems = tuple(problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"the settings of stack '{stack}' have {count}:\n{lines}")


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or the list of what exists when nothing is near; empty when nothing exists."""
    names = sorted(known)
    found = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if found:
        return f"did you mean '{found[0]}'?"
    return f"known: {', '.join(names)}" if names else ""
