"""Lines of YAML files at which paths stand, so that a forge can show a finding beside the text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ops.policy.sources import STANDARD_INPUT, Item

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STEPS = re.compile(r"\[(\d+)\]|([^.\[]+)")


class Lines:
    """Reads a file again at its first finding, and only then: most files have none."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[int, yaml.Node]] = {}

    def of(self, item: Item, path: str) -> int:
        """The line of a path, or of what is nearest above it; 0 where the source has no lines."""
        if not item.line or not path or item.file == STANDARD_INPUT:
            return item.line
        if item.file not in self._documents:
            self._documents[item.file] = _documents(Path(item.file))
        node = self._documents[item.file].get(item.line)
        return item.line if node is None else _line(node, path)


def _documents(file: Path) -> dict[int, yaml.Node]:
    try:
        nodes = list(yaml.compose_all(file.read_text(encoding="utf-8-sig"), Loader=_LOADER))
    except yaml.YAMLError:  # JSON with tabs
        return {}
    return {node.start_mark.line + 1: node for node in nodes}


def _line(node: yaml.Node, path: str) -> int:
    line = node.start_mark.line + 1
    for index, name in _STEPS.findall(path):
        if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == name), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        else:
            break
    return int(line)
