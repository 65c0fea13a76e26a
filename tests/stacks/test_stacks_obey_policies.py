"""The four stacks against the policy pack, at their levels and with their waivers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from omnibase_policies import STACK_RULES, Finding, Level, State, Tier, check_registrations
from omnibase_policies.evaluation import judge
from omnibase_policies.pack import configured
from omnibase_policies.parameters import Parameters

from tests.stacks.support import stacks


def _parameters(stack: str) -> Parameters:
    config = json.loads((stacks.ROOT / "policies" / "environments" / f"{stack}.json").read_text(encoding="utf-8"))
    return configured({name: given for name, given in config.items() if isinstance(given, dict)})


def _findings(stack: str, tier: str, parameters: Parameters) -> list[Finding]:
    return [
        finding
        for found in stacks.kubernetes_objects(stack)
        for finding in judge(found.manifest, parameters, Tier(tier), token=found.type)
    ]


def _tier(stack: str) -> str:
    """In dev every rule is advice: it is held to what test is held to."""
    return "test" if stack == "dev" else stack


@pytest.mark.req("R26")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_no_stack_of_ours_breaks_a_mandatory_rule_of_its_environment(stack: str) -> None:
    found = _findings(stack, _tier(stack), _parameters(stack))
    assert [each for each in found if each.level is Level.MANDATORY] == []
    assert [each for each in found if each.state is State.UNKNOWN] == []


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_waiver_of_a_stack_is_needed(stack: str) -> None:
    waivers = _parameters(stack).waivers
    without = {each.rule for each in _findings(stack, _tier(stack), Parameters()) if each.level is Level.MANDATORY}
    assert {waiver.rule for waiver in waivers} == without


_KNOWN = {
    "no-exec-by-binding": "the database operator's role; the rule over the role itself has a waiver for it",
    "nothing-orphaned": "certificates of clients outside of the stack, which mount them",
}
"""What rules that only advise still say, and why it is left."""
_KNOWN_ON_THIS_MACHINE = {"cnpg-backup-scheduled": "dev and test make backups where asked for, to keep small"}


@pytest.mark.req("V22", "C1.11", "R26")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_no_rule_over_the_whole_stack_complains(stack: str) -> None:
    resources: list[dict[str, Any]] = [
        {"type": found.type, "urn": found.urn, "protect": found.protect or stack != "prod", "inputs": found.inputs}
        for found in stacks.registrations(stack)
    ]
    found = check_registrations(resources, tier="prod")
    known = _KNOWN | (_KNOWN_ON_THIS_MACHINE if stack in ("dev", "test") else {})
    complaints = [
        (each.rule, resources[each.object_index]["inputs"]["metadata"]["name"])
        for each in found
        if each.rule in STACK_RULES and each.rule not in known
    ]
    assert complaints == []
