"""The commands `ops config show` and `ops config diff` from their arguments to their output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ops.config.settings import Setting, differences, settings_of

ROOT = Path(__file__).resolve().parents[2]


def show(stack: str, *, with_origin: bool, as_json: bool, console: Console, root: Path = ROOT) -> int:
    """Print every effective setting of a stack.

    Raises:
        InputError: no such stack, or settings that cannot be used.
    """
    found = settings_of(root, stack)
    if as_json:
        document: dict[str, Any] = {
            path: {"value": setting.value, "origin": setting.origin} if with_origin else setting.value
            for path, setting in found.items()
        }
        print(json.dumps(document, indent=2))
        return 0
    table = Table("setting", "value", *(["origin"] if with_origin else []))
    for setting in found.values():
        table.add_row(setting.path, _text(setting), *([setting.origin] if with_origin else []))
    console.print(table)
    return 0


def difference(left: str, right: str, *, as_json: bool, console: Console, root: Path = ROOT) -> int:
    """Print the settings in which two stacks differ; 0 also where there are some.

    Raises:
        InputError: as for `show`.
    """
    found = list(differences(settings_of(root, left), settings_of(root, right)))
    if as_json:
        document = [{"path": each.path, left: _document(each.left), right: _document(each.right)} for each in found]
        print(json.dumps(document, indent=2))
        return 0
    if not found:
        console.print(f"{left} and {right} have the same settings")
        return 0
    table = Table("setting", left, right, "set by")
    for each in found:
        origins = dict.fromkeys(side.origin for side in (each.left, each.right) if side is not None)
        table.add_row(each.path, _text(each.left), _text(each.right), ", ".join(origins))
    console.print(table)
    console.print(f"{len(found)} settings differ")
    return 0


def _document(setting: Setting | None) -> dict[str, Any] | None:
    return None if setting is None else {"value": setting.value, "origin": setting.origin}


def _text(setting: Setting | None) -> str:
    if setting is None:
        return "-"
    return setting.value if isinstance(setting.value, str) else json.dumps(setting.value)
