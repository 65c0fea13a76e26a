"""Settings that cannot be: every message of a corpus of broken stack files, and what any change of a valid one does."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omnibase_infra.config import ConfigError, Problem, load, read_stack_file

from tests.unit.components import corpus_kit

VALID = read_stack_file(corpus_kit.CORPUS / "dev.stack.yaml", "dev").values
Keys = tuple[str | int, ...]


@pytest.mark.req("C1.1", "C1.3", "C1.4")
def test_every_broken_stack_file_gives_exactly_its_messages() -> None:
    cases = corpus_kit.cases("settings.yaml")
    found = {case["name"]: corpus_kit.problems_of_settings(case) for case in cases}
    if os.environ.get("UPDATE_GOLDENS"):
        corpus_kit.write("settings.yaml", [{**case, "expected": found[case["name"]]} for case in cases])
        cases = corpus_kit.cases("settings.yaml")
    assert found == {case["name"]: case["expected"] for case in cases}
    assert [name for name, problems in found.items() if not problems] == [
        "nothing is wrong with the valid file of dev",
        "nothing is wrong with the valid file of prod",
    ]
    assert "hunter2" not in str(found)


@pytest.mark.req("C1.3")
def test_the_corpus_is_large_and_no_case_occurs_twice() -> None:
    names = [case["name"] for file in ("yaml.yaml", "settings.yaml") for case in corpus_kit.cases(file)]
    assert len(names) >= 240
    assert len(names) == len(set(names))


def _leaves(value: Any, keys: Keys = ()) -> Iterator[Keys]:  # noqa: ANN401 -- values of a stack file
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in below:
        yield (*keys, key)
        yield from _leaves(each, (*keys, key))


PLACES = sorted(_leaves(VALID), key=str)


def _mutated(keys: Keys, value: object) -> dict[str, Any]:
    made = copy.deepcopy(dict(VALID))
    level: Any = made
    for key in keys[:-1]:
        level = level[key]
    level[keys[-1]] = value
    return made


def _problems(values: dict[str, Any]) -> tuple[Problem, ...]:
    try:
        load("dev", values, {})
    except ConfigError as error:
        return error.problems
    return ()


@pytest.mark.req("C1.3")
@given(st.sampled_from(PLACES))
def test_a_value_of_a_kind_that_exists_nowhere_is_reported_at_its_place(keys: Keys) -> None:
    path = ".".join(str(key) for key in keys)
    found = _problems(_mutated(keys, {"Nobody has-this": [None]}))
    assert any(problem.path.startswith(path) for problem in found), found


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10**9) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=6), each, max_size=3),
    max_leaves=4,
)


@pytest.mark.req("C1.3")
@settings(max_examples=200)
@given(st.sampled_from(PLACES), _ANYTHING)
def test_any_single_change_still_loads_or_is_reported_and_nothing_else_happens(keys: Keys, value: object) -> None:
    assert all(problem.path and problem.allowed for problem in _problems(_mutated(keys, value)))


@pytest.mark.req("C1.3")
@given(st.sampled_from(PLACES))
def test_whatever_is_left_out_the_rest_loads_or_what_misses_it_is_reported(keys: Keys) -> None:
    made = copy.deepcopy(dict(VALID))
    level: Any = made
    for key in keys[:-1]:
        level = level[key]
    del level[keys[-1]]
    assert all(problem.path and problem.allowed for problem in _problems(made))


_NAMES = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
_SERVICES = st.fixed_dictionaries(
    {
        "ports": st.dictionaries(st.sampled_from(["http", "admin", "probe"]), st.integers(1024, 65535), min_size=1),
        "health": st.sampled_from([{"tcp": True}, {"path": "/health"}, {"command": ["true"]}]),
    },
    optional={
        "env": st.dictionaries(st.from_regex(r"[A-Z][A-Z]{0,8}_LEVEL", fullmatch=True), st.sampled_from(["a", "7"])),
        "stop_grace_seconds": st.integers(30, 90),
        "memory_mib": st.integers(64, 96),
        "cpu_request_millis": st.integers(1, 20),
        "layer": st.sampled_from(["infrastructure", "runtime", "observability", "auth", "secrets"]),
        "log_level": st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR"]),
    },
)


@pytest.mark.req("C1.1")
@settings(max_examples=60)
@given(st.dictionaries(_NAMES, _SERVICES, max_size=4))
def test_any_services_that_are_valid_by_themselves_load_beside_each_other(services: dict[str, Any]) -> None:
    for service in services.values():
        ports = service["ports"]
        service["ports"] = dict(zip(ports, sorted({*ports.values(), 1024, 1025, 1026}), strict=False))
        if "http" not in ports:
            service["health"] = (
                {**service["health"], "port": next(iter(ports))}
                if "command" not in service["health"]
                else service["health"]
            )
    found = load("dev", {**VALID, "services": {**VALID["services"], **services}}, {}).config
    assert set(services) <= set(found.services)
