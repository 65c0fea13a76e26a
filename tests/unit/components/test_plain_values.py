"""The quick conversions of values beside the SDK's own: the same answers to everything, and the same graphs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra import plain_values
from omnibase_infra.objects import child
from pulumi.output import UNKNOWN, Unknown
from pulumi.runtime import rpc

from tests.stacks.support import stacks
from tests.stacks.support.recorder import Recorder, record

SECRET = {rpc._special_sig_key: rpc._special_secret_sig, "value": "hunter2"}
NAMES = ("serialize_property", "contains_unknowns", "deserialize_properties", "translate_output_properties")
OWN: dict[str, Callable[..., Any]] = {name: getattr(plain_values, f"_{name}") for name in NAMES}


class Word(StrEnum):
    ONE = "one"


class Names(pulumi.CustomResource):
    """A resource whose properties have other names in Python, as those of many providers."""

    def translate_input_property(self, prop: str) -> str:
        return f"{prop}In"

    def translate_output_property(self, prop: str) -> str:
        return prop.removesuffix("In")


_LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=6)
_WIRE = st.recursive(
    _LEAVES | st.sampled_from([rpc.UNKNOWN, SECRET, {"sig": SECRET}]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=6), each, max_size=3),
    max_leaves=8,
)
_GIVEN = st.recursive(
    _LEAVES | st.sampled_from([rpc.UNKNOWN, Word.ONE, b"bytes", ("a", 1), {1, 2}]) | st.just(UNKNOWN),
    lambda each: (
        st.lists(each, max_size=3) | st.tuples(each, each) | st.dictionaries(st.text(max_size=6), each, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    plain_values.restore_conversions()


def both(name: str, *args: Any) -> tuple[str, str]:  # noqa: ANN401 -- any argument
    """What both say: a value with its types, or an error."""
    found = []
    for choose in (plain_values.restore_conversions, plain_values.replace_conversions):
        choose()
        try:
            answer = getattr(rpc, name)(*args)
            found.append(shown(asyncio.run(answer) if inspect.iscoroutine(answer) else answer))
        except (ValueError, AssertionError) as error:
            found.append(repr(error))
    return found[0], found[1]


def shown(value: Any) -> str:  # noqa: ANN401 -- any value
    """A value as a text: unknown ones are equal, and 1 is another one than True or 1.0."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {shown(below)}" for key, below in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(shown(below) for below in value) + "]"
    return "(unknown)" if isinstance(value, Unknown) else f"{type(value).__name__} {value!r}"


@pytest.mark.parametrize("name", NAMES)
def test_a_quick_function_has_the_parameters_of_the_sdks(name: str) -> None:
    own, quick = (list(inspect.signature(each).parameters) for each in (OWN[name], getattr(plain_values, name)))
    assert quick == own, f"the SDK has another {name} now: read it, and compare plain_values"
    assert OWN[name].__module__ == "pulumi.runtime.rpc"


@given(_GIVEN)
def test_every_value_is_sent_as_by_the_sdk(value: object) -> None:
    own, quick = both("serialize_property", value, [], "key")
    assert quick == own


@given(_GIVEN)
def test_what_is_not_known_is_found_as_by_the_sdk(value: object) -> None:
    own, quick = both("contains_unknowns", value)
    assert quick == own


@pytest.mark.parametrize("unknown", [True, False])
def test_a_value_that_contains_itself_is_looked_through_once(unknown: bool) -> None:
    ring: list[object] = [UNKNOWN] if unknown else []
    ring.insert(0, {"again": ring})
    assert both("contains_unknowns", ring) == (f"bool {unknown}",) * 2


@given(st.dictionaries(st.text(max_size=6), _WIRE, max_size=4), st.sampled_from([None, True, False]))
def test_every_value_is_received_as_by_the_sdk(values: dict[str, Any], keep_unknowns: bool | None) -> None:
    own, quick = both("deserialize_properties", json_format.ParseDict(values, struct_pb2.Struct()), keep_unknowns)
    assert quick == own


def test_what_the_engine_keeps_for_itself_is_left_out_where_the_sdk_leaves_it_out() -> None:
    given = json_format.ParseDict({"__defaults": [], "a": "b"}, struct_pb2.Struct())
    assert both("deserialize_properties", given, None, False) == ("{'a': str 'b'}",) * 2
    assert both("deserialize_properties", given, None, None) == ("{'__defaults': [], 'a': str 'b'}",) * 2


def test_a_value_that_is_not_set_is_an_error_as_for_the_sdk() -> None:
    own, quick = both("deserialize_properties", struct_pb2.Struct(fields={"a": struct_pb2.Value()}))
    assert quick == own == "ValueError('Value not set')"


def program() -> None:
    """Everything that a value can be, and names that are translated."""
    parent = pulumi.ComponentResource("t:index:T", "t", {"plain": {"a": [1, 1.5, None, True, "x"]}, "tuple": (1, 2)})
    secret = pulumi.Output.secret({"password": "eA=="})
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": secret}
    first = child(parent, "s", manifest)
    spec = {"names": [first.metadata["name"], "b"], "word": Word.ONE, "none": None, "unknown": UNKNOWN}
    child(parent, "w", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "w"}, "spec": spec})
    named = Names("t:index:N", "n", {"props": {"inner": {"x": 1}}, "asset": pulumi.StringAsset("text")})
    pulumi.ComponentResource(
        "t:index:U", "u", {"of": named, "got": pulumi.Output.from_input(pulumi.get(named, "props"))}
    )


def told(recorder: Recorder) -> list[bytes]:
    """What was sent, without the lines of this file."""
    for _, request in recorder.requests:
        request.ClearField("stackTrace")
        request.ClearField("sourcePosition")
    return sorted(request.SerializeToString(deterministic=True) for _, request in recorder.requests)


@pytest.mark.parametrize("preview", [True, False])
def test_a_program_with_secrets_references_assets_and_other_names_sends_the_same(preview: bool) -> None:
    own, quick = record(program, preview=preview, as_sdk=True), record(program, preview=preview)
    assert len(own.requests) == 6
    assert [told(quick), quick.outputs] == [told(own), own.outputs]
    (named,) = [each for each in quick.registrations() if each.name == "n"]
    assert named.inputs["propsIn"] == {"innerIn": {"xIn": 1}}


def test_a_whole_stack_is_the_same_with_the_sdks_own_conversions() -> None:
    own, quick = stacks.record_stack("dev", as_sdk=True).registrations(), stacks.registrations("dev")
    assert list(map(stacks.golden_entry, quick)) == list(map(stacks.golden_entry, own))
