"""Property paths as the engine writes them: `spec.containers[0].image`, `metadata.annotations["a.b/c"]`, `a[*]`."""

from __future__ import annotations

import json
import re

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\[\*\]|\[("(?:[^"\\]|\\.)*")\]')
Path = tuple[str | int, ...]
"""Keys and list positions from the object's root to a field."""

ANY = "*"
"""A step that stands for every key or position."""


def parse(text: str) -> Path:
    """The steps of a property path.

    Raises:
        ValueError: not a property path.
    """
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(f"property path {text!r} cannot be read from position {position}")
        key, index, quoted = match.groups()
        steps.append(key if key else int(index) if index else json.loads(quoted) if quoted else ANY)
        position = match.end()
    return tuple(steps)


def write(path: Path) -> str:
    """The text of a path."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif any(character in step for character in '."[]'):
            text += f"[{json.dumps(step)}]"
        else:
            text += f".{step}" if text else step
    return text


def covers(outer: Path, inner: Path) -> bool:
    """Whether `inner` is the place that `outer` names, or lies below it."""
    return len(outer) <= len(inner) and all(
        step in (ANY, other) for step, other in zip(outer, inner[: len(outer)], strict=True)
    )
