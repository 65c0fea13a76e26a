"""Who owns which field (`metadata.managedFields`): taking fields over from a plain create, and leaving ignored ones."""

from __future__ import annotations

import json

from local.plugins.common.propertypath import Path
from local.plugins.common.values import Json, Object, clone, dig

CREATOR = "pulumi-kubernetes"
"""Field manager of objects just created; the first update moves their fields to the resource's own manager."""

_PREDECESSORS = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    ("pulumi-kubernetes", "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)
_CREATORS = frozenset({"pulumi-kubernetes", "pulumi-kubernetes.exe", "pulumi-resource-kubernetes"})


def take_over(live: Object, manager: str) -> list[Object]:
    """The JSON patch that gives `manager` the fields owned by kubectl or by a plain create; empty when none are.

    Unlike the official provider this also takes what `kubectl scale` owns: otherwise the next update would stop
    with a conflict instead of putting the replicas right.
    """
    own: Object | None = None
    others: list[Object] = []
    taken: list[Object] = []
    for entry in dig(live, "metadata", "managedFields", default=[]):
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            own = clone(entry)
        elif _is_predecessor(entry):
            taken.append(entry)
        else:
            others.append(entry)
    if not taken:
        return []
    if own is None:
        own = clone(taken[0]) | {"manager": manager, "operation": "Apply"}
        own.pop("subresource", None)
    for entry in taken:
        _merge(own.setdefault("fieldsV1", {}), entry.get("fieldsV1") or {})
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*others, own]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
    ]


def _is_predecessor(entry: Object) -> bool:
    name, operation, part = entry.get("manager", ""), entry.get("operation"), entry.get("subresource") or ""
    if part == "scale":
        return bool(name.startswith("kubectl") and operation == "Update")
    return not part and any(name.startswith(prefix) and operation == verb for prefix, verb in _PREDECESSORS)


def created_here(live: Object) -> bool:
    """Whether fields still belong to a plain create of this provider, so that a preview must not call it a conflict."""
    entries = dig(live, "metadata", "managedFields", default=[])
    return any(item.get("operation") == "Update" and item.get("manager") in _CREATORS for item in entries)


def unowned(live: Object) -> bool:
    """Whether the object is so old that no field has an owner."""
    return not dig(live, "metadata", "managedFields", default=[])


def leave_ignored(inputs: Object, live: Object, ignored: list[Path], manager: str) -> None:
    """Adapt the inputs of an update to ignoreChanges, in place.

    A field that only others own is dropped, so that no conflict arises; any other keeps its live value, so that
    applying does not remove it.
    """
    entries = dig(live, "metadata", "managedFields", default=[])
    mine = [entry.get("fieldsV1") or {} for entry in entries if entry.get("manager") == manager]
    theirs = [entry.get("fieldsV1") or {} for entry in entries if entry.get("manager") != manager]
    for path in ignored:
        found, value = _lookup(live, path)
        if any(_owns(fields, live, path) for fields in theirs) and not any(
            _owns(fields, live, path) for fields in mine
        ):
            _drop(inputs, path)
        elif found:
            _assign(inputs, path, value)


def _merge(into: Object, other: Object) -> None:
    for key, value in other.items():
        _merge(into.setdefault(key, {}), value)


def _owns(fields: Object, live: Json, path: Path) -> bool:
    for step in path:
        if not _has(live, step):
            return False
        inner = _element(fields, live[step]) if isinstance(step, int) else fields.get(f"f:{step}")
        if inner is None:
            return False
        fields, live = inner, live[step]
    return True


def _element(fields: Object, item: Json) -> Object | None:
    for key, value in fields.items():
        if key.startswith("k:") and isinstance(item, dict):
            wanted = json.loads(key[2:])
            if all(item.get(name) == part for name, part in wanted.items()):
                found: Object = value
                return found
    return None


def _lookup(value: Json, path: Path) -> tuple[bool, Json]:
    for step in path:
        if not _has(value, step):
            return False, None
        value = value[step]
    return True, value


def _has(value: Json, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and step < len(value)
    return isinstance(value, dict) and step in value


def _drop(value: Json, path: Path) -> None:
    found, parent = _lookup(value, path[:-1])
    if found and isinstance(parent, dict):
        parent.pop(path[-1], None)


def _assign(value: Json, path: Path, new: Json) -> None:
    for step in path[:-1]:
        if isinstance(step, str) and isinstance(value, dict):
            value.setdefault(step, {})
        if not _has(value, step):
            return
        value = value[step]
    if _has(value, path[-1]) or isinstance(value, dict):
        value[path[-1]] = new
