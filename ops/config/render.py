"""Settings as a table, as YAML or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import yaml
from rich.console import Console

from ops.config.settings import Setting
from ops.rows import print_rows


class Format(StrEnum):
    """How settings are printed."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"


def print_settings(found: Mapping[str, Setting], form: Format, *, with_origin: bool, console: Console) -> None:
    """Print settings; programs get one document, people a table, or lines where nobody looks."""
    if form is Format.JSON:
        print(json.dumps({path: _document(each, with_origin=with_origin) for path, each in found.items()}, indent=2))
    elif form is Format.YAML:
        print("\n".join(_yaml(_nested(found), with_origin=with_origin)))
    else:
        rows = [(each.path, text(each), *([each.origin] if with_origin else [])) for each in found.values()]
        print_rows(("setting", "value", *(["origin"] if with_origin else [])), rows, console)


def text(setting: Setting | None) -> str:
    """A value in one line."""
    if setting is None:
        return "-"
    return setting.value if isinstance(setting.value, str) else json.dumps(setting.value)


def _document(setting: Setting, *, with_origin: bool) -> Any:  # noqa: ANN401 -- a JSON value
    return {"value": setting.value, "origin": setting.origin} if with_origin else setting.value


def _nested(found: Mapping[str, Setting]) -> dict[str, Any]:
    top: dict[str, Any] = {}
    for setting in found.values():
        *above, last = setting.keys
        level = top
        for key in above:
            level = level.setdefault(key, {})
        level[last] = setting
    return top


def _yaml(level: Mapping[str, Any], *, with_origin: bool, indent: str = "") -> Iterator[str]:
    for key, value in level.items():
        name = yaml.safe_dump(key).split("\n", maxsplit=1)[0]
        if isinstance(value, Setting):
            shown = json.dumps(value.value, ensure_ascii=False)  # which is YAML too, in one line
            yield f"{indent}{name}: {shown}{f'  # {value.origin}' if with_origin else ''}"
        else:
            yield f"{indent}{name}:"
            yield from _yaml(value, with_origin=with_origin, indent=f"{indent}  ")
