"""What changed between two states of the program's inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from local.plugins.common.propertypath import Path, covers
from local.plugins.common.values import UNKNOWN, Json, Object
from local.plugins.kubernetes import gvk
from local.plugins.kubernetes.sameness import means_absent, same


@dataclass(frozen=True)
class Change:
    """One changed field."""

    path: Path
    op: Literal["add", "update", "delete"]
    value: Json = None
    """The new value; for a deletion the old one."""


def changes(old: Object, new: Object) -> list[Change]:
    """Every field that differs, at the deepest place where both sides still have the same shape."""
    found: list[Change] = []
    _compare_objects((), old, new, gvk.of_object(new).builtin, found)
    return found


def without(found: list[Change], ignored: list[Path]) -> list[Change]:
    """The changes that lie outside the ignored paths."""
    return [change for change in found if not any(covers(path, change.path) for path in ignored)]


def _compare_objects(path: Path, old: Object, new: Object, builtin: bool, found: list[Change]) -> None:
    for key in [*new, *(key for key in old if key not in new)]:
        where = (*path, key)
        if key not in new:
            if not means_absent(where, old[key], builtin=builtin):
                found.append(Change(where, "delete", old[key]))
        elif key not in old:
            if not means_absent(where, new[key], builtin=builtin):
                found.append(Change(where, "add", new[key]))
        else:
            _compare(where, old[key], new[key], builtin, found)


def _compare(path: Path, old: Json, new: Json, builtin: bool, found: list[Change]) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        _compare_objects(path, old, new, builtin, found)
    elif isinstance(old, list) and isinstance(new, list):
        _compare_lists(path, old, new, builtin, found)
    elif new is UNKNOWN:
        found.append(Change(path, "update", UNKNOWN))
    elif means_absent(path, old, builtin=builtin) or means_absent(path, new, builtin=builtin):
        _compare_absent(path, old, new, builtin, found)
    elif not same(path, old, new, builtin=builtin):
        found.append(Change(path, "update", new))


def _compare_absent(path: Path, old: Json, new: Json, builtin: bool, found: list[Change]) -> None:
    was, comes = (not means_absent(path, side, builtin=builtin) for side in (old, new))
    if was:
        found.append(Change(path, "delete", old))
    elif comes:
        found.append(Change(path, "add", new))


def _compare_lists(path: Path, old: list[Json], new: list[Json], builtin: bool, found: list[Change]) -> None:
    for index in range(max(len(old), len(new))):
        where = (*path, index)
        if index >= len(new):
            found.append(Change(where, "delete", old[index]))
        elif index >= len(old):
            found.append(Change(where, "add", new[index]))
        else:
            _compare(where, old[index], new[index], builtin, found)
