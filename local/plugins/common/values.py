"""Values as a Pulumi engine sees them: plain JSON plus secrets and values that are not known before an update."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = Any
"""A JSON value whose leaves may be `Secret` or `UNKNOWN`."""

Object = dict[str, Json]
"""A JSON object of the same kind."""


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts in state and hides on screen."""

    value: Json


class Unknown:
    """The only instance, `UNKNOWN`, stands for a value that exists only after an update."""

    def __copy__(self) -> Unknown:
        return self

    def __deepcopy__(self, memo: object) -> Unknown:
        return self

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def plain(value: Json) -> Json:
    """A copy without secret marks."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Secret):
        return plain(value.value)
    return value


def contains(value: Json, test: Callable[[Json], bool]) -> bool:
    """Whether a value or anything inside it passes the test."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if test(item):
            return True
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, Secret):
            waiting.append(item.value)
    return False


def contains_unknown(value: Json) -> bool:
    """Whether something inside is not known yet."""
    return contains(value, lambda item: item is UNKNOWN)


def contains_secret(value: Json) -> bool:
    """Whether something inside is secret."""
    return contains(value, lambda item: isinstance(item, Secret))


def mark_secrets(target: Object, source: Object) -> None:
    """Mark in `target` what is secret in `source`, in place.

    A list is marked as a whole when one element is secret: its order may change on the server, and a moved
    value must not become readable.
    """
    for key, origin in source.items():
        if key not in target:
            continue
        value = target[key]
        if isinstance(value, dict) and isinstance(origin, dict):
            mark_secrets(value, origin)
        elif not isinstance(value, Secret) and contains_secret(origin):
            target[key] = Secret(value)


def dig(value: Json, *path: str, default: Json = None) -> Json:
    """The value at a path of keys, or the default where a step is missing or not an object."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return default
        value = value[key]
    return value


def remove(value: Json, *path: str) -> None:
    """Delete the value at a path of keys, in place, where it exists."""
    parent = dig(value, *path[:-1]) if len(path) > 1 else value
    if isinstance(parent, dict):
        parent.pop(path[-1], None)


def put(value: Object, new: Json, *path: str) -> None:
    """Set the value at a path of keys, in place, making the objects on the way."""
    for key in path[:-1]:
        step = value.get(key)
        if not isinstance(step, dict):
            step = value[key] = {}
        value = step
    value[path[-1]] = new


def clone(value: Object) -> Object:
    """A deep copy that keeps `UNKNOWN` the only one of its kind."""
    return copy.deepcopy(value)
