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
_MORE: dict[str, dict[str, object]] = {
    "cnpg-backed-up": {"spec.plugins": None},
    "resource-ratio": {"spec.containers.0.resources.limits.memory": "64Gi"},
    "run-as-non-root": {"spec.containers.0.securityContext.runAsNonRoot": None},
    "seccomp-runtime-default": {"spec.containers.0.securityContext.seccompProfile": None},
}
"""What our workloads say of the pod and of its containers: the example takes away one, this the other. And a limit that
is far above what ours ask for.
"""
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
    "resource-ratio": {"memory-request-equals-limit"},
}
"""What follows from a change of ours: images are pulled once, labels are selected, probes ask a port by its name."""
_FIRST_OF_KIND = (
    "ConfigMap", "CronJob", "Deployment", "Job", "NetworkPolicy", "ObjectStore", "PodDisruptionBudget",
    "PrometheusRule", "Role", "RoleBinding", "ScheduledBackup", "Secret", "SecurityPolicy", "Service", "ServiceAccount",
)  # fmt: skip
"""Kinds of which any object of the stack will do."""
BREAKABLE = [rule for rule in RULES.values() if str(rule.bad.get("kind", "Pod")) in (*_OURS, *_FIRST_OF_KIND)]


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


def intact(rule: Rule) -> dict[str, Any]:
    """Our object of the kind that the rule's example is of."""
    kind = str(rule.bad.get("kind", "Pod"))
    name = _OURS.get(kind) or next(name for name in sorted(ours()) if name.startswith(f"{kind}/"))
    manifest: dict[str, Any] = json.loads(ours()[name])
    return manifest


def naked(manifest: dict[str, Any]) -> dict[str, Any]:
    """The pod of a workload as somebody would start it by hand."""
    template = manifest["spec"]["template"]
    metadata = {**template["metadata"], "name": "naked", "namespace": manifest["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def broken(rule: Rule) -> dict[str, Any]:
    """Our object with the changes of the rule's bad example."""
    manifest = intact(rule)
    if rule.id == "no-naked-pod":
        return naked(manifest)
    liveness = (
        manifest["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] if "kind" not in rule.bad else None
    )
    alike = {"spec.containers.0.readinessProbe": liveness} if rule.id == "probes-differ" else {}
    for path, value in {**rule.bad, **_MORE.get(rule.id, {}), **alike}.items():
        of_object = "kind" in rule.bad or (rule.check_pod is None and not path.startswith("spec."))
        if path not in _NO_PATHS:
            change(manifest if of_object else manifest["spec"]["template"], path, value)
    return manifest


@pytest.mark.req("R26")
@pytest.mark.parametrize("rule", BREAKABLE, ids=lambda rule: rule.id)
def test_a_field_of_ours_that_is_broken_is_found_by_its_rule_and_by_no_other(rule: Rule) -> None:
    before = fired(intact(rule), rule)
    after = fired(broken(rule), rule)
    assert rule.id in after
    assert after - before <= fired(example(rule.bad), rule) | _ALSO.get(rule.id, set())


def test_every_rule_about_a_kind_of_ours_is_tried_on_ours() -> None:
    assert set(_OURS.values()) <= set(ours())
    kinds = {name.partition("/")[0] for name in ours()}
    tried = {rule.id for rule in BREAKABLE}
    assert {rule.id for rule in RULES.values() if rule.bad.get("kind", "Pod") in kinds} <= tried
    assert len(BREAKABLE) >= 150
