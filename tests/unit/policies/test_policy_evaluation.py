"""The library door: arguments, levels, order, waivers, defects."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omnibase_policies import RULES, Finding, Level, ParameterError, State, check_registrations
from omnibase_policies import evaluate as evaluate_whole
from omnibase_policies.examples import POD, SPECIAL, change, example
from omnibase_policies.model import Problem

_WORDS = (
    "name", "type", "spec", "template", "containers", "securityContext", "capabilities", "add", "drop", "hostPath",
    "path", "httpGet", "host", "key", "operator", "metadata", "labels", "kind", "items",
)  # fmt: skip
PRIVILEGED = example({"spec.containers.0.securityContext.privileged": True})
WAIVER = {
    "rule": "no-privileged", "object": "Pod/orders/orders", "reason": "a test", "owner": "data", "until": "2030-01-31",
}  # fmt: skip


def evaluate(objects: Any, **given: Any) -> list[Finding]:  # noqa: ANN401 - as the library's own
    """One by one; the rules over a whole stack have tests of their own."""
    return evaluate_whole(objects, together=False, **given)


def raise_key_error() -> None:
    raise KeyError("secret-value")


def rules(found: list[Finding]) -> list[str]:
    return [each.rule for each in found]


@pytest.mark.parametrize(
    ("tier", "level"), [("dev", "advisory"), ("test", "mandatory"), ("staging", "mandatory"), ("prod", "mandatory")]
)
def test_the_tier_decides_what_a_violation_does(tier: str, level: str) -> None:
    assert [each.level for each in evaluate([PRIVILEGED], tier=tier)] == [Level(level)]


def test_a_finding_says_which_object_and_where() -> None:
    found = evaluate([POD, PRIVILEGED], tier="prod")
    place = (found[0].object_index, found[0].rule, found[0].path, found[0].state)
    assert place == (1, "no-privileged", "spec.containers[0].securityContext.privileged", State.VIOLATED)


def test_findings_are_sorted_and_not_repeated() -> None:
    bad = example({"spec.hostPID": True, "spec.hostIPC": True})
    found = evaluate([bad, PRIVILEGED], tier="prod")
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    "manifest", [None, 1, "text", [], {}, {"kind": 1}, {"kind": "Pod"}, {"kind": "Pod", "spec": []}]
)
def test_strange_manifests_are_judged_without_an_exception(manifest: object) -> None:
    assert isinstance(evaluate([manifest], tier="prod"), list)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(_WORDS) | st.text(max_size=4), below),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(value=_JSON, path=st.sampled_from(sorted({path for rule in RULES.values() for path in rule.bad} - set(SPECIAL))))
def test_no_rule_fails_on_any_value_in_any_field_that_a_rule_reads(value: object, path: str) -> None:
    pod = copy.deepcopy(POD)
    change(pod, path.replace("subjects.0.", "spec."), value)
    assert [each for each in evaluate([pod, value], tier="prod") if "itself failed" in each.message] == []


def test_deep_nesting_and_long_texts_are_no_problem() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"spec": deep, "template": deep}
    found = evaluate([deep, example({"metadata.annotations.note": "x" * 10_000_000})], tier="prod")
    assert found == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tier": "production"}, "allowed are dev, test, staging, prod"),
        ({"tier": "prod", "parameters": {"pss_versoin": "1.34"}}, "did you mean 'pss_version'"),
        ({"tier": "prod", "parameters": {"pss_version": 1.34}}, "is no version"),
        ({"tier": "prod", "parameters": {"pss_profile": "strict"}}, "'baseline' and 'restricted'"),
        ({"tier": "prod", "parameters": {"minimum_id": 0}}, "whole numbers from 1"),
        ({"tier": "prod", "parameters": {"system_namespaces": "kube-system"}}, "list of names"),
        ({"tier": "prod", "parameters": {"waivers": [{**WAIVER, "rule": "no-privilegd"}]}}, "mean 'no-privileged'"),
        ({"tier": "prod", "parameters": {"waivers": [{**WAIVER, "until": "soon"}]}}, "must be a date"),
        ({"tier": "prod", "parameters": {"waivers": [{**WAIVER, "owner": " "}]}}, "owner must be"),
        ({"tier": "prod", "parameters": {"waivers": [{"rule": "no-privileged"}]}}, "exactly the fields"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_allowed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        evaluate([POD], **arguments)


def test_a_waiver_holds_through_its_last_day_for_its_object_and_rule_only() -> None:
    other = example({"metadata.name": "others", "spec.containers.0.securityContext.privileged": True})
    parameters = {"waivers": [WAIVER], "today": "2030-01-31"}
    assert evaluate([PRIVILEGED], tier="prod", parameters=parameters) == []
    assert rules(evaluate([other], tier="prod", parameters=parameters)) == ["no-privileged"]


@pytest.mark.req("C5.9")
def test_an_expired_waiver_is_a_violation_again_and_says_whose_it_was() -> None:
    found = evaluate([PRIVILEGED], tier="prod", parameters={"waivers": [WAIVER], "today": "2030-02-01"})
    assert rules(found) == ["no-privileged"]
    assert "the waiver of data ended on 2030-01-31" in found[0].message


def test_a_rule_that_fails_blocks_and_stops_no_other_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(pod: object, parameters: object) -> Iterator[Problem]:
        raise_key_error()
        yield from ()

    monkeypatch.setitem(RULES, "no-host-pid", dataclasses.replace(RULES["no-host-pid"], check_pod=broken))
    found = evaluate([PRIVILEGED], tier="prod")
    assert rules(found) == ["no-host-pid", "no-privileged"]
    assert found[0].level is Level.MANDATORY
    assert "KeyError" in found[0].message
    assert "secret-value" not in found[0].message


def test_resources_of_a_program_are_judged_by_their_type_and_inputs() -> None:
    bare = {key: value for key, value in PRIVILEGED.items() if key not in ("apiVersion", "kind")}
    resources: list[dict[str, object]] = [
        {"type": "pulumi:pulumi:Stack", "inputs": {}},
        {"type": "kubernetes:core/v1:Pod", "inputs": bare},
        {"type": "kubernetes:core/v1:Pod", "properties": POD},
        {"type": "random:index/randomPet:RandomPet", "inputs": {"length": 8}},
    ]
    found = check_registrations(resources, tier="prod", together=False)
    assert [(each.object_index, each.rule) for each in found] == [(1, "no-privileged")]


def test_resources_of_a_program_are_judged_together_too() -> None:
    found = check_registrations([{"type": "kubernetes:core/v1:Pod", "inputs": POD}], tier="prod")
    assert "service-account-exists" in {each.rule for each in found}


@pytest.mark.parametrize(
    ("given", "rule", "changes"),
    [
        ({"repos": ["registry.example/team/"]}, "image-registry-allowlist", {}),
        ({"repos": ["registry.example/"]}, "image-registry-denylist", {}),
        ({"memory": "32Mi"}, "limit-maximum", {}),
        ({"cpu": "50m"}, "request-maximum", {}),
        ({"labels": [{"key": "owner", "allowedRegex": "^team-"}]}, "required-labels", {}),
        ({"annotations": [{"key": "runbook"}]}, "required-annotations", {}),
        ({"probes": ["startupProbe"]}, "liveness-and-readiness", {}),
        ({"tags": ["1"]}, "image-no-latest", {"spec.containers.0.image": "registry.example/orders:1"}),
        ({"kvs": [{"deprecatedAPI": "v1", "kinds": ["Pod"], "targetAPI": "v2"}]}, "no-deprecated-api", {}),
        ({"volumes": ["secret"]}, "volume-types-allowlist", {"spec.volumes": [{"name": "a", "emptyDir": {}}]}),
    ],
)
def test_parameters_of_gatekeepers_constraints_reach_our_rules(
    given: dict[str, object], rule: str, changes: dict[str, object]
) -> None:
    assert rule in rules(evaluate([example(changes)], tier="prod", parameters=given))
    assert rule not in rules(evaluate([POD], tier="prod"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": "owner"}, "labels has not the form"),
        ({"procMount": "Unmasked"}, "procMount has not the form"),
        ({"maximum_memory_limit": "lots"}, "is no quantity"),
        ({"required_labels": [{"key": "owner", "pattern": "("}]}, "is no regular expression"),
        ({"required_labels": [{"name": "owner"}]}, "is no mapping with the right fields"),
        ({"host_network": "yes"}, "must be true or false"),
    ],
)
def test_a_setting_of_the_wrong_form_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        evaluate([POD], tier="prod", parameters=given)


def test_containers_of_exempt_images_are_not_judged_and_their_neighbours_are() -> None:
    pod = copy.deepcopy(PRIVILEGED)
    pod["spec"]["initContainers"] = [{**pod["spec"]["containers"][0], "image": "registry.example/others@sha256:1"}]
    found = evaluate([pod], tier="prod", parameters={"exempt_images": ["registry.example/orders*"]})
    assert [each.path for each in found if each.rule == "no-privileged"] == [
        "spec.initContainers[0].securityContext.privileged"
    ]


def _annotated(note: str, rule: str = "no-privileged") -> dict[str, Any]:
    return example(
        {"spec.containers.0.securityContext.privileged": True, f"metadata.annotations.omnibase.io/waiver.{rule}": note}
    )


def test_a_waiver_in_an_annotation_holds_through_its_last_day() -> None:
    pod = _annotated("2030-01-31; data; a test")
    assert evaluate([pod], tier="prod", parameters={"today": "2030-01-31"}) == []
    ended = evaluate([pod], tier="prod", parameters={"today": "2030-02-01"})
    assert rules(ended) == ["exception-has-owner-reason-expiry", "no-privileged"]
    assert "the waiver of data ended on 2030-01-31" in ended[1].message


@pytest.mark.parametrize(
    ("note", "rule"),
    [
        ("for now", "no-privileged"),
        ("2030-01-31; data", "no-privileged"),
        ("2030-01-31; ; a reason", "no-privileged"),
        ("soon; data; a reason", "no-privileged"),
        ("2039-01-31; data; a reason", "no-privileged"),
        ("2030-01-31; data; a reason", "no-privilegd"),
        ("2030-01-31; data; a reason", "exception-has-owner-reason-expiry"),
    ],
)
def test_a_waiver_in_an_annotation_that_is_not_whole_is_a_violation(note: str, rule: str) -> None:
    found = evaluate([_annotated(note, rule)], tier="prod", parameters={"today": "2030-01-01"})
    assert "exception-has-owner-reason-expiry" in rules(found)


def _settings_waiver(rule: str) -> dict[str, str]:
    return {"rule": rule, "object": "Pod/orders/orders", "reason": "a", "owner": "b", "until": "2030-01-31"}


@pytest.mark.req("V28")
def test_a_waiver_that_its_rule_does_not_need_is_a_violation_in_an_annotation_and_in_the_settings() -> None:
    note = {"metadata.annotations.omnibase.io/waiver.no-privileged": "2030-01-31; data; a test"}
    found = evaluate([example(note)], tier="prod", parameters={"today": "2030-01-01"})
    assert rules(found) == ["exception-has-owner-reason-expiry"]
    assert "the rule that it waives is content" in found[0].message
    settings = {"waivers": [_settings_waiver("no-privileged")]}
    found = evaluate([POD], tier="prod", parameters=settings)
    assert rules(found) == ["exception-has-owner-reason-expiry"]
    assert "the waiver of no-privileged in the settings" in found[0].message


@pytest.mark.req("V28")
def test_a_waiver_of_a_rule_over_the_whole_stack_must_be_needed_as_well() -> None:
    rule, day = "service-account-exists", {"today": "2030-01-01"}
    note = {f"metadata.annotations.omnibase.io/waiver.{rule}": "2030-01-31; data; a test"}
    pod = example(note)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "orders", "namespace": "orders"}}
    assert "exception-is-needed" not in rules(evaluate_whole([pod], tier="prod", parameters=day))
    assert "exception-is-needed" in rules(evaluate_whole([pod, account], tier="prod", parameters=day))
    settings = {"waivers": [_settings_waiver(rule)], **day}
    assert "exception-is-needed" not in rules(evaluate_whole([POD], tier="prod", parameters=settings))
    assert "exception-is-needed" in rules(evaluate_whole([POD, account], tier="prod", parameters=settings))


def test_a_waiver_of_the_rules_that_keep_waivers_honest_asks_nobody_without_end() -> None:
    for rule in ("exception-has-owner-reason-expiry", "exception-is-needed"):
        assert evaluate([POD], tier="prod", parameters={"waivers": [_settings_waiver(rule)]}) == []
