"""Check and Diff of a provider that is bridged from Terraform, from a table of its resource type's fields.

The official provider fills in Terraform's defaults and lists them under `__defaults`, names what the program leaves
unnamed, compares what was recorded with what is wanted, and leaves alone what the server may choose (`computed`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from local.plugins.common.naming import Naming
from local.plugins.common.propertypath import Path, covers, parse
from local.plugins.common.urn import name_of
from local.plugins.common.values import UNKNOWN, Json, Object, Secret, contains_secret, contains_unknown, plain

DEFAULTS = "__defaults"
"""Key under which the checked inputs list the fields that the program left out."""

FieldKind = Literal["string", "bool", "int", "number", "map", "list", "set", "object"]
_SUFFIX_DIGITS = 7
_PLAIN_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "bool": (bool,),
    "int": (int,),
    "number": (int, float),
    "map": (dict,),
    "list": (list,),
    "set": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property of a resource type, by Terraform's rules."""

    kind: FieldKind = "string"
    """A set is a list whose order means nothing; an object is a block of which there is at most one."""
    required: bool = False
    default: Json = None
    """Filled in where the program says nothing."""
    computed: bool = False
    """The server chooses where the program says nothing, so what it chose is no change."""
    replaces: bool = False
    """Another value needs a new object."""
    secret: bool = False
    write_only: bool = False
    """Never read back; compared with nothing."""
    choices: tuple[str, ...] = ()
    least: int | None = None
    """Smallest number."""
    conflicts: tuple[str, ...] = ()
    """Fields that exclude this one."""
    requires: tuple[str, ...] = ()
    """Fields without which this one means nothing."""
    block: Mapping[str, Field] = field(default_factory=dict)
    """Fields of an object, or of every element of a list or set of blocks."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A resource type."""

    token: str
    fields: Mapping[str, Field]
    autonamed: bool = False
    """A missing `name` is made from the resource's."""
    delete_first: bool = False
    """A replacement must not stand beside the old object, whatever its name."""


@dataclass(frozen=True)
class Change:
    """One changed field."""

    path: Path
    op: Literal["add", "update", "delete"]
    replaces: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What has to happen to an object."""

    changes: tuple[Change, ...] = ()
    delete_first: bool = False

    @property
    def replaces(self) -> bool:
        """Whether a new object is needed."""
        return any(change.replaces for change in self.changes)


# -- Check -------------------------------------------------------------------------------------------------------------


def check(shape: Shape, urn: str, old: Object, new: Object, naming: Naming) -> tuple[Object, list[tuple[str, str]]]:
    """The inputs as they are recorded, and what is wrong with them as (property, reason)."""
    inputs = {key: value for key, value in new.items() if key != DEFAULTS and value is not None}
    failures: list[tuple[str, str]] = []
    defaulted: list[str] = []
    if shape.autonamed and "name" not in inputs:
        inputs["name"] = _name(urn, plain(old), naming)
        defaulted.append("name")
        if not inputs["name"]:
            failures.append(("name", "automatic names are disabled, so the resource needs a name"))
    failures += _problems(shape.fields, inputs, "")
    failures += [(key, f"missing required property '{key}'") for key in _missing(shape.fields, inputs)]
    defaulted += _fill(shape.fields, inputs)
    for key, known in shape.fields.items():
        if known.secret and key in inputs and not contains_secret(inputs[key]):
            inputs[key] = Secret(inputs[key])
    return {DEFAULTS: sorted(defaulted), **inputs}, failures


def _name(urn: str, old: Object, naming: Naming) -> str:
    """The name chosen earlier, or a new one; empty where the stack's configuration forbids automatic names."""
    if old.get("name") and "name" in old.get(DEFAULTS, []):
        return str(old["name"])
    if naming.disabled:
        return ""
    return naming.proposed or f"{name_of(urn)}-{_suffix(naming.seed)}"


def _suffix(seed: bytes) -> str:
    digits = hashlib.sha256(seed).hexdigest() if seed else secrets.token_hex(_SUFFIX_DIGITS)
    return digits[:_SUFFIX_DIGITS]


def _fill(fields: Mapping[str, Field], inputs: Object) -> list[str]:
    """Terraform's defaults, in place, also inside blocks; returns the keys of this level that were filled."""
    filled = [key for key, known in fields.items() if known.default is not None and key not in inputs]
    for key, known in fields.items():
        if key in filled:
            inputs[key] = known.default
        for block in _blocks(known, inputs.get(key)):
            block[DEFAULTS] = sorted(_fill(known.block, block))
    return filled


def _blocks(known: Field, value: Json) -> list[Object]:
    """The blocks that a value holds."""
    if not known.block:
        return []
    held = plain_top(value)
    return [item for item in (held if isinstance(held, list) else [held]) if isinstance(item, dict)]


def plain_top(value: Json) -> Json:
    """A value without its outermost secret mark."""
    return value.value if isinstance(value, Secret) else value


def _missing(fields: Mapping[str, Field], inputs: Object) -> list[str]:
    return [key for key, known in fields.items() if known.required and key not in inputs]


def _problems(fields: Mapping[str, Field], inputs: Object, prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in inputs.items():
        where = f"{prefix}{key}"
        known = fields.get(key)
        if known is None:
            if key != DEFAULTS:
                yield where, f"invalid or unknown property '{where}'"
            continue
        held = plain_top(value)
        if held is UNKNOWN:
            continue
        yield from ((where, reason) for reason in _wrong(known, key, held, inputs))
        for number, block in enumerate(_blocks(known, held)):
            below = f"{where}." if known.kind == "object" else f"{where}[{number}]."
            yield from _problems(known.block, block, below)
            yield from (
                (f"{below}{name}", f"missing required property '{name}'") for name in _missing(known.block, block)
            )


def _wrong(known: Field, key: str, held: Json, inputs: Object) -> Iterator[str]:
    wanted = _PLAIN_TYPES[known.kind]
    if not isinstance(held, wanted) or (isinstance(held, bool) and bool not in wanted):
        yield f"expected {known.kind}, got {type(held).__name__}"
        return
    if known.choices and held not in known.choices:
        yield f"expected {key} to be one of {', '.join(known.choices)}, got {held}"
    if known.least is not None and isinstance(held, int | float) and held < known.least:
        yield f"expected {key} to be at least {known.least}, got {held}"
    yield from (f"conflicts with {other}" for other in known.conflicts if other in inputs)
    yield from (f"needs {other} beside it" for other in known.requires if other not in inputs)


# -- Diff --------------------------------------------------------------------------------------------------------------


def diff(shape: Shape, state: Object, new_inputs: Object, ignored: Iterable[str] = ()) -> Plan:
    """Compare what was recorded (or read by a refresh) with what is wanted.

    Raises:
        ValueError: an ignoreChanges path that cannot be read.
    """
    outer = [parse(text) for text in ignored]
    old, new = plain(state), plain(new_inputs)
    found = [
        change
        for key, known in shape.fields.items()
        if not known.write_only
        for change in _compare((key,), known, old.get(key), new.get(key))
        if not any(covers(path, change.path) for path in outer)
    ]
    fixed_name = shape.autonamed and "name" not in new.get(DEFAULTS, []) and old.get("name") == new.get("name")
    return Plan(
        changes=tuple(found),
        delete_first=any(change.replaces for change in found) and (shape.delete_first or fixed_name),
    )


def _compare(path: Path, known: Field, old: Json, new: Json) -> list[Change]:
    if new is None and known.computed:
        return []
    if new is not None and contains_unknown(new):
        return [Change(path, "update", known.replaces)]
    if same(known, old, new):
        return []
    if known.block and isinstance(old, dict) and isinstance(new, dict):
        return _compare_blocks(path, known, old, new)
    if (
        known.block
        and known.kind == "list"
        and isinstance(old, list)
        and isinstance(new, list)
        and len(old) == len(new)
    ):
        pairs = enumerate(zip(old, new, strict=True))
        return [change for number, (was, is_) in pairs for change in _compare_blocks((*path, number), known, was, is_)]
    op: Literal["add", "update", "delete"] = "add" if empty(old) else "delete" if empty(new) else "update"
    return [Change(path, op, known.replaces)]


def _compare_blocks(path: Path, known: Field, old: Object, new: Object) -> list[Change]:
    found = [
        change
        for key, below in known.block.items()
        for change in _compare((*path, key), below, old.get(key), new.get(key))
    ]
    return [Change(change.path, change.op, change.replaces or known.replaces) for change in found]


def same(known: Field, old: Json, new: Json) -> bool:
    """Whether a recorded value is what is wanted; nothing, an empty text, an empty list, 0 and False are one."""
    if (new is None and known.computed) or (empty(old) and empty(new)):
        return True
    if empty(old) != empty(new):
        return False
    if known.kind == "set":
        return _same_sets(known, list(old), list(new))
    if not known.block:
        return bool(old == new)
    pairs = list(zip(old, new, strict=False)) if known.kind == "list" else [(old, new)]
    return (known.kind != "list" or len(old) == len(new)) and all(_same_blocks(known.block, *pair) for pair in pairs)


def _same_sets(known: Field, old: list[Json], new: list[Json]) -> bool:
    if len(old) != len(new):
        return False
    left = list(old)
    for wanted in new:
        match = next(
            (item for item in left if (_same_blocks(known.block, item, wanted) if known.block else item == wanted)),
            None,
        )
        if match is None:
            return False
        left.remove(match)
    return True


def _same_blocks(block: Mapping[str, Field], old: Object, new: Object) -> bool:
    return all(same(below, old.get(key), new.get(key)) for key, below in block.items())


def empty(value: Json) -> bool:
    """Whether Terraform takes a value for nothing."""
    return value is None or (not isinstance(value, Secret) and value in ("", 0, False, [], {}))


# -- Create, Read ------------------------------------------------------------------------------------------------------


def planned(shape: Shape, inputs: Object, state: Object | None = None) -> Object:
    """The outputs as a preview shows them: wanted values, what the server chose before, and the unknown."""
    outputs: Object = {}
    for key, known in shape.fields.items():
        if known.write_only:
            continue
        if key in inputs:
            outputs[key] = inputs[key]
        elif known.computed:
            outputs[key] = UNKNOWN if state is None else state.get(key)
    return outputs


def recorded_inputs(shape: Shape, state: Object, inputs: Object) -> Object:
    """The inputs after a read: those that the program gave, with the values that were found, so that drift shows.

    Without earlier inputs (import) everything that a program would have to say.
    """
    known_inputs = {key: value for key, value in inputs.items() if key != DEFAULTS}
    if known_inputs:
        found = {
            key: _keep_secret(state.get(key, value), value) if key in state else value
            for key, value in known_inputs.items()
        }
        return {DEFAULTS: plain(inputs).get(DEFAULTS, []), **found}
    found = {
        key: state[key]
        for key, known in shape.fields.items()
        if key in state and not known.write_only and _worth_saying(known, plain(state[key]), key)
    }
    return {DEFAULTS: [], **found}


def _worth_saying(known: Field, value: Json, key: str) -> bool:
    if known.required or key == "name":
        return True
    return not empty(value) and value != known.default


def _keep_secret(value: Json, like: Json) -> Json:
    return Secret(value) if contains_secret(like) and not isinstance(value, Secret) else value
