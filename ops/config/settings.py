"""Every effective setting of a stack, with who set it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibase_infra.config import ConfigError, Loaded, load_stack_file
from omnibase_infra.config.errors import nearest

from local.errors import InputError
from local.stack import file_of

BUILT_IN = "built-in default"
_SECRET = "**********"  # noqa: S105 -- how pydantic writes a secret


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One leaf of the settings."""

    path: str
    keys: tuple[str, ...]
    """The path's keys, one of which may hold dots."""
    value: Any
    """`[secret]` for a secret."""
    origin: str
    """`prod defaults`, `Pulumi.prod.yaml:7:5`, the variable's name, or that of the model."""


def loaded_of(root: Path, stack: str, environ: Mapping[str, str] = os.environ) -> Loaded:
    """The checked settings of a stack.

    Raises:
        InputError: no such stack, or settings that cannot be used; the message lists all problems.
    """
    file_of(root, stack)
    try:
        return load_stack_file(root, stack, environ)
    except ConfigError as error:
        raise InputError(str(error), hint=f"mend Pulumi.{stack}.yaml, or unset the variables that it names") from error


def settings_of(root: Path, stack: str, environ: Mapping[str, str] = os.environ) -> dict[str, Setting]:
    """Key path -> setting, sorted by path.

    Raises:
        InputError: as for `loaded_of`.
    """
    loaded = loaded_of(root, stack, environ)
    values = loaded.config.model_dump(mode="json")
    found = (
        Setting(path=(path := ".".join(keys)), keys=keys, value=_shown(value), origin=origin(loaded.origins, path))
        for keys, value in _leaves(values)
    )
    return {each.path: each for each in sorted(found, key=lambda each: each.path)}


def _leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Keys and value of everything that is not a mapping; an empty one counts as well."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def origin(origins: Mapping[str, str], path: str) -> str:
    """Who set a path, or something above it; the model where nobody did."""
    above = path
    while above and above not in origins:
        above = above.rpartition(".")[0]
    return origins.get(above, BUILT_IN)


def section_of(found: Mapping[str, Setting], section: str) -> dict[str, Setting]:
    """The settings at and below a key path.

    Raises:
        InputError: there are none; the hint names the nearest.
    """
    below = {path: each for path, each in found.items() if path == section or path.startswith(f"{section}.")}
    if not below:
        depth = section.count(".") + 1
        known = {".".join(path.split(".")[:depth]) for path in found}
        raise InputError(f"no setting is at or below {section}", hint=nearest(section, known))
    return below


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One setting that two stacks do not share; None where a stack does not have it."""

    path: str
    left: Setting | None
    right: Setting | None


def differences(left: Mapping[str, Setting], right: Mapping[str, Setting]) -> Iterator[Difference]:
    """Settings whose values differ, sorted by path."""
    for path in sorted({*left, *right}):
        pair = left.get(path), right.get(path)
        if pair[0] is None or pair[1] is None or pair[0].value != pair[1].value:
            yield Difference(path=path, left=pair[0], right=pair[1])


def _shown(value: Any) -> Any:  # noqa: ANN401  # JSON values
    if isinstance(value, list):
        return [_shown(each) for each in value]
    if isinstance(value, dict):
        return {key: _shown(below) for key, below in value.items()}
    return "[secret]" if value == _SECRET else value
