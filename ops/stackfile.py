"""One setting of a stack file changed in place: comments, order and form of everything else stay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml
from omnibase_infra.config.yaml_file import read_yaml

from local.errors import InputError

_STEP = "  "
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def with_value(text: str, path: Sequence[str], value: object, comment: str = "") -> str:
    """The text of a YAML file with the value at a key path; what is missing of the path is added.

    Args:
        path: keys of mappings, and numbers of entries in lists.
        value: text, number, true, false, or lists and mappings of these.
        comment: stands behind a value that is added; beside one that is replaced the comment that was there stays.

    Raises:
        InputError: the file is written in a way that this cannot change safely; it says what to write by hand.
    """
    wanted = _read(text) or {}
    remedy = f"set {'.'.join(path)} to {_written(value)} by hand"
    level = wanted
    for key in path[:-1]:
        level = _below(level, key, remedy)
    if isinstance(level, list):
        level[_entry(level, path[-1], remedy)] = value
    else:
        level[path[-1]] = value
    return _proven(_changed(text, list(path), value, comment), wanted, remedy)


def without_key(text: str, path: Sequence[str]) -> str:
    """The text of a YAML file without the key at a path, and without the mappings that this leaves empty.

    Raises:
        InputError: as for `with_value`.
    """
    wanted = _read(text) or {}
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


def with_note(text: str, path: Sequence[str], comment: str) -> str:
    """The text of a YAML file with a comment in a line of its own above a key, or above the nearest one that is there.

    Raises:
        InputError: as for `with_value`.
    """
    node, line, column = yaml.compose(text), 0, 0
    for key in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) and not node.flow_style else []
        found = next((pair for pair in pairs if pair[0].value == key), None)
        if found is None:
            break
        node, line, column = found[1], found[0].start_mark.line, found[0].start_mark.column
    lines = text.splitlines(keepends=True)
    added = "".join([*lines[:line], f"{' ' * column}# {comment}\n", *lines[line:]])
    return _proven(added, _read(text), f"write the comment {comment!r} by hand")


def _read(text: str) -> Any:  # noqa: ANN401 -- YAML values
    return _unshared(yaml.load(text, Loader=_LOADER))  # noqa: S506 -- it is the safe one


def _unshared(value: Any) -> Any:  # noqa: ANN401 -- as above
    """A copy in which what an anchor names twice is there twice, so that a change of one is not one of the other."""
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    return [_unshared(each) for each in value] if isinstance(value, list) else value


def _below(level: Any, key: str, remedy: str) -> Any:  # noqa: ANN401 -- YAML values
    """What is at a key, made where it is missing."""
    if isinstance(level, list):
        return level[_entry(level, key, remedy)]
    level[key] = {} if level.get(key) is None else level[key]
    if not isinstance(level[key], dict | list):
        raise InputError(f"{key} is a single value and has nothing below it", hint=remedy)
    return level[key]


def _entry(level: Sequence[object], key: str, remedy: str) -> int:
    if not key.isdigit() or int(key) >= len(level):
        raise InputError(f"{key} is no entry of a list of {len(level)}", hint=remedy)
    return int(key)


def _written(value: object) -> str:
    """A value in one line that every reader of YAML understands alike."""
    dumped = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    plain = dumped.removesuffix("...\n").strip()
    read = read_yaml(plain.encode())
    return plain if not read.faults and read.values == value else json.dumps(value, ensure_ascii=False)


def _proven(changed: str, wanted: object, remedy: str) -> str:
    """The changed text, if it says what was wanted and nothing else."""
    try:
        right = _read(changed) == wanted
    except yaml.YAMLError:
        right = False
    if not right:
        raise InputError(
            "the stack file is written in a form that cannot be changed here",
            hint=f"{remedy} and run the command again",
        )
    return changed


def _changed(text: str, path: list[str], value: object, comment: str) -> str:
    node: Any = yaml.compose(text)
    above = -1  # column of the mapping's own key
    for depth, key in enumerate(path):
        if isinstance(node, yaml.SequenceNode):
            node = node.value[int(key)]
            continue
        if not isinstance(node, yaml.MappingNode) or not node.value:
            return _under(text, node, _lines(path[depth:], above + len(_STEP), value, comment))
        found = next((value for name, value in node.value if name.value == key), None)
        if found is None:
            return _added(text, node, path[depth:], value, comment)
        above = node.value[0][0].start_mark.column
        node = found
    return _replaced(text, node, _written(value))


def _added(text: str, node: Any, keys: list[str], value: object, comment: str) -> str:  # noqa: ANN401 -- a YAML node
    """In front of the first key of a mapping."""
    first = node.value[0][0].start_mark
    if node.flow_style:
        for key in reversed(keys[1:]):
            value = {key: value}
        added = f"{_written(keys[0])}: {_written(value)}, "
    else:
        added = _lines(keys, first.column, value, comment).lstrip(" ") + " " * first.column
    return text[: first.index] + added + text[first.index :]


def _replaced(text: str, node: Any, value: str) -> str:  # noqa: ANN401 -- any YAML node
    start, end = node.start_mark.index, _end(node)
    gap = "" if end > start else " "  # a key without a value ends at its colon
    return f"{text[:start]}{gap}{value}{text[end:]}"


def _end(node: Any) -> int:  # noqa: ANN401 -- as above
    """Where the last character of a node is; a block's own mark is behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _under(text: str, node: Any, added: str) -> str:  # noqa: ANN401 -- as above
    """Below a key that has no value, or `{}`."""
    start, end = node.start_mark.index, node.end_mark.index
    return text[:start].rstrip() + "\n" + added.rstrip("\n") + text[end:]


def _lines(keys: list[str], column: int, value: object, comment: str) -> str:
    lines = []
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        said = f" {_written(value)}{f' # {comment}' if comment else ''}" if last else ""
        lines.append(f"{' ' * column}{_STEP * depth}{_written(key)}:{said}\n")
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
    last = text.count("\n", 0, _end(node))
    return "".join([*lines[:first], *lines[last + 1 :]])
