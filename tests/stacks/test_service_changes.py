"""A change of one service changes that service, and nobody else."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.stacks.support import stacks
from tests.stacks.support.fleet import fleet, record_prod
from tests.stacks.support.recorder import Recorder

_MARK = {"A_SETTING_THAT_CHANGED": "yes"}
SERVICES = fleet(7)


def changed(names: frozenset[str]) -> dict[str, dict[str, Any]]:
    """The services, some with one more setting."""
    return {
        name: {**service, "env": {**service.get("env", {}), **(_MARK if name in names else {})}}
        for name, service in SERVICES.items()
    }


@functools.cache
def recorded(names: frozenset[str]) -> Recorder:
    return record_prod(changed(names))


@functools.cache
def graph(names: frozenset[str]) -> Mapping[str, str]:
    """URN -> what a preview compares, of everything but the platform itself, whose inputs are all settings.

    What a resource waits for is no part of it: the engine takes another order without a word.
    """
    return {
        found.urn: json.dumps({**stacks.golden_entry(found), "dependencies": None}, sort_keys=True)
        for found in recorded(names).registrations()
        if not found.type.endswith(":Platform")
    }


@functools.cache
def owners() -> Mapping[str, str]:
    """URN -> service of every resource below a service's workload, whichever settings it has."""
    found: dict[str, str] = {}
    for names in (frozenset[str](), frozenset(SERVICES)):
        found |= dict(_owned(recorded(names)))
    return found


def _owned(recorder: Recorder) -> Iterator[tuple[str, str]]:
    parents = {item.urn: item.parent for item in recorder.registrations()}
    for start in parents:
        urn = start
        while urn:
            name = urn.rpartition("::")[2]
            if urn.rpartition("::")[0].endswith(":HardenedWorkload") and name in SERVICES:
                yield start, name
            urn = parents.get(urn, "")


def halves() -> list[frozenset[str]]:
    """Sets of services such that each service is without each other in at least one: a dozen instead of one by one."""
    names = sorted(SERVICES)
    bits = range((len(names) - 1).bit_length())
    split = [frozenset(name for place, name in enumerate(names) if place >> bit & 1) for bit in bits]
    return [*split, *(frozenset(names) - half for half in split)]


@pytest.mark.req("P7", "R5")
@pytest.mark.parametrize("names", halves(), ids=lambda names: f"{len(names)} of them")
def test_a_changed_setting_changes_resources_of_its_own_service_only(names: frozenset[str]) -> None:
    before, after = graph(frozenset()), graph(names)
    different = {urn for urn in before.keys() | after.keys() if before.get(urn) != after.get(urn)}
    assert {owners().get(urn, urn) for urn in different} == names


@pytest.mark.req("P7", "R5")
def test_a_changed_setting_rolls_the_pods_and_replaces_the_settings() -> None:
    names = halves()[0]
    before, after = graph(frozenset()), graph(names)
    different = {urn.rpartition("::")[2] for urn in before.keys() | after.keys() if before.get(urn) != after.get(urn)}
    settings = {name for name in different if "-settings-" in name}
    assert different - settings == names | {f"{name}-workload" for name in names}
    assert len(settings) == 2 * len(names), "each has one that goes and one that comes"
