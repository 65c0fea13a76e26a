"""Mend what has exactly one right answer: a rule's problem says where, the rule's `right` says what belongs there."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from omnibase_policies.evaluation import run
from omnibase_policies.model import REMOVED, Problem, Rule, State
from omnibase_policies.objects import Registered, objects_in
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import opened

_MOST_ROUNDS = 8
"""A value that was mended may show the next one, for example a list that a problem names entry by entry."""


def mended(
    rule: Rule,
    manifest: Mapping[str, Any],
    parameters: Parameters,
    *,
    token: str = "",
    registered: Registered | None = None,
) -> dict[str, Any] | None:
    """A copy of a manifest in which everything that the rule complains of, and can put right, is put right.

    Args:
        manifest: as `objects_in` takes it; what it holds wrapped stays wrapped.
        token, registered: of the resource, likewise.

    Returns:
        None if nothing was to be done. What is waived is left as it is.
    """
    result: dict[str, Any] = copy.deepcopy(dict(manifest))
    changed = False
    for _ in range(_MOST_ROUNDS):
        if not _round(rule, result, parameters, token, registered):
            break
        changed = True
    return result if changed else None


def _round(
    rule: Rule, manifest: dict[str, Any], parameters: Parameters, token: str, registered: Registered | None
) -> bool:
    """Whether something was changed."""
    problems = [
        problem
        for found in objects_in(manifest, token=token, registered=registered)
        for problem in run(rule, found, parameters)
        if problem.state is State.VIOLATED
    ]
    changes = [_put_right(manifest, each, rule.right) for each in reversed(problems)]  # removing shifts what follows
    return any(changes)


def _put_right(manifest: dict[str, Any], problem: Problem, right: object) -> bool:
    """Whether the value of a problem's place was changed; not where the way to it is not there to be changed."""
    if problem.at is None or not problem.at.keys:
        return False
    value = right(problem.at) if callable(right) else right
    *above, last = problem.at.keys
    place: Any = manifest
    for key in above:
        place = _below(place, key)
    if isinstance(place, list) and isinstance(last, int) and 0 <= last < len(place):
        return _in_list(place, last, value)
    if not isinstance(place, dict) or not isinstance(last, str):
        return False
    if value is REMOVED:
        return place.pop(last, None) is not None
    before, place[last] = place.get(last), copy.deepcopy(value)
    return before != value


def _in_list(place: list[Any], index: int, value: object) -> bool:
    if value is REMOVED:
        del place[index]
        return True
    before, place[index] = place[index], copy.deepcopy(value)
    return bool(before != value)


def _below(place: object, key: str | int) -> object:
    """The value of a key, unwrapped, and made as a mapping where it is not there; None where that cannot be."""
    if isinstance(place, list):
        return opened(place[key]) if isinstance(key, int) and 0 <= key < len(place) else None
    if not isinstance(place, dict):
        return None
    if place.get(key) is None:
        place[key] = {}
    return opened(place[key])
