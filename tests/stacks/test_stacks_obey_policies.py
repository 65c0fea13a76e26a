"""The four stacks against the policy pack, at their levels and with their waivers."""

from __future__ import annotations

import json

import pytest
from omnibase_policies import Finding, Level, State, Tier, evaluate_stack
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


@pytest.mark.req("R26")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_no_stack_of_ours_breaks_a_mandatory_rule_of_prod(stack: str) -> None:
    found = _findings(stack, "prod", _parameters(stack))
    assert [each for each in found if each.level is Level.MANDATORY] == []
    assert [each for each in found if each.state is State.UNKNOWN] == []


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_waiver_of_a_stack_is_needed(stack: str) -> None:
    waivers = _parameters(stack).waivers
    without = {each.rule for each in _findings(stack, "prod", Parameters()) if each.level is Level.MANDATORY}
    assert {waiver.rule for waiver in waivers} == without


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_account_exists_and_every_namespace_of_ours_has_bounds(stack: str) -> None:
    objects = [{"kind": found.type.rpartition(":")[2], **found.manifest} for found in stacks.kubernetes_objects(stack)]
    found = evaluate_stack(objects, tier="prod")
    assert [(each.rule, objects[each.object_index]["metadata"]["name"]) for each in found] == []
