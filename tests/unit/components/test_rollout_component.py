"""Rollout: the order of its parts, what the analysis may do, what makes it run again, and what is refused."""

from __future__ import annotations

import json
from typing import Any, cast

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra import ArgsError, HardenedWorkload, Rollout, RolloutArgs
from omnibase_infra.rollout.checks import problems

from tests.stacks.support import schemas, stacks
from tests.stacks.support.recorder import Recorder, record
from tests.stacks.support.samples import IMAGE, workload

WAIVER = {"setting": "service-account-token", "reason": "moves the weights", "owner": "ops", "until": "2026-12-31"}


def rollout(**changes: Any) -> RolloutArgs:  # noqa: ANN401 -- any argument
    found = {
        "workload": workload(env={"MODE": "plain"}, replicas=3, max_replicas=5),
        "analysis_image": IMAGE,
        "analysis_memory_mib": 32,
        "analysis_cpu_request_millis": 10,
        "routes": ["notes"],
        "steps": [5, 25],
        "interval_seconds": 10,
        "step_deadline_seconds": 60,
        "max_error_percent": 1,
        "max_latency_ms": 1000,
        "min_requests": 20,
        "prometheus_url": "http://prometheus.space-monitoring.svc:9090",
        "api_server_cidrs": ["10.213.0.2/32"],
        "api_server_ports": [6443],
        "waiver": WAIVER,
    }
    return cast(RolloutArgs, {**found, **changes})


def made(**changes: Any) -> Recorder:  # noqa: ANN401 -- any argument
    def program() -> None:
        args = rollout(**changes)
        proof = Rollout("web", args)
        HardenedWorkload("web", args["workload"], pulumi.ResourceOptions(depends_on=[proof]))

    return record(program)


@pytest.fixture(scope="module")
def whole() -> Recorder:
    return made()


def object_of(recorder: Recorder, kind: str, name: str) -> dict[str, Any]:
    (found,) = [
        item.inputs
        for item in recorder.registrations()
        if item.type.endswith(f":{kind}") and item.inputs["metadata"]["name"] == name
    ]
    return found


def proves(recorder: Recorder) -> str:
    template = object_of(recorder, "Job", "web-analysis")["spec"]["template"]
    return str(template["metadata"]["annotations"]["omnibase.io/proves"])


@pytest.mark.req("C4.10", "C7.10")
def test_the_canary_is_ready_before_the_analysis_and_the_stable_pods_change_after_it(whole: Recorder) -> None:
    found = {(item.type.rpartition(":")[2], item.name): item for item in whole.registrations()}
    canary, job = found["Deployment", "web-canary-workload"], found["Job", "web-analysis-workload"]
    assert canary.urn in found["HardenedWorkload", "web-analysis"].dependencies
    assert found["RoleBinding", "web-analysis-binding"].urn in found["HardenedWorkload", "web-analysis"].dependencies
    assert job.urn in found["HardenedWorkload", "web"].dependencies
    assert job.delete_before_replace, "its name stays: two of them cannot stand at a time"


def test_the_canary_is_one_pod_of_the_same_template(whole: Recorder) -> None:
    canary, stable = (object_of(whole, "Deployment", name)["spec"] for name in ("web-canary", "web"))
    assert canary["replicas"] == 1
    assert "replicas" not in stable
    assert not [item for item in whole.registrations() if item.name == "web-canary-autoscaler"]
    texts = [json.dumps(spec["template"], sort_keys=True) for spec in (canary, stable)]
    assert texts[0].replace("web-canary", "web") == texts[1]


@pytest.mark.req("V13")
def test_the_analysis_may_change_the_named_routes_and_nothing_else(whole: Recorder) -> None:
    routes, stable = object_of(whole, "Role", "web-analysis")["rules"]
    assert (routes["resources"], routes["resourceNames"], routes["verbs"]) == (
        ["httproutes"],
        ["notes"],
        ["get", "patch"],
    )
    assert (stable["resources"], stable["resourceNames"], stable["verbs"]) == (["deployments"], ["web"], ["get"])
    (subject,) = object_of(whole, "RoleBinding", "web-analysis")["subjects"]
    assert subject["name"] == object_of(whole, "ServiceAccount", "web-analysis")["metadata"]["name"]


def test_a_refusal_is_final_a_killed_analysis_is_not_and_a_failed_job_is_made_anew(whole: Recorder) -> None:
    job = object_of(whole, "Job", "web-analysis")
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [1, 2])
    assert job["spec"]["backoffLimit"] > 0
    assert job["spec"]["activeDeadlineSeconds"] == 180 + 2 * 60
    assert job["metadata"]["annotations"]["pulumi.com/replaceUnready"] == "true"
    assert int(job["metadata"]["annotations"]["pulumi.com/timeoutSeconds"]) > job["spec"]["activeDeadlineSeconds"]
    assert "ttlSecondsAfterFinished" not in job["spec"], "a refresh would find it gone"


@pytest.mark.parametrize(
    "change",
    [
        {"env": {"MODE": "other"}},
        {"image": IMAGE.replace("a" * 64, "b" * 64)},
        {"restart_on": {"secret": "2"}},
        {"memory_mib": 256},
    ],
)
def test_another_pod_is_proven_again(whole: Recorder, change: dict[str, Any]) -> None:
    assert proves(
        made(workload=workload(**{"env": {"MODE": "plain"}, "replicas": 3, "max_replicas": 5, **change}))
    ) != (proves(whole))


@pytest.mark.parametrize("change", [{"replicas": 4}, {"max_replicas": 9}, {"accepts_from": []}])
def test_what_changes_no_pod_is_not(whole: Recorder, change: dict[str, Any]) -> None:
    given = {"env": {"MODE": "plain"}, "replicas": 3, "max_replicas": 5, **change}
    assert proves(made(workload=workload(**given))) == proves(whole)


def test_what_only_the_canary_gets_reaches_the_canary_only() -> None:
    found = made(canary_env={"CONSUME": "false"})
    variables = [
        {
            entry["name"]
            for entry in object_of(found, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]["env"]
        }
        for name in ("web-canary", "web")
    ]
    assert variables == [{"MODE", "CONSUME"}, {"MODE"}]


def test_everything_fits_the_schema_of_its_kind(whole: Recorder) -> None:
    own = [item for item in whole.registrations() if item.type.startswith("kubernetes:")]
    assert {item.name: found for item in own if (found := schemas.problems(item.inputs))} == {}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"steps": []}, "steps is empty"),
        ({"steps": [20, 20]}, "must ascend"),
        ({"steps": [0, 101]}, "step 101 is outside 1..100"),
        ({"routes": []}, "routes is empty"),
        ({"step_deadline_seconds": 10}, "no step could end in time"),
        ({"max_error_percent": 101}, "max_error_percent=101 is outside 0..100"),
        ({"probe_path": "notes"}, "must start with '/'"),
        ({"prometheus_url": "prometheus:9090"}, "must be an http address"),
        ({"api_server_cidrs": []}, "the weights are moved there"),
        ({"workload": workload(kind="Job", port=None)}, "workload.port is required"),
        ({"workload": workload(kind="Job")}, "must be Deployment"),
        ({"workload": workload(tls_secret="web-tls")}, "plain HTTP"),
        ({"canary_env": {"MODE": "other"}}, "something else is proven"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_exists(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError, match="Rollout 'web'") as refused:
        made(**changes)
    assert complaint in str(refused.value)


def test_a_token_without_a_waiver_in_force_is_refused() -> None:
    with pytest.raises(ArgsError, match="ended on"):
        made(waiver={**WAIVER, "until": "2026-01-31"})


def test_a_name_that_leaves_no_room_for_those_of_its_parts_is_refused() -> None:
    assert problems("a" * 54, rollout()) == []
    assert problems("a" * 55, rollout()) == [f"name {'a' * 55!r} is longer than 54 characters"]


@given(steps=st.lists(st.integers(-5, 110), max_size=5))
def test_only_ascending_shares_are_steps(steps: list[int]) -> None:
    fine = bool(steps) and steps == sorted(set(steps)) and min(steps) >= 1 and max(steps) <= 100
    assert (problems("web", rollout(steps=steps)) == []) == fine


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_in_every_stack_the_route_rests_with_the_stable_pods(stack: str) -> None:
    (route,) = [
        item.inputs for item in stacks.of_kind(stack, "HTTPRoute") if item.inputs["metadata"]["name"] == "notes"
    ]
    (rule,) = route["spec"]["rules"]
    assert {backend["name"]: backend["weight"] for backend in rule["backendRefs"]} == {
        "reference": 100,
        "reference-canary": 0,
    }


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_the_canary_leaves_events_to_the_stable_pods(stack: str) -> None:
    found = {item.inputs["metadata"]["name"]: item.inputs for item in stacks.of_kind(stack, "Deployment")}
    variables = [
        {entry["name"]: entry["value"] for entry in found[name]["spec"]["template"]["spec"]["containers"][0]["env"]}
        for name in ("reference-canary", "reference")
    ]
    assert variables[0] == {**variables[1], "REFERENCE_MESSAGES_CONSUME": "false"}
