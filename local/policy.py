"""The levels of the policy pack for a stack, and the exceptions from it that are in force."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import InputError
from local.paths import Paths
from local.progress import Progress


@dataclass(frozen=True, kw_only=True, order=True)
class Waiver:
    """One dated exception: `rule` is not obeyed by `object`."""

    until: str
    rule: str
    object: str
    owner: str
    reason: str = ""

    def has_ended(self, today: datetime.date) -> bool:
        """Whether its last day is over: the violation counts again."""
        return self.until < today.isoformat()


def levels_file(paths: Paths, stack_name: str) -> Path:
    """The file with the levels of the policy pack for a stack.

    Raises:
        InputError: the stack has none; it must not go up unguarded.
    """
    file = paths.root / "policies" / "environments" / f"{stack_name}.json"
    if not file.is_file():
        raise InputError(
            f"stack {stack_name!r} has no policy levels: {file.relative_to(paths.root)} does not exist",
            hint="copy the file of the environment that it is most like, for example prod.json",
        )
    return file


def waivers(file: Path) -> list[Waiver]:
    """Waivers of a file of levels, the one that ends first at the head. What is wrong with one, the pack itself says.

    Raises:
        InputError: not a JSON object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file.name} of the policy levels is not JSON: {error}", hint="mend the file") from error
    if not isinstance(content, dict):
        raise InputError(f"{file.name} of the policy levels holds no object", hint='begin it with {"rule": ...}')
    return sorted(
        Waiver(rule=rule, **{key: _text(given, key) for key in ("until", "object", "owner", "reason")})
        for rule, settings in content.items()
        if isinstance(settings, dict)
        for given in settings.get("waivers") or []
        if isinstance(given, dict)
    )


def say_waivers(file: Path, progress: Progress, today: datetime.date) -> None:
    """Print the waivers in force, and those that have ended: an exception that nobody sees stays for ever."""
    found = waivers(file)
    if not found:
        return
    progress.say(f"policy: {_many(len(found))} in {file.parent.name}/{file.name}, the next ends {found[0].until}")
    for each in found:
        end = f"ended {each.until}, the rule counts again" if each.has_ended(today) else f"until {each.until}"
        progress.console.print(
            f"            {each.rule}: {each.object}, {end} ({each.owner})", markup=False, soft_wrap=True
        )


def _text(given: dict[str, Any], key: str) -> str:
    return str(given.get(key, "not said"))


def _many(count: int) -> str:
    return "1 waiver" if count == 1 else f"{count} waivers"
