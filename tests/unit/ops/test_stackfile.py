"""A pin is written into a stack file and taken out again, and every other byte stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from local.errors import InputError
from ops.stackfile import with_note, with_value, without_key

ROOT = Path(__file__).resolve().parents[3]
PATH = ["config", "omnibase-infra:images", "pins", "reference"]
REFERENCE = "127.0.0.1:5000/omnibase/reference:0.1.0-abc@sha256:" + "a" * 64


@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_a_pin_comes_and_goes_without_a_trace_in_every_stack_file(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    pinned = with_value(text, PATH, REFERENCE, "rolled back 2026-03-01 10:00 UTC")
    assert yaml.safe_load(pinned)["config"]["omnibase-infra:images"]["pins"] == {"reference": REFERENCE}
    assert f"      reference: {REFERENCE} # rolled back 2026-03-01 10:00 UTC\n" in pinned
    assert set(text.splitlines()) < set(pinned.splitlines()), "comments and everything else stay"
    assert without_key(pinned, PATH) == text


def test_one_pin_goes_and_the_others_stay() -> None:
    text = "config:\n  omnibase-infra:images:\n    pins:\n      # of others\n      other: a\n      reference: b # why\n"
    assert without_key(text, PATH) == text.replace("      reference: b # why\n", "")


def test_what_is_not_there_is_not_taken_out() -> None:
    for text in ("config:\n  a: 1\n", "config:\n  omnibase-infra:images: local\n", "a: 1\n"):
        assert without_key(text, PATH) == text


def test_a_form_that_cannot_be_changed_safely_is_refused_with_what_to_do_by_hand() -> None:
    text = "config: {omnibase-infra:images: {lock: local, pins: {reference: a}}}\n"
    with pytest.raises(InputError) as caught:
        without_key(text, PATH)
    assert "take config.omnibase-infra:images.pins.reference out by hand" in str(caught.value.hint)


def test_a_note_stands_above_its_key_or_above_the_nearest_one_that_is_there() -> None:
    text = "# head\nconfig:\n  a: 1\n  b: # two\n    c: 3\n"
    assert with_note(text, ["config", "b", "c"], "why") == text.replace("    c: 3", "    # why\n    c: 3")
    assert with_note(text, ["config", "b"], "why") == text.replace("  b: #", "  # why\n  b: #")
    assert with_note(text, ["config", "d"], "why") == text.replace("config:", "# why\nconfig:")
    assert with_note("config: {a: 1}\n", ["config", "a"], "why") == "# why\nconfig: {a: 1}\n"


_NAMES = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=6)


@given(st.dictionaries(_NAMES, st.integers(), min_size=1, max_size=4), st.dictionaries(_NAMES, st.just(REFERENCE)))
def test_any_set_of_pins_keeps_its_other_pins(others: dict[str, int], pins: dict[str, str]) -> None:
    config: dict[str, object] = {"a:first": 1, "omnibase-infra:images": {**others, "pins": pins} if pins else others}
    text = yaml.safe_dump({"config": config}, sort_keys=False)
    pinned = with_value(without_key(text, PATH), PATH, REFERENCE)
    assert yaml.safe_load(pinned)["config"]["omnibase-infra:images"]["pins"] == {**pins, "reference": REFERENCE}
    expected = {name: reference for name, reference in pins.items() if name != "reference"}
    released = yaml.safe_load(without_key(pinned, PATH))["config"]["omnibase-infra:images"]
    assert released.get("pins", {}) == expected
