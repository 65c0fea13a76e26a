"""A live object cut to the shape of the program's inputs: what the program manages, with the server's values."""

from __future__ import annotations

from local.plugins.common.propertypath import Path
from local.plugins.common.values import UNKNOWN, Json, Object
from local.plugins.kubernetes import gvk
from local.plugins.kubernetes.sameness import means_absent, same


def prune(live: Object, inputs: Object) -> Object:
    """The fields of `live` that `inputs` has. Where both mean the same, the inputs' spelling is kept."""
    return _prune_object((), live, inputs, gvk.of_object(inputs).builtin)


def _prune_object(path: Path, live: Object, shape: Object, builtin: bool) -> Object:
    result: Object = {}
    for key, wanted in shape.items():
        where = (*path, key)
        if key in live:
            result[key] = _prune(where, live[key], wanted, builtin)
        elif means_absent(where, wanted, builtin=builtin) or (builtin and wanted == {}):
            result[key] = wanted
    return result


def _prune(path: Path, live: Json, shape: Json, builtin: bool) -> Json:
    if shape is UNKNOWN:
        return live
    if isinstance(live, dict) and isinstance(shape, dict):
        return _prune_object(path, live, shape, builtin)
    if isinstance(live, list) and isinstance(shape, list):
        return _prune_list(path, live, shape, builtin)
    return shape if same(path, live, shape, builtin=builtin) else live


def _prune_list(path: Path, live: list[Json], shape: list[Json], builtin: bool) -> list[Json]:
    """Element by element; named elements are found by name, since admission plug-ins insert their own between them."""
    names = _names(live)
    if names is not None and _names(shape) is not None:
        return [
            _prune_object((*path, index), live[names[item["name"]]], item, builtin)
            for index, item in enumerate(shape)
            if item["name"] in names
        ]
    return [
        _prune((*path, index), value, wanted, builtin)
        for index, (value, wanted) in enumerate(zip(live, shape, strict=False))
    ]


def _names(items: list[Json]) -> dict[str, int] | None:
    """Position of each element by its unique name, or None where the elements are not told apart by name."""
    if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
        return None
    names = {item["name"]: index for index, item in enumerate(items)}
    return names if len(names) == len(items) else None
