"""Known-bad programs and their mended versions, by the library; tests/cluster has the same under the real engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from omnibase_policies import Finding, Level, State, check_registrations

from tests.policies.known_bad_kit import STACK, Program, few, mended_few, number_of, own, programs, side_by_side

PROGRAMS = programs()


def stopping(resources: Sequence[dict[str, Any]]) -> list[str]:
    """Mandatory rules that are broken in prod."""
    return sorted({each.rule for each in broken(resources)})


def broken(resources: Sequence[dict[str, Any]]) -> list[Finding]:
    """Findings of mandatory rules in prod."""
    found = check_registrations(resources, tier="prod")
    return [each for each in found if each.level is Level.MANDATORY and each.state is State.VIOLATED]


@pytest.mark.req("C1.11", "R26")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_known_bad_program_breaks_its_rules_and_no_other_and_its_mended_one_breaks_none(program: Program) -> None:
    assert stopping(program.resources()) == sorted(program.stopped_by)
    assert stopping(program.mended()) == []


def test_programs_side_by_side_break_what_each_breaks_alone() -> None:
    together = side_by_side([each.resources() for each in few()])
    rules: dict[int, set[str]] = {}
    for each in broken(together):
        rules.setdefault(number_of(together[each.object_index]["name"]), set()).add(each.rule)
    assert {each.name: own(each, rules.get(number, set())) for number, each in enumerate(few())} == {
        each.name: set(each.stopped_by) for each in few()
    }
    assert stopping(side_by_side([each.mended() for each in mended_few()])) == []


def test_every_group_of_what_people_do_wrong_has_its_program() -> None:
    assert len(PROGRAMS) >= 45
    assert len({each.name for each in PROGRAMS}) == len(PROGRAMS)
    assert len({rule for each in PROGRAMS for rule in each.stopped_by}) > 70
    kinds = {each.of for each in PROGRAMS}
    assert kinds - set(STACK) >= {"Role", "Cluster", "Gateway", "DockerContainer", "PostgresqlRole", "AwsRdsInstance"}
