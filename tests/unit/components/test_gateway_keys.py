"""What makes an API key good enough."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.gateway.keys import LEAST_BITS, SHORTEST_KEY, entropy_bits, key_problems

GOOD = "Zt4wQ8vLx2Rk9Bn6Yc3Hf7Jm5Pd1Sg0UaEoIqWzXyT"


@pytest.mark.req("C5.1", "V12")
@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("", "has 0 characters"),
        (GOOD[: SHORTEST_KEY - 1], f"has {SHORTEST_KEY - 1} characters, at least {SHORTEST_KEY}"),
        ("a" * 64, "easy to guess"),
        ("Abc123xyZ0" * 5, "easy to guess"),  # the repetition adds nothing
        ("0123456789" * 4, "easy to guess"),
        (f"changeme{GOOD}", "placeholder"),
        (f"{GOOD}-Default", "placeholder"),
        (f"{GOOD} {GOOD}", "header cannot carry"),
        (f"{GOOD}é", "header cannot carry"),
    ],
)
def test_a_weak_key_is_refused_by_the_name_of_its_client_and_never_shown(key: str, complaint: str) -> None:
    (problem,) = key_problems({"partner": key})
    assert problem.startswith("clients.partner: its API key")
    assert complaint in problem
    assert not key or key not in problem


def test_a_key_of_two_clients_is_refused_once_for_both() -> None:
    (problem,) = key_problems({"b": GOOD, "a": GOOD, "c": GOOD[::-1]})
    assert problem == "clients a, b have the same API key; give each its own"


@pytest.mark.parametrize("make", [secrets.token_hex, secrets.token_urlsafe])
def test_what_a_good_generator_makes_is_accepted(make: object) -> None:
    assert callable(make)
    keys = {f"client-{number}": make(32) for number in range(200)}
    assert key_problems(keys) == []


@given(st.text(alphabet="ab01", max_size=70))
def test_no_short_alphabet_makes_a_good_key_of_usual_length(text: str) -> None:
    assert key_problems({"x": text}) != [] or entropy_bits(text) >= LEAST_BITS


@given(st.text(min_size=1, max_size=80))
def test_entropy_is_between_nothing_and_that_of_all_different_characters(text: str) -> None:
    assert 0 <= entropy_bits(text) <= len(text) * 6.4
