"""Every effective setting of a stack, with who set it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibase_infra.config import ConfigError, load_stack_file
from omnibase_infra.config.sources import leaves

from local.errors import InputError
from local.stack import file_of

BUILT_IN = "built-in default"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One leaf of the settings."""

    path: str
    value: Any
    origin: str
    """`prod defaults`, `Pulumi.prod.yaml`, the variable's name, or that of the model."""


def settings_of(root: Path, stack: str, environ: Mapping[str, str] = os.environ) -> dict[str, Setting]:
    """Key path -> setting, sorted by path.

    Raises:
        InputError: no such stack, or settings that cannot be used; the message lists all problems.
    """
    file_of(root, stack)
    try:
        loaded = load_stack_file(root, stack, environ)
    except ConfigError as error:
        raise InputError(str(error), hint=f"mend Pulumi.{stack}.yaml, or unset the variables that it names") from error
    values = loaded.config.model_dump(mode="json")
    return {
        path: Setting(path=path, value=_value(values, path), origin=origin(loaded.origins, path))
        for path in sorted(leaves(values))
    }


def origin(origins: Mapping[str, str], path: str) -> str:
    """Who set a path: itself, something above it, or something below it; the model where nobody did."""
    above = path
    while above:
        if above in origins:
            return origins[above]
        above = above.rpartition(".")[0]
    return next((who for known, who in origins.items() if known.startswith(f"{path}.")), BUILT_IN)


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


def _value(values: Any, path: str) -> Any:  # noqa: ANN401  # JSON values
    for key in _keys(values, path):
        values = values[key]
    if isinstance(values, dict) and "secure" in values:
        return "[secret]"
    return values


def _keys(values: Any, path: str) -> Iterator[str]:  # noqa: ANN401  # as above
    """The keys of a path; a key may hold dots itself."""
    rest = path
    while rest:
        key = next(
            known for known in sorted(values, key=len, reverse=True) if rest == known or rest.startswith(f"{known}.")
        )
        yield key
        rest = rest[len(key) + 1 :]
        values = values[key]
