"""Rules over a whole stack: what is named exists, what holds pods has bounds; the SDK's servicer agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi_policy
import pytest
from google.protobuf import json_format, struct_pb2
from omnibase_policies import STACK_RULES, ParameterError, StackRule, State, evaluate_stack
from omnibase_policies.examples import NAMESPACE, POD, example
from omnibase_policies.model import Level
from omnibase_policies.pack import NAME, Servicer, policies
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy.policy import _PolicyAnalyzerServicer

ACCOUNTS, BOUNDS = "service-account-exists", "namespace-quota-limitrange"
LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def thing(kind: str, name: str = "orders", namespace: str = "orders") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}


ACCOUNT, QUOTA, RANGE = thing("ServiceAccount"), thing("ResourceQuota"), thing("LimitRange")
WHOLE = [POD, NAMESPACE, ACCOUNT, QUOTA, RANGE]


def broken(objects: Sequence[object], **parameters: object) -> list[tuple[int, str]]:
    found = [
        each for each in evaluate_stack(objects, tier="prod", parameters=parameters) if each.rule in (ACCOUNTS, BOUNDS)
    ]
    assert all(each.state is State.VIOLATED and each.level is Level.ADVISORY for each in found)
    return [(each.object_index, each.rule) for each in found]


def without(*left_out: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in WHOLE if each not in left_out]


def test_a_stack_with_its_account_quota_and_limits_is_not_spoken_of() -> None:
    assert broken(WHOLE) == []


@pytest.mark.parametrize(
    ("objects", "wanted"),
    [
        (without(ACCOUNT), [(0, ACCOUNTS)]),
        ([*without(ACCOUNT), thing("ServiceAccount", namespace="elsewhere")], [(0, ACCOUNTS)]),
        ([*without(ACCOUNT), thing("ServiceAccount", name="order")], [(0, ACCOUNTS)]),
        (without(QUOTA), [(1, BOUNDS)]),
        (without(RANGE), [(1, BOUNDS)]),
        (without(QUOTA, RANGE), [(1, BOUNDS)]),
        ([*without(QUOTA), thing("ResourceQuota", namespace="elsewhere")], [(1, BOUNDS)]),
        ([{"kind": "PodList", "items": [POD]}, *without(POD, ACCOUNT)], [(0, ACCOUNTS)]),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_of_the_object_that_needs_it(
    objects: list[dict[str, Any]], wanted: list[tuple[int, str]]
) -> None:
    assert sorted(set(broken(objects))) == wanted


@pytest.mark.parametrize("account", ["default", None, LATER, ""])
def test_an_account_that_is_the_default_or_not_known_yet_is_not_missed(account: str | None) -> None:
    assert broken([example({"spec.serviceAccountName": account})]) == []


def test_the_clusters_own_namespaces_need_no_bounds() -> None:
    assert broken([{"kind": "Namespace", "metadata": {"name": "kube-system"}}]) == []


def test_a_waiver_counts_for_its_object_only() -> None:
    other = {**NAMESPACE, "metadata": {**NAMESPACE["metadata"], "name": "other"}}
    waiver = {"rule": BOUNDS, "object": "Namespace/orders", "reason": "r", "owner": "o", "until": "2999-01-01"}
    assert set(broken([NAMESPACE, other], waivers=[waiver])) == {(1, BOUNDS)}


def test_a_rule_that_raises_is_reported_and_the_other_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Any:  # noqa: ANN401
        raise RuntimeError("secret")

    rule = STACK_RULES[ACCOUNTS]
    defect = StackRule(**{**{key: getattr(rule, key) for key in rule.__dataclass_fields__}, "check": fails})
    monkeypatch.setitem(STACK_RULES, ACCOUNTS, defect)
    found = [each for each in evaluate_stack(without(QUOTA), tier="test") if each.rule in (ACCOUNTS, BOUNDS)]
    assert [(each.rule, "this is a defect of the policy pack" in each.message) for each in found] == [
        (ACCOUNTS, True),
        (BOUNDS, False),
    ]


def test_an_unknown_tier_is_refused() -> None:
    with pytest.raises(ParameterError, match="tier='live'"):
        evaluate_stack(WHOLE, tier="live")


def analyze(made: type[_PolicyAnalyzerServicer], objects: Sequence[Mapping[str, Any]], **config: str) -> list[Any]:
    found = made(NAME, "1", policies(), pulumi_policy.EnforcementLevel.MANDATORY)
    if config:
        configure = analyzer_pb2.ConfigureAnalyzerRequest()
        for name, level in config.items():
            rule = name.replace("_", "-")
            configure.policyConfig[rule].enforcementLevel = analyzer_pb2.EnforcementLevel.Value(level)
        found.Configure(configure, None)  # type: ignore[no-untyped-call]  # SDK
    request = analyzer_pb2.AnalyzeStackRequest()
    for number, each in enumerate([{"kind": "Stash"}, *objects]):
        token = f"kubernetes:core/v1:{each['kind']}" if number else "pulumi:index:Stash"
        properties = json_format.ParseDict(dict(each), struct_pb2.Struct())
        request.resources.add(type=token, properties=properties, urn=f"urn:{number}", name="x")
    return list(found.AnalyzeStack(request, None).diagnostics)  # type: ignore[no-untyped-call]  # SDK


@pytest.mark.parametrize("objects", [WHOLE, without(ACCOUNT), without(QUOTA), without(QUOTA, RANGE, ACCOUNT)])
def test_the_servicer_of_the_sdk_reports_the_same(objects: list[dict[str, Any]]) -> None:
    both = [analyze(made, objects) for made in (Servicer, _PolicyAnalyzerServicer)]
    ours, stock = (
        [(each.policyName, each.message, each.enforcementLevel, each.urn) for each in found] for found in both
    )
    assert ours == stock
    assert {urn for _, _, _, urn in ours} <= {"urn:1", "urn:2"}


def test_levels_of_a_configuration_win() -> None:
    found = analyze(
        Servicer, without(QUOTA, ACCOUNT), service_account_exists="DISABLED", namespace_quota_limitrange="MANDATORY"
    )
    found = [each for each in found if each.policyName in (ACCOUNTS, BOUNDS)]
    assert [(each.policyName, each.enforcementLevel) for each in found] == [(BOUNDS, analyzer_pb2.MANDATORY)]
    assert "metadata.name: should have a ResourceQuota" in found[0].message
    assert f"docs/reference/policies.md#{BOUNDS}" in found[0].message
