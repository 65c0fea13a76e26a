"""Any valid settings build the graph; any one change of them builds it too, or is reported with its path."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omnibase_infra.config import ConfigError, Problem, load
from omnibase_infra.program import main

from tests.stacks.support.generated import Values, stacks
from tests.stacks.support.recorder import Recorder, record
from tests.stacks.support.stacks import vendor_directory

STACK = "generated"
Keys = tuple[str | int, ...]
_FEW = settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
_STRANGE: Values = {"Nobody has-this": [None]}


def built(values: Values) -> Recorder:
    """The graph that the real program makes of settings."""
    config = {
        f"omnibase-infra:{key}": each if isinstance(each, str) else json.dumps(each) for key, each in values.items()
    }
    environ = {"OMNIBASE_VENDOR_DIR": str(vendor_directory())}
    return record(lambda: main(Path("/nonexistent"), environ), stack=STACK, config=config)


def problems(values: Values) -> tuple[Problem, ...]:
    try:
        load(STACK, values, {})
    except ConfigError as error:
        return error.problems
    return ()


def places(value: Any, keys: Keys = ()) -> Iterator[Keys]:  # noqa: ANN401 -- values of a stack file
    """Where something is, at every depth."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in below:
        yield (*keys, key)
        yield from places(each, (*keys, key))


def at(values: Values, keys: Keys) -> Any:  # noqa: ANN401 -- values of a stack file
    level: Any = values
    for key in keys:
        level = level[key]
    return level


def others(value: object) -> list[Any]:
    """Values of the same kind, of which many are not allowed."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [-1, 0, value + 1, 10**9]
    if isinstance(value, str):
        return ["", f"{value}x", "dev", "prod", "started", "7"]
    return [[], value[:1]] if isinstance(value, list) else [{}]


@st.composite
def changes(draw: st.DrawFn) -> tuple[Values, Keys, object]:
    """Settings with one thing changed: where, and what is there now; None where it was taken out."""
    values = copy.deepcopy(draw(stacks()))
    keys = draw(st.sampled_from([each for each in places(values) if each[:2] != ("images", "references")]))
    level, last = at(values, keys[:-1]), keys[-1]
    if draw(st.booleans()):
        level[last] = draw(st.sampled_from(others(level[last])))
        return values, keys, level[last]
    del level[last]
    return values, keys, None


def is_about(problem: Problem, keys: Keys, value: object) -> bool:
    """Whether whoever made a change finds it in a problem: at its place or beside it, or by a name."""
    path = problem.path.split(".")
    beside = path[:2] == [str(key) for key in keys[:2]] or path[: len(keys)] == [str(key) for key in keys]
    names = {str(key) for key in keys} | ({value} if isinstance(value, str) else set())
    return beside or any(name and re.search(rf"\b{re.escape(name)}\b", str(problem)) for name in names)


@pytest.mark.req("C1.1", "C1.10")
@_FEW
@given(stacks())
def test_any_valid_settings_build_a_graph_without_two_things_of_one_name(values: Values) -> None:
    assert problems(values) == ()
    found = built(values).registrations()
    urns = Counter(each.urn for each in found)
    objects = Counter(
        (each.type, each.inputs["metadata"].get("namespace"), each.inputs["metadata"].get("name"))
        for each in found
        if each.type.startswith("kubernetes:")
    )
    assert [urn for urn, count in urns.items() if count > 1] == []
    assert [name for name, count in objects.items() if count > 1] == []
    made = {
        each.name for each in found if each.type.endswith("HardenedWorkload") and each.parent.endswith("::platform")
    }
    assert set(values["services"]) <= made


@pytest.mark.req("C1.3")
@_FEW
@given(changes())
def test_any_single_change_still_builds_or_is_reported_with_its_path(change: tuple[Values, Keys, object]) -> None:
    values, keys, value = change
    found = problems(values)
    if found:
        assert any(is_about(each, keys, value) for each in found), found
    else:
        built(values)


@pytest.mark.req("C1.3")
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(stacks(), st.data())
def test_a_value_of_a_kind_that_exists_nowhere_is_reported_at_its_place(values: Values, data: st.DataObject) -> None:
    values = copy.deepcopy(values)  # parts of it are of the strategy, which gives them again
    keys = data.draw(st.sampled_from(list(places(values))))
    at(values, keys[:-1])[keys[-1]] = _STRANGE
    path = ".".join(str(key) for key in keys)
    assert any(each.path.startswith(path) for each in problems(values))
