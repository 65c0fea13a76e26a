"""One setting of a stack file changed in place: comments, order and form of everything else stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from local.errors import InputError

Value = int | str
_STEP = "  "


def with_value(text: str, path: Sequence[str], value: Value, comment: str = "") -> str:
    """The text of a YAML file with the value at a key path; what is missing of the path is added.

    Args:
        comment: stands behind a value that is added; beside one that is replaced the comment that was there stays.

    Raises:
        InputError: the file is written in a way that this cannot change safely; it says what to write by hand.
    """
    wanted = yaml.safe_load(text) or {}
    level = wanted
    for key in path[:-1]:
        level[key] = level.get(key) or {}
        level = level[key]
    level[path[-1]] = value
    return _proven(_changed(text, list(path), value, comment), wanted, f"set {'.'.join(path)} to {value} by hand")


def without_key(text: str, path: Sequence[str]) -> str:
    """The text of a YAML file without the key at a path, and without the mappings that this leaves empty.

    Raises:
        InputError: as for `with_value`.
    """
    wanted = yaml.safe_load(text) or {}
    levels = [wanted]
    for key in path[:-1]:
        level = levels[-1].get(key)
        if not isinstance(level, dict):
            return text
        levels.append(level)
    if path[-1] not in levels[-1]:
        return text
    depth = len(path) - 1
    while depth > 0 and len(levels[depth]) == 1:
        depth -= 1
    del levels[depth][path[depth]]
    changed = _removed(text, path, depth)
    return _proven(changed, wanted, f"take {'.'.join(path)} out by hand")


def _proven(changed: str, wanted: object, remedy: str) -> str:
    """The changed text, if it says what was wanted and nothing else."""
    try:
        right = yaml.safe_load(changed) == wanted
    except yaml.YAMLError:
        right = False
    if not right:
        raise InputError(
            "the stack file is written in a form that cannot be changed here",
            hint=f"{remedy} and run the command again",
        )
    return changed


def _changed(text: str, path: list[str], value: Value, comment: str) -> str:
    node: Any = yaml.compose(text)
    above = -1  # column of the mapping's own key
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode) or not node.value or node.flow_style:
            return _under(text, node, _lines(path[depth:], above + len(_STEP), value, comment))
        found = next((value for name, value in node.value if name.value == key), None)
        if found is None:
            first = node.value[0][0].start_mark
            added = _lines(path[depth:], first.column, value, comment)
            start = first.index - first.column
            return text[:start] + added + text[start:]
        above = node.value[0][0].start_mark.column
        node = found
    return text[: node.start_mark.index] + str(value) + text[node.end_mark.index :]


def _under(text: str, node: Any, added: str) -> str:  # noqa: ANN401 -- any YAML node
    """Below a key that has no value, or `{}`."""
    start, end = node.start_mark.index, node.end_mark.index
    return text[:start].rstrip() + "\n" + added.rstrip("\n") + text[end:]


def _lines(keys: list[str], column: int, value: Value, comment: str) -> str:
    lines = []
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        said = f" {value}{f' # {comment}' if comment else ''}" if last else ""
        lines.append(f"{' ' * column}{_STEP * depth}{key}:{said}\n")
    return "".join(lines)


def _removed(text: str, path: Sequence[str], depth: int) -> str:
    """Without the lines of the key at a depth of the path, and of all below it."""
    node: Any = yaml.compose(text)
    first = 0
    for level, key in enumerate(path):
        name, node = next(pair for pair in node.value if pair[0].value == key)
        if level == depth:
            first = name.start_mark.line
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:first], *lines[node.start_mark.line + 1 :]])
