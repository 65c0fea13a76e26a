"""Known-bad programs and their mended versions, by the library; tests/cluster has the same under the real engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from omnibase_policies import Level, State, check_registrations

from tests.policies.known_bad_kit import STACK, Program, programs

PROGRAMS = programs()


def stopping(resources: Sequence[dict[str, Any]]) -> list[str]:
    """Mandatory rules that are broken in prod."""
    found = check_registrations(resources, tier="prod")
    return sorted({each.rule for each in found if each.level is Level.MANDATORY and each.state is State.VIOLATED})


@pytest.mark.req("C1.11", "R26")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_known_bad_program_breaks_its_rules_and_no_other_and_its_mended_one_breaks_none(program: Program) -> None:
    assert stopping(program.resources()) == sorted(program.stopped_by)
    assert stopping(program.mended()) == []


def test_every_group_of_what_people_do_wrong_has_its_program() -> None:
    assert len(PROGRAMS) >= 45
    assert len({each.name for each in PROGRAMS}) == len(PROGRAMS)
    assert len({rule for each in PROGRAMS for rule in each.stopped_by}) > 70
    kinds = {each.of for each in PROGRAMS}
    assert kinds - set(STACK) >= {"Role", "Cluster", "Gateway", "DockerContainer", "PostgresqlRole", "AwsRdsInstance"}
