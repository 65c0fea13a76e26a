"""The SDK's conversions of values, quicker for plain ones: for `program.save_time`, in a process that runs one program.

Pulumi's SDK (3.259.0) asks each text and number of a manifest whether it is an output, a resource, an asset, a secret
or unknown, through a dozen calls and a coroutine, and once more on its way back from the engine: a third of the time
that a graph takes. Nearly all of our values are texts, numbers, lists and dicts alone. These are converted here in one
pass; everything else, whatever it is, is left to the SDK's own function. tests/unit/components/test_plain_values.py
holds both against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
from google.protobuf import struct_pb2
from pulumi.runtime import rpc

_LEAVES = frozenset({str, int, float, bool, type(None)})
_DEEPEST = 100
"""More levels than any value of ours has: one that has more could contain itself."""
_SIGNATURE = rpc._special_sig_key  # of what is no plain mapping: secrets, resources, assets
_KEEP_NAMES = (None, pulumi.Resource.translate_input_property, pulumi.Resource.translate_output_property)
_serialize_property, _contains_unknowns = rpc.serialize_property, rpc.contains_unknowns
_deserialize_properties, _translate_output_properties = rpc.deserialize_properties, rpc.translate_output_properties


class _NotPlainError(Exception):
    """A value for the SDK's own function."""


def replace_conversions() -> None:
    """Put the quick functions into the place of the SDK's, for this process."""
    rpc.serialize_property, rpc.contains_unknowns = serialize_property, contains_unknowns
    rpc.deserialize_properties, rpc.translate_output_properties = deserialize_properties, translate_output_properties


def restore_conversions() -> None:
    """Put the SDK's own functions back."""
    rpc.serialize_property, rpc.contains_unknowns = _serialize_property, _contains_unknowns
    rpc.deserialize_properties = _deserialize_properties
    rpc.translate_output_properties = _translate_output_properties


async def serialize_property(  # noqa: PLR0917 -- the SDK's signature, here and below
    value: Any,  # noqa: ANN401
    deps: list[pulumi.Resource] | None,
    property_key: str | None,
    resource_obj: pulumi.Resource | None = None,
    input_transformer: Callable[[str], str] | None = None,
    typ: type | None = None,
    keep_output_values: bool = False,
    exclude_resource_refs_from_deps: bool = False,
    return_protobuf_value: bool = False,
) -> Any:  # noqa: ANN401
    """A value as it is sent."""
    if typ is None and not return_protobuf_value and _keeps_names(input_transformer):
        try:
            return _copy(value)
        except _NotPlainError:
            pass
    return await _serialize_property(
        value,
        deps,
        property_key,
        resource_obj,
        input_transformer,
        typ,
        keep_output_values,
        exclude_resource_refs_from_deps,
        return_protobuf_value,
    )


def contains_unknowns(val: Any) -> bool:  # noqa: ANN401
    """Whether a part of a value is not known yet."""
    return not _is_plain(val) and _contains_unknowns(val)


def deserialize_properties(
    props_struct: struct_pb2.Struct, keep_unknowns: bool | None = None, keep_internal: bool | None = True
) -> Any:  # noqa: ANN401
    """A mapping as it was received."""
    if keep_internal is not False:
        try:
            return _read_struct(props_struct)
        except _NotPlainError:
            pass
    return _deserialize_properties(props_struct, keep_unknowns, keep_internal)


def translate_output_properties(  # noqa: PLR0917
    output: Any,  # noqa: ANN401
    output_transformer: Callable[[str], str],
    typ: type | None = None,
    transform_using_type_metadata: bool = False,
    path: rpc._Path | None = None,
    return_none_on_dict_type_mismatch: bool = False,
) -> Any:  # noqa: ANN401
    """A received value under the names of its class, which are the engine's where a class says nothing else."""
    if typ is None and _keeps_names(output_transformer):
        return output
    return _translate_output_properties(
        output, output_transformer, typ, transform_using_type_metadata, path, return_none_on_dict_type_mismatch
    )


def _keeps_names(transformer: Callable[[str], str] | None) -> bool:
    return getattr(transformer, "__func__", transformer) in _KEEP_NAMES


def _is_plain(value: object, levels: int = _DEEPEST) -> bool:
    kind = type(value)
    if kind in _LEAVES:
        return True
    if isinstance(value, dict) and kind is dict and levels:
        return all(_is_plain(below, levels - 1) for below in value.values())
    if isinstance(value, list) and kind is list and levels:
        return all(_is_plain(below, levels - 1) for below in value)
    return False


def _copy(value: object) -> object:
    kind = type(value)
    if kind in _LEAVES:
        return value
    if isinstance(value, dict) and kind is dict:
        return {key: _copy(below) for key, below in value.items()}
    if isinstance(value, list | tuple) and kind in (list, tuple):
        return [_copy(below) for below in value]
    raise _NotPlainError


def _read_struct(struct: struct_pb2.Struct) -> dict[str, object]:
    if _SIGNATURE in struct.fields:
        raise _NotPlainError
    return {key: found for key, below in struct.fields.items() if (found := _read(below)) is not None}


def _read(value: struct_pb2.Value) -> object:
    kind = value.WhichOneof("kind")
    if kind is None or (kind == "string_value" and value.string_value == rpc.UNKNOWN):
        raise _NotPlainError
    if kind == "struct_value":
        return _read_struct(value.struct_value)
    if kind == "list_value":
        return [_read(below) for below in value.list_value.values]
    return None if kind == "null_value" else getattr(value, kind)
