"""The level `remediate`: what has one right answer is put right, and nothing else is touched."""

from __future__ import annotations

import copy
from typing import Any

import pulumi_policy
import pytest
from google.protobuf import json_format, struct_pb2
from omnibase_policies import RULES, ParameterError, Rule, State, evaluate
from omnibase_policies.examples import OBJECTS, POD, example
from omnibase_policies.mending import mended
from omnibase_policies.pack import NAME, Servicer, policies
from omnibase_policies.parameters import Parameters
from pulumi.runtime.proto import analyzer_pb2

LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
MENDING = [rule for rule in RULES.values() if rule.right is not None]
_BY_CONTAINER = [rule for rule in MENDING if any(path.startswith("spec.containers.0.") for path in rule.bad)]


def named(rule: Rule) -> str:
    return rule.id


def broken(manifest: object) -> set[str]:
    found = evaluate([manifest], tier="prod", together=False)
    return {each.rule for each in found if each.state is State.VIOLATED}


@pytest.mark.parametrize("rule", MENDING, ids=named)
def test_the_bad_example_is_put_right_once_and_breaks_no_rule_afterwards(rule: Rule) -> None:
    bad = example(rule.bad)
    before = copy.deepcopy(bad)
    better = mended(rule, bad, Parameters())
    assert better is not None
    assert bad == before, "the program's own inputs are left alone"
    assert broken(better) <= broken(bad) - {rule.id}
    assert mended(rule, better, Parameters()) is None


@pytest.mark.parametrize("rule", MENDING, ids=named)
def test_what_is_right_is_not_touched(rule: Rule) -> None:
    for manifest in (example(rule.good), *OBJECTS.values()):
        assert mended(rule, manifest, Parameters()) is None


@pytest.mark.parametrize("place", ["initContainers", "ephemeralContainers"])
@pytest.mark.parametrize("rule", _BY_CONTAINER, ids=named)
def test_each_container_of_each_list_is_put_right(rule: Rule, place: str) -> None:
    pod = example(rule.bad)
    pod["spec"][place] = [copy.deepcopy(pod["spec"]["containers"][0]) for _ in range(2)]
    better = mended(rule, {"kind": "Deployment", "spec": {"template": pod}}, Parameters())
    assert better is not None
    assert rule.id not in broken(better)


def test_what_the_engine_wraps_is_put_right_within_its_wrapping_and_what_is_unknown_is_left() -> None:
    pod = example({"spec.containers.0.securityContext.privileged": True})
    pod["spec"]["containers"] = {**SECRET, "value": [*pod["spec"]["containers"], {"securityContext": LATER}]}
    better = mended(RULES["no-privileged"], pod, Parameters())
    assert better is not None
    first, second = better["spec"]["containers"]["value"]
    assert first["securityContext"]["privileged"] is False
    assert second == {"securityContext": LATER}


def test_what_is_waived_is_left() -> None:
    note = {"metadata.annotations.omnibase.io/waiver.no-privileged": "2099-01-31; data; a test"}
    pod = example({"spec.containers.0.securityContext.privileged": True, **note})
    assert mended(RULES["no-privileged"], pod, Parameters()) is None


@pytest.mark.parametrize("value", [None, 1, "text", [], [1], {"securityContext": 1}, {"securityContext": []}])
def test_values_of_any_shape_are_no_problem(value: object) -> None:
    pod = copy.deepcopy(POD)
    pod["spec"]["containers"] = [value]
    for rule in MENDING:
        mended(rule, pod, Parameters())


def servicer(levels: dict[str, str], stack: str = "dev") -> Servicer:
    made = Servicer(NAME, "7", policies(), pulumi_policy.EnforcementLevel.MANDATORY)
    made.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack=stack), None)
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for name, level in levels.items():
        request.policyConfig[name].enforcementLevel = analyzer_pb2.EnforcementLevel.Value(level.upper())
    made.Configure(request, None)
    return made


def remediations(made: Servicer, manifest: dict[str, Any]) -> list[Any]:
    properties = json_format.ParseDict(manifest, struct_pb2.Struct())
    request = analyzer_pb2.AnalyzeRequest(type="kubernetes:core/v1:Pod", properties=properties, name="orders")
    return list(made.Remediate(request, None).remediations)


def test_the_engine_is_told_what_each_rule_changed_one_after_the_other() -> None:
    pod = example({"spec.hostPID": True, "spec.hostIPC": True, "spec.containers.0.image": "registry.example/orders:1"})
    levels = dict.fromkeys(("no-host-pid", "no-host-ipc", "image-digest"), "remediate")
    found = remediations(servicer(levels), pod)
    assert [(each.policyName, each.policyPackName, each.policyPackVersion) for each in found] == [
        ("no-host-pid", NAME, "7"),
        ("no-host-ipc", NAME, "7"),
    ]
    last = json_format.MessageToDict(found[-1].properties)
    assert (last["spec"]["hostPID"], last["spec"]["hostIPC"]) == (False, False)


def test_what_is_not_put_right_stops() -> None:
    made = servicer({"image-digest": "remediate"})
    pod = example(
        {"spec.containers.0.image": "registry.example/orders:1", "spec.containers.0.imagePullPolicy": "Always"}
    )
    request = analyzer_pb2.AnalyzeRequest(
        type="kubernetes:core/v1:Pod", properties=json_format.ParseDict(pod, struct_pb2.Struct()), name="orders"
    )
    found = [(each.policyName, each.enforcementLevel) for each in made.Analyze(request, None).diagnostics]
    assert found == [("image-digest", analyzer_pb2.MANDATORY)]


@pytest.mark.parametrize("level", ["mandatory", "advisory", "disabled"])
def test_at_any_other_level_nothing_is_changed(level: str) -> None:
    assert remediations(servicer({"no-host-pid": level}), example({"spec.hostPID": True})) == []


@pytest.mark.parametrize("stack", ["prod", "omnibase-prod", "production"])
def test_in_prod_the_level_is_refused(stack: str) -> None:
    with pytest.raises(ParameterError, match="no-host-pid: level 'remediate' is not allowed in stack"):
        servicer({"no-host-pid": "remediate"}, stack)


def test_the_order_of_the_engines_two_calls_does_not_matter() -> None:
    made = servicer({"no-host-pid": "remediate"}, "test")
    with pytest.raises(ParameterError, match="not allowed in stack 'prod'"):
        made.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack="prod"), None)
