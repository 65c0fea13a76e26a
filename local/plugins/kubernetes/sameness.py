"""When two spellings of a field mean the same to the API server, so that no change and no drift is reported for it."""

from __future__ import annotations

import base64
import binascii
import re
from fractions import Fraction

from local.plugins.common.propertypath import Path
from local.plugins.common.values import UNKNOWN, Json, Object, dig, remove
from local.plugins.kubernetes import gvk
from local.plugins.kubernetes.values import encode_base64

_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i|)$")
_SUFFIX = {
    "": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": Fraction(1000),
    **{letter: Fraction(1000**power) for power, letter in enumerate("MGTPE", start=2)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}  # fmt: skip
_QUANTITY_MAPS = frozenset({"limits", "requests", "hard", "capacity", "allocatable", "podFixed"})
_BUILTIN_QUANTITY_MAPS = frozenset({"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"})
_QUANTITIES = frozenset({"sizeLimit", "divisor", "averageValue", "storage"})

# Go drops these when they are zero (no pointer behind them), so the server never returns them. Fields with a pointer,
# such as automountServiceAccountToken, must not be here: there `false` and absent differ.
_DROPPED_FALSE = frozenset(
    {
        "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "publishNotReadyAddresses",
        "paused", "nullable", "deprecated", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems", "recursiveReadOnly",
        "globalDefault", "unschedulable", "insecureSkipTLSVerify",
    }
)  # fmt: skip
_DROPPED_ZERO = frozenset(
    {"initialDelaySeconds", "periodSeconds", "successThreshold", "failureThreshold", "minReadySeconds", "nodePort",
     "hostPort"}
)  # fmt: skip
_DROPPED_EMPTY = frozenset({"value", "subPath", "apiGroup", "nodeName", "hostname"})
_FREE_MAPS = frozenset({"data", "binaryData", "stringData", "labels", "annotations", "matchLabels", "parameters"})
_READ_ONLY_METADATA = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
    "resourceVersion", "uid",
)  # fmt: skip


def quantity(value: Json) -> Fraction | None:
    """A resource quantity's number ("500m", "1Gi", 2), or None for anything else."""
    if isinstance(value, bool):
        return None
    match = _QUANTITY.match(value) if isinstance(value, str) else None
    if isinstance(value, int | float):
        return Fraction(value)
    if match is None:
        return None
    number, suffix = match.groups()
    scale = _SUFFIX.get(suffix)
    return Fraction(number) * scale if scale is not None else Fraction(number + suffix)


def same(path: Path, old: Json, new: Json, *, builtin: bool) -> bool:
    """Whether two values of one field mean the same; objects and lists are compared with all they hold."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(
            _same_entry((*path, key), old.get(key), new.get(key), builtin=builtin) for key in old.keys() | new.keys()
        )
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(
            same((*path, index), left, right, builtin=builtin)
            for index, (left, right) in enumerate(zip(old, new, strict=True))
        )
    if old is UNKNOWN or new is UNKNOWN:
        return False
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return True
    return _is_quantity(path, builtin) and quantity(old) is not None and quantity(old) == quantity(new)


def _same_entry(path: Path, old: Json, new: Json, *, builtin: bool) -> bool:
    if old is None:
        return means_absent(path, new, builtin=builtin)
    if new is None:
        return means_absent(path, old, builtin=builtin)
    return same(path, old, new, builtin=builtin)


def means_absent(path: Path, value: Json, *, builtin: bool) -> bool:
    """Whether a field with this value is the same as no field: null always, and what Go's types drop."""
    if value is None:
        return True
    key, parent = path[-1], path[-2] if len(path) > 1 else ""
    if value == {} and isinstance(value, dict) and parent == "metadata":
        return key in {"labels", "annotations"}
    if not builtin or parent in _FREE_MAPS:
        return False
    return not value and _drops_zero(key, value)


def _drops_zero(key: str | int, value: Json) -> bool:
    if isinstance(value, bool):
        return key in _DROPPED_FALSE
    if isinstance(value, int | float):
        return key in _DROPPED_ZERO
    if isinstance(value, str):
        return key in _DROPPED_EMPTY
    return isinstance(value, list)


def _is_quantity(path: Path, builtin: bool) -> bool:
    parent = path[-2] if len(path) > 1 else ""
    if parent in _FREE_MAPS:
        return False
    return (
        parent in _QUANTITY_MAPS or path[-1] in _QUANTITIES or (builtin and parent in _BUILTIN_QUANTITY_MAPS)
    )  # fmt: skip


def normalize(obj: Object) -> Object:
    """Inputs as they are recorded and compared, in place: no read-only metadata, a Secret's text as base64 data."""
    if isinstance(obj.get("metadata"), dict):
        for key in _READ_ONLY_METADATA:
            obj["metadata"].pop(key, None)
    kind = gvk.of_object(obj)
    if kind.kind == "CustomResourceDefinition" and kind.group == "apiextensions.k8s.io":
        if dig(obj, "spec", "preserveUnknownFields") is False:
            remove(obj, "spec", "preserveUnknownFields")
        obj.pop("status", None)
    elif kind == gvk.Kind("", "v1", "Secret"):
        _normalize_secret(obj)
    return obj


def _normalize_secret(obj: Object) -> None:
    text, data = obj.get("stringData"), obj.get("data")
    if isinstance(text, dict) and text and all(isinstance(item, str) for item in text.values()):
        if data is UNKNOWN:
            return
        obj["data"] = {**(data or {}), **{key: encode_base64(item) for key, item in text.items()}}
        del obj["stringData"]
    elif isinstance(data, dict):
        obj["data"] = {key: _rewrite_base64(item) for key, item in data.items()}


def _rewrite_base64(value: Json) -> Json:
    """Base64 with line breaks is legal in a manifest; the server returns it without."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64encode(base64.b64decode("".join(value.split()), validate=True)).decode()
    except (binascii.Error, ValueError):
        return value  # the server says what is wrong with it
