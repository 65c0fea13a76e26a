"""Each bad example done to what our own components make: the rule that it is for fires, and no other."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from omnibase_policies import RULES, Rule, State, evaluate, evaluate_stack
from omnibase_policies.examples import change, example

GOLDEN = Path(__file__).resolve().parents[1] / "stacks" / "golden" / "prod.json"
_NO_PATHS = ("kind", "settings", "parameters")
_WORKLOAD = "Deployment/omnidash"
_OURS = {
    "Pod": _WORKLOAD,
    "Namespace": "Namespace/omnibase-prod",
    "Cluster": "Cluster/database",
    "Pooler": "Pooler/database-pooler-ro",
    "Gateway": "Gateway/gateway",
    "HTTPRoute": "HTTPRoute/contracts",
    "ClientTrafficPolicy": "ClientTrafficPolicy/gateway",
    "Database": "Database/database-database-infisical-db",
}
"""Kind of an example -> the object of the stack that is broken in its place; a pod is that of a workload."""
_TWICE: dict[str, dict[str, None]] = {
    "cnpg-backed-up": {"spec.plugins": None},
    "run-as-non-root": {"spec.containers.0.securityContext.runAsNonRoot": None},
    "seccomp-runtime-default": {"spec.containers.0.securityContext.seccompProfile": None},
}
"""What ours say in two ways, as of the pod and of its containers: the example takes away one, this the other."""
_PULLED = {"image-moving-tag-pulled", "image-pull-policy"}
_SELECTED = {"selector-matches-template"}
_ALSO = {
    "any-label": _SELECTED,
    "image-digest": _PULLED,
    "image-no-latest": _PULLED,
    "limit-maximum": {"memory-request-equals-limit"},
    "memory-request-equals-limit": {"resource-ratio"},
    "port-named": {"probe-port-exists"},
    "recommended-labels": _SELECTED,
}
"""What follows from a change of ours: images are pulled once, labels are selected, probes ask a port by its name."""
_NOT_OURS = {
    "no-deprecated-api": "speaks of versions that a Deployment does not have",
    "no-naked-pod": "speaks of a Pod alone; ours are those of a Deployment",
    "probes-differ": "its example changes one probe to what the hardened pod's other one is",
    "resource-ratio": "its example raises one limit, of which ours ask for more",
}
"""Rules whose example cannot be done to our workload, and why."""
BREAKABLE = [rule for rule in RULES.values() if str(rule.bad.get("kind", "Pod")) in _OURS and rule.id not in _NOT_OURS]


@functools.cache
def ours() -> dict[str, str]:
    """Objects of the prod stack by `Kind/name`, as JSON."""
    graph = json.loads(GOLDEN.read_text(encoding="utf-8"))
    kubernetes = [each for each in graph if each["type"].startswith("kubernetes:")]
    return {
        f"{each['type'].rpartition(':')[2]}/{each['inputs'].get('metadata', {}).get('name')}": json.dumps(
            {"kind": each["type"].rpartition(":")[2], **each["inputs"]}
        )
        for each in kubernetes
    }


def fired(manifest: object, rule: Rule) -> set[str]:
    """Rules over one object that the manifest breaks, with the settings of the rule's example."""
    parameters: Any = rule.bad.get("settings")
    found = evaluate([manifest], tier="prod", parameters=parameters)
    together = {each.rule for each in evaluate_stack([manifest], tier="prod", parameters=parameters)}
    return {each.rule for each in found if each.state is State.VIOLATED} - together


def broken(rule: Rule) -> dict[str, Any]:
    """Our object with the changes of the rule's bad example."""
    manifest: dict[str, Any] = json.loads(ours()[_OURS[str(rule.bad.get("kind", "Pod"))]])
    for path, value in {**rule.bad, **_TWICE.get(rule.id, {})}.items():
        of_object = "kind" in rule.bad or (rule.check_pod is None and path.startswith("metadata."))
        if path not in _NO_PATHS:
            change(manifest if of_object else manifest["spec"]["template"], path, value)
    return manifest


@pytest.mark.req("R26")
@pytest.mark.parametrize("rule", BREAKABLE, ids=lambda rule: rule.id)
def test_a_field_of_ours_that_is_broken_is_found_by_its_rule_and_by_no_other(rule: Rule) -> None:
    before = fired(json.loads(ours()[_OURS[str(rule.bad.get("kind", "Pod"))]]), rule)
    after = fired(broken(rule), rule)
    assert rule.id in after
    assert after - before <= fired(example(rule.bad), rule) | _ALSO.get(rule.id, set())


def test_most_rules_are_tried_on_objects_of_ours() -> None:
    assert set(_OURS.values()) <= set(ours())
    assert len(BREAKABLE) > 40
