"""The pack over the engine's own messages: levels, waivers, unknown values, secrets; the SDK's servicer agrees."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi_policy
import pytest
from google.protobuf import json_format, struct_pb2
from omnibase_policies import RULES, STACK_RULES, Level, ParameterError, Tier
from omnibase_policies.examples import NAMESPACE, POD, example
from omnibase_policies.model import every_rule
from omnibase_policies.pack import NAME, Servicer, configured, policies
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy.policy import _PolicyAnalyzerServicer

ROOT = Path(__file__).resolve().parents[3]
LEVELS = ROOT / "policies" / "environments"
POD_TOKEN = "kubernetes:core/v1:Pod"
LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
PRIVILEGED = example({"spec.containers.0.securityContext.privileged": True})
POLICIES = {each.name: each for each in policies()}
OF_MARKS = {"sensitive-input-is-pulumi-secret"}
"""Rules that need the marks of secrets, which the SDK's servicer takes off."""
SILENT = {
    "egress-host-listed", "image-evidence", "image-proven-in-staging", "image-registry-allowlist", "image-user-nonroot",
    "limit-maximum", "request-maximum", "required-annotations", "required-labels",
}  # fmt: skip
"""Rules that say nothing without parameters."""
WAIVER = {"object": "Pod/orders/orders", "reason": "a test", "owner": "data", "until": "2999-01-31"}


@functools.cache
def unconfigured(made: type[_PolicyAnalyzerServicer] = Servicer) -> _PolicyAnalyzerServicer:
    """One for all tests, as the engine has one for all resources."""
    return made(NAME, "1", policies(), pulumi_policy.EnforcementLevel.MANDATORY)


def servicer(config: Mapping[str, Any] | None = None) -> _PolicyAnalyzerServicer:
    if config is None:
        return unconfigured()
    found = Servicer(NAME, "1", policies(), pulumi_policy.EnforcementLevel.MANDATORY)
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for name, given in config.items():
        properties = {key: value for key, value in given.items() if key != "enforcementLevel"}
        request.policyConfig[name].properties.CopyFrom(_struct(properties))
        request.policyConfig[name].enforcementLevel = analyzer_pb2.EnforcementLevel.Value(
            given.get("enforcementLevel", "mandatory").upper()
        )
    found.Configure(request, None)
    return found


def analyze(found: _PolicyAnalyzerServicer, manifest: Mapping[str, Any], kind: str = POD_TOKEN) -> list[Any]:
    request = analyzer_pb2.AnalyzeRequest(type=kind, properties=_struct(manifest), urn="urn:x", name="x")
    return list(found.Analyze(request, None).diagnostics)  # type: ignore[no-untyped-call]  # SDK


def reported(found: _PolicyAnalyzerServicer, manifest: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Rule, words and level of each finding."""
    diagnostics = analyze(found, manifest, f"kubernetes:core/v1:{manifest['kind']}")
    return [(each.policyName, each.message, each.enforcementLevel) for each in diagnostics]


def _struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(dict(value), struct_pb2.Struct())


def test_a_violation_is_reported_once_with_place_remedy_and_page() -> None:
    found = analyze(servicer(), PRIVILEGED)
    assert [each.policyName for each in found] == ["no-privileged"]
    assert found[0].enforcementLevel == analyzer_pb2.MANDATORY
    assert "spec.containers[0].securityContext.privileged: must be false" in found[0].message
    assert "docs/reference/policies.md#no-privileged" in found[0].message


def test_a_hardened_pod_is_not_spoken_of() -> None:
    assert analyze(servicer(), POD) == []


def test_resources_of_other_providers_are_not_judged() -> None:
    assert analyze(servicer(), {"kind": "Pod", "spec": {"hostPID": True}}, "pulumi:index:Stash") == []


def test_the_type_token_stands_in_for_a_missing_kind() -> None:
    bare = {key: value for key, value in PRIVILEGED.items() if key not in ("apiVersion", "kind")}
    assert [each.policyName for each in analyze(servicer(), bare)] == ["no-privileged"]


def test_an_unknown_value_is_advice_and_hides_nothing() -> None:
    pod = example({"spec.hostPID": LATER, "spec.hostIPC": True})
    found = {each.policyName: each.enforcementLevel for each in analyze(servicer(), pod)}
    assert found == {"no-host-pid": analyzer_pb2.ADVISORY, "no-host-ipc": analyzer_pb2.MANDATORY}


def test_a_value_that_is_a_secret_is_judged_and_not_shown() -> None:
    marked = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "hunter2"}
    found = analyze(servicer(), example({"spec.hostPID": marked, "spec.containers.0.command": marked}))
    assert [each.policyName for each in found] == ["no-host-pid"]
    assert "hunter2" not in str(found)


def test_levels_of_a_configuration_win_and_disabled_rules_are_silent() -> None:
    config = {rule: {"enforcementLevel": "advisory"} for rule in RULES} | {
        "no-host-ipc": {"enforcementLevel": "disabled"}
    }
    found = analyze(servicer(config=config), example({"spec.hostPID": True, "spec.hostIPC": True}))
    assert [(each.policyName, each.enforcementLevel) for each in found] == [("no-host-pid", analyzer_pb2.ADVISORY)]


def test_a_waiver_of_a_configuration_is_obeyed() -> None:
    assert analyze(servicer(config={"no-privileged": {"waivers": [WAIVER]}}), PRIVILEGED) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"no-privilegd": {}}, "did you mean 'no-privileged'"),
        ({"no-privileged": {"waivers": [{**WAIVER, "until": "never"}]}}, "must be a date"),
        ({"no-privileged": {"waivers": [{"object": "Pod/x"}]}}, "exactly the fields"),
        ({"no-privileged": {"waivers": "all"}}, "no-privileged: waivers must be a list of mappings"),
        ({"no-privileged": {"waivers": ["Pod/x"]}}, "no-privileged: waivers must be a list of mappings"),
        ({"no-privileged": {"waiver": []}}, "no-privileged: 'waiver' is unknown; allowed are enforcementLevel, "),
        ({"no-privileged": {"parameters": [1]}}, "no-privileged: parameters must be a mapping"),
        ({"all": {"waivers": [WAIVER]}}, "all: 'waivers' is not allowed here, but under the one rule that it is for"),
        ({"all": {"parameters": {"minimum_id": 1}}}, "all: 'parameters' is not allowed here"),
    ],
)
def test_a_wrong_configuration_stops_the_engine(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        servicer(config=config)


def test_a_level_for_all_rules_is_taken() -> None:
    assert analyze(servicer(config={"all": {"enforcementLevel": "advisory"}}), POD) == []


def test_the_data_of_secrets_is_judged_and_never_shown() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "default"},
        "stringData": {"password": "hunter2"},
    }
    found = analyze(servicer(), secret, "kubernetes:core/v1:Secret")
    assert [each.policyName for each in found] == ["no-default-namespace", "external-secret-preferred"]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    "manifest", [POD, PRIVILEGED, NAMESPACE, *(example(rule.bad) for rule in [*RULES.values()][::10])]
)
def test_the_servicer_of_the_sdk_reports_the_same(manifest: dict[str, Any]) -> None:
    ours, stock = (reported(unconfigured(made), manifest) for made in (Servicer, _PolicyAnalyzerServicer))
    assert [each for each in ours if each[0] not in OF_MARKS] == stock


@pytest.mark.parametrize("rule", sorted(set(RULES) - OF_MARKS))
def test_the_servicer_of_the_sdk_says_the_same_of_each_rule(rule: str) -> None:
    """With the one policy, as it reads a resource anew for each of some two hundred."""
    manifest = example(RULES[rule].bad)
    stock = _PolicyAnalyzerServicer(NAME, "1", [POLICIES[rule]], pulumi_policy.EnforcementLevel.MANDATORY)
    ours = [each for each in reported(unconfigured(), manifest) if each[0] == rule]
    assert ours == reported(stock, manifest)
    assert bool(ours) == (rule not in SILENT)


def test_the_engine_is_told_severity_remedy_and_schema_of_each_rule() -> None:
    info = servicer().GetAnalyzerInfo(None, None)  # type: ignore[no-untyped-call]  # SDK
    assert [policy.name for policy in info.policies] == [*RULES, *STACK_RULES]
    assert all(
        policy.severity and policy.remediation_steps and policy.configSchema.properties for policy in info.policies
    )


@pytest.mark.parametrize("tier", list(Tier))
def test_a_level_file_names_rules_that_exist_and_weakens_none_but_in_dev(tier: Tier) -> None:
    config = json.loads((LEVELS / f"{tier}.json").read_text(encoding="utf-8"))
    assert config.pop("all", None) == ("advisory" if tier is Tier.DEV else None)
    configured({name: {"waivers": given.get("waivers", [])} for name, given in config.items()})
    for name, given in config.items():
        assert given["enforcementLevel"] in (str(every_rule()[name].level_in(tier)), "mandatory"), name


@pytest.mark.parametrize("tier", [Tier.TEST, Tier.STAGING])
def test_a_level_file_names_every_rule_that_only_prod_demands(tier: Tier) -> None:
    config = json.loads((LEVELS / f"{tier}.json").read_text(encoding="utf-8"))
    assert {rule.id for rule in every_rule().values() if rule.level_in(tier) is not rule.level} <= set(config)


def test_there_is_a_level_file_for_each_stack_and_no_other() -> None:
    stacks = {file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml")}
    assert {file.stem for file in LEVELS.glob("*.json")} == stacks == {str(tier) for tier in Tier}


def test_mandatory_levels_are_the_packs_own_where_no_configuration_is_given() -> None:
    info = servicer().GetAnalyzerInfo(None, None)  # type: ignore[no-untyped-call]  # SDK
    wanted = {rule.id: rule.level is Level.MANDATORY for rule in every_rule().values()}
    assert {policy.name: policy.enforcementLevel == analyzer_pb2.MANDATORY for policy in info.policies} == wanted


def _stack(outputs: Mapping[str, Any]) -> list[Any]:
    request = analyzer_pb2.AnalyzeStackRequest()
    request.resources.add(type="pulumi:pulumi:Stack", urn="urn:stack", name="prod", properties=_struct(outputs))
    return list(servicer().AnalyzeStack(request, None).diagnostics)  # type: ignore[no-untyped-call]  # SDK


@pytest.mark.req("C1.11")
def test_outputs_of_a_stack_are_judged_and_one_that_is_not_known_yet_is_advice() -> None:
    found = _stack({"databasePassword": "hunter2", "adminToken": LATER, "url": "https://www.example.test"})
    assert [(each.policyName, each.enforcementLevel, each.urn) for each in found] == [
        ("stack-output-no-plaintext-secret", analyzer_pb2.MANDATORY, "urn:stack"),
        ("stack-output-no-plaintext-secret", analyzer_pb2.ADVISORY, "urn:stack"),
    ]
    assert "adminToken: must be marked" in found[1].message
    assert "hunter2" not in str(found)
    assert _stack({"adminToken": LATER})[0].enforcementLevel == analyzer_pb2.ADVISORY


def test_a_resources_protection_and_provider_reach_the_rules() -> None:
    def analyzed(protect: bool, provider: str) -> list[str]:
        request = analyzer_pb2.AnalyzeStackRequest()
        claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "a", "namespace": "b"}}
        added = request.resources.add(type="kubernetes:core/v1:PersistentVolumeClaim", urn="u", name="a")
        added.properties.CopyFrom(_struct(claim))
        added.options.protect = protect
        added.provider.name = provider
        found = servicer().AnalyzeStack(request, None)  # type: ignore[no-untyped-call]  # SDK
        return [each.policyName for each in found.diagnostics]

    assert analyzed(True, "cluster") == []
    assert analyzed(False, "cluster") == ["protect-stateful"]
    assert analyzed(True, "default_4_34_2") == ["explicit-provider"]


@pytest.mark.req("C5.9")
def test_parameters_of_a_configuration_reach_the_rules() -> None:
    config = {"image-registry-allowlist": {"parameters": {"allowed_registries": ["registry.test/"]}}}
    assert [each.policyName for each in analyze(servicer(config=config), POD)] == ["image-registry-allowlist"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"high-uid-gid": {"parameters": {"minimum_idd": 1}}}, "did you mean 'minimum_id'"),
        (
            {
                "a": {},
                "high-uid-gid": {"parameters": {"minimum_id": 1}},
                "no-root-group": {"parameters": {"minimum_id": 2}},
            },
            "there is no rule 'a'",
        ),
        (
            {"high-uid-gid": {"parameters": {"minimum_id": 1}}, "no-root-group": {"parameters": {"minimum_id": 2}}},
            "'minimum_id' has another value at another rule",
        ),
    ],
)
def test_wrong_parameters_of_a_configuration_stop_the_engine(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        servicer(config=config)
