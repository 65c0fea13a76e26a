"""Between the engine's protobuf structs and Python values."""

from __future__ import annotations

import math

from google.protobuf import struct_pb2

from local.plugins.common.values import UNKNOWN, Json, Object, Secret

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # the protocol's mark of a secret, not one
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNSENDABLE = {
    "c44067f5952c0a294b673a41bacd8c17": "asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "archive",
}
_UNKNOWNS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def decode(struct: struct_pb2.Struct) -> Object:
    """An engine's property map as Python values.

    Raises:
        ValueError: an asset or archive, which no stand-in takes.
    """
    return {key: _decode(value) for key, value in struct.fields.items()}


def encode(properties: Object, *, keep_secrets: bool = True) -> struct_pb2.Struct:
    """Python values as an engine's property map; secret marks are dropped where the engine does not take them."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode(value, struct.fields[key], keep_secrets)
    return struct


def _decode(value: struct_pb2.Value) -> Json:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return _decode_object(value.struct_value)
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    return None


def _number(number: float) -> int | float:
    """Protobuf knows only doubles; the API server refuses `80.0` where it wants an integer."""
    return int(number) if math.isfinite(number) and number == math.floor(number) else number


def _decode_object(struct: struct_pb2.Struct) -> Json:
    fields = struct.fields
    signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else ""
    if signature == _SECRET:
        return Secret(_decode(fields["value"]))
    if signature == _OUTPUT:
        inner = _decode(fields["value"]) if "value" in fields else UNKNOWN
        return Secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
    if signature in _UNSENDABLE:
        raise ValueError(
            f"an {_UNSENDABLE[signature]} was given where the provider wants plain values; "
            "read the file in the program and pass its text"
        )
    return {key: _decode(value) for key, value in fields.items()}


def _encode(value: Json, into: struct_pb2.Value, keep_secrets: bool) -> None:
    if value is None:
        into.null_value = struct_pb2.NULL_VALUE
    elif value is UNKNOWN:
        into.string_value = _UNKNOWN_STRING
    elif isinstance(value, str):
        into.string_value = value
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int | float):
        into.number_value = value
    elif isinstance(value, Secret):
        if not keep_secrets:
            _encode(value.value, into, keep_secrets)
            return
        into.struct_value.fields[_SIGNATURE].string_value = _SECRET
        _encode(value.value, into.struct_value.fields["value"], keep_secrets)
    elif isinstance(value, dict):
        fields = into.struct_value.fields
        into.struct_value.SetInParent()
        for key, item in value.items():
            _encode(item, fields[key], keep_secrets)
    else:
        into.list_value.SetInParent()
        for item in value:
            _encode(item, into.list_value.values.add(), keep_secrets)
