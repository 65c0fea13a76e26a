"""Secrets, unknowns and numbers between the engine and Python."""

from __future__ import annotations

import pytest
from google.protobuf import json_format, struct_pb2

from local.plugins.common.convert import decode, encode
from local.plugins.common.values import UNKNOWN, Object, Secret, contains_unknown

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_ASSET = "c44067f5952c0a294b673a41bacd8c17"


def struct(properties: Object) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())


def test_whole_floats_become_integers_and_others_stay() -> None:
    read = decode(struct({"port": 80.0, "ratio": 0.5, "big": 2.0**40}))
    assert read == {"port": 80, "ratio": 0.5, "big": 2**40}
    assert isinstance(read["port"], int)


def test_every_kind_of_value_survives_the_way_out_and_back() -> None:
    value: Object = {
        "text": "x", "number": 3, "yes": True, "nothing": None, "empty": {}, "none": [], "unknown": UNKNOWN,
        "secret": Secret({"password": "p"}), "list": [1, {"a": Secret("b")}],
    }  # fmt: skip
    assert decode(encode(value)) == value


def test_secrets_are_sent_plain_to_an_engine_that_does_not_take_them() -> None:
    assert decode(encode({"a": Secret({"b": Secret(1)})}, keep_secrets=False)) == {"a": {"b": 1}}


def test_output_values_are_read_as_what_they_hold() -> None:
    known = {_SIGNATURE: _OUTPUT, "value": "x", "secret": True}
    assert decode(struct({"a": known, "b": {_SIGNATURE: _OUTPUT}})) == {"a": Secret("x"), "b": UNKNOWN}


def test_an_asset_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="read the file in the program"):
        decode(struct({"data": {_SIGNATURE: _ASSET, "text": "x"}}))


def test_unknowns_are_found_inside_secrets_and_lists() -> None:
    assert contains_unknown({"a": [Secret({"b": UNKNOWN})]})
    assert not contains_unknown({"a": [Secret({"b": 1})]})
