"""The hardened workload: what it always has, what it refuses, what only a waiver opens."""

from __future__ import annotations

import datetime
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra import ArgsError, HardenedWorkload
from omnibase_infra.workload import manifests
from omnibase_infra.workload.checks import problems

from tests.stacks.support import schemas
from tests.stacks.support.recorder import Recorder, record
from tests.stacks.support.samples import IMAGE, workload

DAY = datetime.date(2026, 6, 1)
WAIVER = {"setting": "writable-root", "reason": "legacy image writes there", "owner": "ops", "until": "2026-07-01"}


def made(**changes: Any) -> Recorder:  # noqa: ANN401 -- any argument
    def program() -> None:
        HardenedWorkload("web", workload(**changes))

    return record(program)


def objects(recorder: Recorder) -> dict[str, dict[str, Any]]:
    found = [item for item in recorder.registrations() if item.type.startswith("kubernetes:")]
    return {item.inputs["kind"]: item.inputs for item in found}


@pytest.mark.req("C4.1", "C4.9", "V1", "V2", "V3")
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "CronJob"])
def test_every_kind_is_hardened_without_being_asked(kind: str) -> None:
    extra: dict[str, Any] = {"kind": kind}
    if kind == "StatefulSet":
        extra.update(storage_gib=1, storage_path="/data")
    if kind == "CronJob":
        extra["schedule"] = "0 3 * * *"
    manifest = manifests.workload("web", workload(**extra))
    spec = manifest["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else manifest["spec"]
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert not any("hostPath" in volume for volume in pod["volumes"])
    assert schemas.problems(manifest) == []


@pytest.mark.req("C4.3", "V5")
def test_memory_is_requested_and_limited_alike_and_cpu_only_requested() -> None:
    resources = _container()["resources"]
    assert resources == {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}


@pytest.mark.req("C4.4", "V6")
def test_a_slow_start_has_its_own_budget_and_readiness_its_own_path() -> None:
    container = _container(start_seconds=1800, ready_path="/health")
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 1800
    assert container["readinessProbe"]["httpGet"]["path"] == "/health"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.req("C4.5", "C3.3")
def test_copies_are_spread_budgeted_and_replaced_one_by_one() -> None:
    found = objects(made(replicas=3))
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    spec = found["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    keys = [item["topologyKey"] for item in spec["template"]["spec"]["topologySpreadConstraints"]]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert "PodDisruptionBudget" not in objects(made(replicas=1))


def test_an_autoscaler_owns_the_number_of_copies() -> None:
    found = objects(made(replicas=2, max_replicas=5))
    assert "replicas" not in found["Deployment"]["spec"]
    assert (found["HorizontalPodAutoscaler"]["spec"]["minReplicas"]) == 2
    assert schemas.problems(found["HorizontalPodAutoscaler"]) == []


@pytest.mark.req("C4.8")
def test_a_service_needs_fewer_than_20_lines() -> None:
    assert len(workload()) <= 5
    assert set(objects(made())) == {"Deployment", "Service", "ServiceAccount"}


def test_a_changed_secret_generation_changes_the_pod() -> None:
    first, second = (
        manifests.workload("web", workload(restart_on={"generation": value}))["spec"]["template"] for value in "12"
    )
    assert first != second


def test_only_the_named_keys_of_a_secret_become_files() -> None:
    mount = {"secret": "db", "keys": ["password"], "path": "/run/secrets/db"}
    spec = objects(made(secret_mounts=[mount]))["Deployment"]["spec"]["template"]["spec"]
    (volume,) = [volume for volume in spec["volumes"] if "secret" in volume]
    assert volume["secret"]["items"] == [{"key": "password", "path": "password"}]
    assert {"name": volume["name"], "mountPath": "/run/secrets/db", "readOnly": True} in spec["containers"][0][
        "volumeMounts"
    ]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"image": "registry.example.test/a:latest"}, "has no digest"),
        ({"image": "a@sha256:short"}, "has no digest"),
        ({"kind": "DaemonSet"}, "must be one of Deployment"),
        ({"port": None}, "port is required for a Deployment"),
        ({"port": 80}, "port=80 is outside 1024..65535"),
        ({"uid": 0}, "uid=0 is outside"),
        ({"replicas": 0}, "replicas=0 is outside 1.."),
        ({"memory_mib": 8}, "memory_mib=8 is outside 16.."),
        ({"start_seconds": 1801}, "start_seconds=1801 is outside 1..1800"),
        ({"stop_seconds": 91}, "stop_seconds=91 is outside 1..90"),
        ({"replicas": 3, "max_replicas": 3}, "max_replicas=3 must be above replicas=3"),
        ({"kind": "CronJob"}, "must be five cron fields"),
        ({"schedule": "0 3 * * *"}, "schedule is for a CronJob"),
        ({"kind": "StatefulSet"}, "needs storage_gib and an absolute storage_path"),
        ({"kind": "Job", "replicas": 2}, "has no meaning for a Job"),
        ({"env": {"DB_PASSWORD": "x"}}, "env DB_PASSWORD looks like a credential"),
        ({"env": {"API_KEY": "x"}}, "env API_KEY looks like a credential"),
        ({"secret_mounts": [{"secret": "s", "keys": [], "path": "x"}]}, "needs an absolute path and at least one key"),
        ({"scratch_mib": {"tmp": 1}}, "needs an absolute path"),
        ({"live_path": "healthz"}, "must start with '/'"),
        ({"writable_root": True}, "writable_root=True: needs a waiver for 'writable-root'"),
        ({"service_account_token": True}, "needs a waiver for 'service-account-token'"),
        ({"waivers": [WAIVER]}, "waives nothing"),
        ({"writable_root": True, "waivers": [{**WAIVER, "until": "2026-05-01"}]}, "ended on 2026-05-01"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], complaint: str) -> None:
    assert complaint in "; ".join(problems("web", workload(**changes), DAY))


def test_all_problems_come_together_before_any_resource() -> None:
    with pytest.raises(ArgsError) as caught:
        made(image="a:latest", port=80, uid=0)
    assert len(caught.value.problems) == 3


def test_a_file_name_of_a_credential_is_no_credential() -> None:
    assert problems("web", workload(env={"DB_PASSWORD_FILE": "/run/secrets/db/password"}), DAY) == []


@pytest.mark.req("V28")
def test_a_waiver_opens_exactly_its_setting() -> None:
    args = workload(writable_root=True, waivers=[WAIVER])
    assert problems("web", args, DAY) == []
    container = manifests.workload("web", args)["spec"]["template"]["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_an_image_that_another_resource_makes_is_checked_when_it_is_known() -> None:
    def program(image: str) -> None:
        HardenedWorkload("web", workload(image=pulumi.Output.from_input(image)))

    assert objects(record(lambda: program(IMAGE)))["Deployment"]
    with pytest.raises(ArgsError, match="has no digest"):
        record(lambda: program("a:latest"))


@given(
    replicas=st.integers(min_value=1, max_value=1000),
    memory=st.integers(min_value=16, max_value=100_000),
    port=st.integers(min_value=1024, max_value=65535),
    start=st.integers(min_value=1, max_value=1800),
)
def test_whatever_is_accepted_is_a_valid_object(replicas: int, memory: int, port: int, start: int) -> None:
    args = workload(replicas=replicas, memory_mib=memory, port=port, start_seconds=start)
    assert problems("web", args, DAY) == []
    for build in (manifests.workload, manifests.service, manifests.disruption_budget, manifests.service_account):
        assert schemas.problems(build("web", args)) == []


def _container(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    found: dict[str, Any] = manifests.workload("web", workload(**changes))["spec"]["template"]["spec"]["containers"][0]
    return found


def test_a_job_says_how_long_it_may_take_and_which_failures_are_final() -> None:
    job = manifests.workload("web", workload(kind="Job", port=None, deadline_seconds=90, final_exit_codes=[2, 1]))
    assert job["spec"]["activeDeadlineSeconds"] == 90
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"] == {"containerName": "web", "operator": "In", "values": [1, 2]}
    assert job["metadata"]["annotations"] == {
        "pulumi.com/replaceUnready": "true",
        "pulumi.com/timeoutSeconds": "150",
    }


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"deadline_seconds": 90}, "deadline_seconds is for a Job"),
        ({"final_exit_codes": [1]}, "final_exit_codes is for a Job"),
        ({"kind": "Job", "deadline_seconds": 9}, "deadline_seconds=9 is outside 10..86400"),
        ({"kind": "Job", "final_exit_codes": [1, 0]}, "final_exit_codes[1]=0 is outside 1..255"),
    ],
)
def test_bounds_of_a_job_are_for_jobs(changes: dict[str, Any], complaint: str) -> None:
    assert complaint in "; ".join(problems("web", workload(**changes), DAY))
