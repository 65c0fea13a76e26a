"""Check and Diff by Terraform's rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.plugins.common.bridged import (
    DEFAULTS,
    Change,
    Field,
    Shape,
    check,
    diff,
    planned,
    recorded_inputs,
)
from local.plugins.common.naming import Naming
from local.plugins.common.values import UNKNOWN, Secret

_URN = "urn:pulumi:dev::tiny::test:index/thing:Thing::lamp"
_BLOCK = {"port": Field(kind="int", required=True), "note": Field(default="none"), "made": Field(computed=True)}
SHAPE = Shape(
    token="test:index/thing:Thing",
    autonamed=True,
    fields={
        "name": Field(required=True),
        "size": Field(kind="int", default=-1, least=-1),
        "bright": Field(kind="bool", default=True),
        "place": Field(computed=True, replaces=True),
        "mood": Field(choices=("calm", "wild")),
        "tags": Field(kind="set"),
        "steps": Field(kind="list", replaces=True),
        "secret": Field(secret=True, conflicts=("once",)),
        "once": Field(write_only=True, secret=True, requires=("onceVersion",)),
        "onceVersion": Field(),
        "ports": Field(kind="list", block=_BLOCK),
        "group": Field(kind="set", block=_BLOCK),
        "options": Field(kind="object", block=_BLOCK, replaces=True),
    },
)


def checked(new: dict[str, Any], old: dict[str, Any] | None = None, naming: Naming | None = None) -> dict[str, Any]:
    inputs, failures = check(SHAPE, _URN, old or {}, new, naming or Naming(seed=b"seed"))
    assert failures == []
    return inputs


def reasons(new: dict[str, Any], naming: Naming | None = None) -> list[str]:
    return [f"{key}: {reason}" for key, reason in check(SHAPE, _URN, {}, new, naming or Naming())[1]]


def changes(state: dict[str, Any], new: dict[str, Any]) -> tuple[Change, ...]:
    return diff(SHAPE, state, new).changes


def test_defaults_are_filled_in_and_listed() -> None:
    inputs = checked({"name": "a"})
    assert inputs == {DEFAULTS: ["bright", "size"], "name": "a", "bright": True, "size": -1}


def test_defaults_inside_blocks_are_listed_there() -> None:
    inputs = checked({"name": "a", "ports": [{"port": 80}], "options": {"port": 1}})
    assert inputs["ports"] == [{"port": 80, "note": "none", DEFAULTS: ["note"]}]
    assert inputs["options"][DEFAULTS] == ["note"]


def test_an_unnamed_resource_is_named_once_and_keeps_its_name() -> None:
    first = checked({})
    assert first["name"].startswith("lamp-")
    assert len(first["name"]) == len("lamp-") + 7
    assert "name" in first[DEFAULTS]
    assert checked({}, old=first, naming=Naming(seed=b"other"))["name"] == first["name"]
    assert checked({}, naming=Naming(seed=b"seed"))["name"] == first["name"], "preview and up agree"


def test_the_engines_own_proposal_wins_and_disabled_names_are_asked_for() -> None:
    assert checked({}, naming=Naming(proposed="lamp"))["name"] == "lamp"
    assert "name: automatic names are disabled, so the resource needs a name" in reasons({}, Naming(disabled=True))


def test_a_name_that_the_program_gave_up_is_not_kept() -> None:
    assert checked({}, old={"name": "given", DEFAULTS: []})["name"] != "given"


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ({"colour": "red"}, "colour: invalid or unknown property 'colour'"),
        ({"size": "big"}, "size: expected int, got str"),
        ({"size": True}, "size: expected int, got bool"),
        ({"size": -2}, "size: expected size to be at least -1, got -2"),
        ({"mood": "odd"}, "mood: expected mood to be one of calm, wild, got odd"),
        ({"secret": "a", "once": "b", "onceVersion": "1"}, "secret: conflicts with once"),
        ({"once": "b"}, "once: needs onceVersion beside it"),
        ({"ports": [{}]}, "ports[0].port: missing required property 'port'"),
        ({"options": {"port": 1, "colour": 2}}, "options.colour: invalid or unknown property 'options.colour'"),
    ],
)
def test_wrong_inputs_are_named_with_what_is_allowed(new: dict[str, Any], reason: str) -> None:
    assert reason in reasons(new)


def test_unknown_values_pass() -> None:
    assert reasons({"size": UNKNOWN, "mood": UNKNOWN, "name": UNKNOWN}) == []


def test_what_the_type_calls_secret_is_marked() -> None:
    assert checked({"name": "a", "secret": "x"})["secret"] == Secret("x")
    assert checked({"name": "a", "secret": Secret("x")})["secret"] == Secret("x")


@given(
    st.fixed_dictionaries(
        {"name": st.text(min_size=1)},
        optional={
            "size": st.integers(-1, 9),
            "bright": st.booleans(),
            "tags": st.lists(st.text(), unique=True),
            "steps": st.lists(st.text()),
            "mood": st.sampled_from(["calm", "wild"]),
            "place": st.text(min_size=1),
            "ports": st.lists(st.fixed_dictionaries({"port": st.integers(0, 9)})),
        },
    )
)
def test_what_was_recorded_is_never_a_change(new: dict[str, Any]) -> None:
    inputs = checked(new)
    assert changes(planned(SHAPE, inputs), inputs) == ()


def test_the_order_of_a_set_means_nothing_that_of_a_list_does() -> None:
    state = {"name": "a", "tags": ["x", "y"], "steps": ["x", "y"]}
    assert changes(state, {"name": "a", "tags": ["y", "x"], "steps": ["x", "y"]}) == ()
    assert changes(state, {"name": "a", "tags": ["x"], "steps": ["x", "y"]}) == (Change(("tags",), "update"),)
    assert changes(state, {"name": "a", "tags": ["x", "y"], "steps": ["y", "x"]}) == (
        Change(("steps",), "update", replaces=True),
    )


def test_what_the_server_chose_is_no_change_and_what_it_may_not_choose_is() -> None:
    state = {"name": "a", "place": "hall", "mood": "wild"}
    assert changes(state, {"name": "a"}) == (Change(("mood",), "delete"),)


def test_nothing_and_the_empty_value_are_one() -> None:
    assert changes({"name": "a", "tags": [], "mood": ""}, {"name": "a"}) == ()
    assert changes({"name": "a"}, {"name": "a", "tags": []}) == ()


def test_a_change_inside_a_block_is_told_by_its_path() -> None:
    state = {"name": "a", "ports": [{"port": 1, "note": "none", "made": "x"}], "options": {"port": 1}}
    new = {"name": "a", "ports": [{"port": 2, "note": "none"}], "options": {"port": 2}}
    assert changes(state, new) == (
        Change(("ports", 0, "port"), "update"),
        Change(("options", "port"), "update", replaces=True),
    )


def test_sets_of_blocks_are_compared_without_order_and_without_what_the_server_chose() -> None:
    state = {"name": "a", "group": [{"port": 1, "note": "n", "made": "x"}, {"port": 2, "note": "n", "made": "y"}]}
    assert changes(state, {"name": "a", "group": [{"port": 2, "note": "n"}, {"port": 1, "note": "n"}]}) == ()
    assert changes(state, {"name": "a", "group": [{"port": 2, "note": "n"}]}) == (Change(("group",), "update"),)


def test_a_value_that_is_not_known_yet_is_a_change_and_a_write_only_one_never() -> None:
    assert changes({"name": "a", "mood": "calm"}, {"name": "a", "mood": UNKNOWN}) == (Change(("mood",), "update"),)
    assert changes({"name": "a"}, {"name": "a", "once": "b"}) == ()


def test_ignored_paths_are_no_change() -> None:
    state, new = {"name": "a", "mood": "calm"}, {"name": "a", "mood": "wild"}
    assert diff(SHAPE, state, new, ["mood"]).changes == ()


def test_a_replacement_deletes_first_only_where_the_name_would_be_in_the_way() -> None:
    state = {"name": "a", "place": "hall"}
    assert diff(SHAPE, state, {"name": "a", "place": "garden", DEFAULTS: []}).delete_first
    assert not diff(SHAPE, state, {"name": "a", "place": "garden", DEFAULTS: ["name"]}).delete_first
    assert not diff(SHAPE, state, {"name": "a", "place": "hall", "mood": "calm", DEFAULTS: []}).delete_first


def test_a_preview_shows_wanted_values_and_marks_what_only_the_server_knows() -> None:
    inputs = checked({"name": "a", "once": "x", "onceVersion": "1"})
    shown = planned(SHAPE, inputs)
    assert shown["place"] is UNKNOWN
    assert "once" not in shown
    assert planned(SHAPE, inputs, {"place": "hall"})["place"] == "hall"


def test_drift_shows_in_the_inputs_of_what_the_program_says() -> None:
    inputs = {DEFAULTS: ["bright"], "name": "a", "bright": True, "secret": Secret("x")}
    found = recorded_inputs(SHAPE, {"name": "a", "bright": False, "place": "hall", "secret": "y"}, inputs)
    assert found == {DEFAULTS: ["bright"], "name": "a", "bright": False, "secret": Secret("y")}


def test_an_import_says_everything_but_defaults() -> None:
    found = recorded_inputs(SHAPE, {"name": "a", "bright": True, "size": 3, "place": "hall", "tags": []}, {})
    assert found == {DEFAULTS: [], "name": "a", "size": 3, "place": "hall"}
