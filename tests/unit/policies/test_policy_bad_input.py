"""Whatever stands in a field: no exception, no end of time, and what cannot be read does not pass."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any

import pulumi_policy
import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from omnibase_policies import RULES, Level, evaluate, objects
from omnibase_policies.examples import OBJECTS, change, example
from omnibase_policies.model import Problem
from omnibase_policies.pack import NAME, Servicer, policies
from pulumi.runtime.proto import analyzer_pb2

_NO_PATHS = ("kind", "settings", "parameters")
PLACES = sorted(
    {(str(rule.bad.get("kind", "Pod")), path) for rule in RULES.values() for path in rule.bad if path not in _NO_PATHS}
)
"""Every field that a bad example sets, with the kind of its object."""
_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
_KEYS = ("name", "type", "spec", "items", "kind", "value", "roles", "key", "host", "namespaces", _SIGNATURE)
_OF_YAML = (
    st.dates() | st.datetimes() | st.binary(max_size=4) | st.sets(st.text(max_size=2), max_size=2) | st.just(10**400)
)
"""What YAML makes of tags and of texts that look like it, and JSON cannot say."""
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(_SECRET) | _OF_YAML,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=4) | st.integers() | st.dates(), below)
    ),
    max_leaves=12,
)


def placed(kind: str, path: str, value: object) -> dict[str, Any]:
    """The hardened object of a kind with one field, or one part of the way to it, replaced."""
    manifest: dict[str, Any] = json.loads(json.dumps(OBJECTS[kind]))
    change(manifest, path, value)
    return manifest


def failed(*manifests: object) -> list[str]:
    """Rules that raised."""
    found = evaluate(list(manifests), tier="prod")
    return [f"{each.rule}: {each.message}" for each in found if "itself failed" in each.message]


def endless() -> dict[str, Any]:
    """As YAML aliases make it: written out, it would have more entries than there is memory."""
    value: dict[str, Any] = {"kind": "List", "items": ["x"]}
    for _ in range(40):
        value = {"kind": "List", "items": [value] * 10, "name": value, "value": value}
    return value


def in_itself() -> dict[str, Any]:
    value: dict[str, Any] = {_SIGNATURE: _SECRET, "kind": "List"}
    value.update({"value": value, "items": [value], "name": value})
    return value


@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=_VALUES, place=st.sampled_from(PLACES), above=st.integers(min_value=0, max_value=3))
def test_no_value_in_any_field_of_any_kind_makes_a_rule_fail(value: object, place: tuple[str, str], above: int) -> None:
    kind, path = place
    whole = path.split(".")
    shorter = ".".join(whole[: max(1, len(whole) - above)])
    assert failed(placed(kind, path, value), placed(kind, shorter, value), value) == []


@pytest.mark.parametrize("make", [endless, in_itself])
def test_values_without_end_in_any_field_are_judged_in_bounded_time(make: Any) -> None:  # noqa: ANN401 - a function
    before = time.process_time()
    for kind, path in PLACES:
        assert failed(placed(kind, path, make())) == []
    assert time.process_time() - before < 3


@pytest.mark.parametrize("make", [endless, in_itself])
def test_a_list_without_end_does_not_pass(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    monkeypatch.setattr(objects, "MOST_OBJECTS", 1000)
    manifest = make()
    manifest.pop(_SIGNATURE, None)
    assert "readable-pod" in {each.rule for each in evaluate([manifest], tier="prod")}


def test_many_containers_and_long_texts_are_judged_in_bounded_time() -> None:
    pod = example({"metadata.annotations.note": "x" * 10_000_000})
    pod["spec"]["containers"] = [{**pod["spec"]["containers"][0], "name": f"c{index}"} for index in range(500)]
    before = time.process_time()
    assert failed(pod) == []
    assert time.process_time() - before < 3


def test_the_engine_hears_of_a_rule_that_fails_at_its_level_and_of_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(pod: object, parameters: object) -> Iterator[Problem]:
        nothing: dict[str, Iterator[Problem]] = {}
        yield from nothing["secret-value"]

    assert RULES["no-host-pid"].level is Level.MANDATORY
    monkeypatch.setitem(RULES, "no-host-pid", dataclasses.replace(RULES["no-host-pid"], check_pod=broken))
    servicer = Servicer(NAME, "1", policies(), pulumi_policy.EnforcementLevel.MANDATORY)
    bad = example({"spec.hostIPC": True})
    request = analyzer_pb2.AnalyzeRequest(
        type="kubernetes:core/v1:Pod", properties=json_format.ParseDict(bad, struct_pb2.Struct()), urn="urn:x", name="x"
    )
    said = {each.policyName: each for each in servicer.Analyze(request, None).diagnostics}
    assert sorted(said) == ["no-host-ipc", "no-host-pid"]
    assert {each.enforcementLevel for each in said.values()} == {analyzer_pb2.MANDATORY}
    assert "the rule itself failed (KeyError)" in said["no-host-pid"].message
    assert "secret-value" not in str(said)
