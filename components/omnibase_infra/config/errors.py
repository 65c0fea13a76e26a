"""What is wrong with a stack's settings, all of it in one message."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_CREDENTIAL = re.compile(r"password|passwd|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
_CREDENTIAL_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # an address with a password
    r"|PRIVATE KEY"
    r"|\beyJ[A-Za-z0-9_-]{10,}\."  # a signed token
    r"|\b(sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abpr]-|\bAKIA[A-Z0-9]{16}\b"
)
_LONGEST_VALUE = 80  # characters of a wrong value that an error repeats


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with one setting."""

    origin: str
    """The stack file, with line and column where they are known (`Pulumi.dev.yaml:7:5`), the environment variable or
    the tier's defaults that the value came from."""
    path: str
    """Key path below `omnibase-infra:`, for example `postgres.pooler.instances`."""
    received: str
    """The value as text; `[hidden]` where it may be a credential, also where whoever reports it did not think of it."""
    allowed: str
    """What would have been right."""
    hint: str = ""
    """What to do, for instance the nearest valid name."""

    def __post_init__(self) -> None:
        if _CREDENTIAL_VALUE.search(self.received):
            object.__setattr__(self, "received", "[hidden]")

    def __str__(self) -> str:
        text = f"{self.origin}: {self.path} = {self.received}: {self.allowed}"
        return f"{text}; {self.hint}" if self.hint else text


def shown(path: str, value: object, *, hidden: bool = False) -> str:
    """A received value as an error may repeat it: never what may be a credential, and never a whole document.

    Args:
        path: its key path; a name such as `api_key` in it hides the value.
        value: what was received.
        hidden: the value is known to be a secret.
    """
    if value is None:
        return "nothing"
    if hidden or _CREDENTIAL.search(path) or (isinstance(value, Mapping | list) and _CREDENTIAL.search(str(value))):
        return "[hidden]"
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def repeated(path: str, text: str) -> str:
    """What was received, if an error may repeat it."""
    return "[hidden]" if _CREDENTIAL.search(path) else text


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
    return close(word, names) or (f"known: {', '.join(names)}" if names else "")


def close(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or nothing when nothing is near."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"did you mean '{found[0]}'?" if found else ""
