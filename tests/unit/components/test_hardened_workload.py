"""The hardened workload: what it always has, what it refuses, what only a waiver opens."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra import ArgsError, HardenedWorkload
from omnibase_infra.workload import manifests
from omnibase_infra.workload.checks import problems
from omnibase_infra.workload.pod import settings_name

from tests.stacks.support import schemas
from tests.stacks.support.recorder import Recorder, Registration, record
from tests.stacks.support.samples import IMAGE, workload

DAY = datetime.date(2026, 6, 1)
DATA = {"data": {"path": "/data", "size_gib": 1}}
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
        extra["volumes"] = DATA
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
    container = _container(start_seconds=1800, ready={"path": "/health"})
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
        ({"kind": "StatefulSet"}, "a StatefulSet needs volumes"),
        ({"volumes": DATA}, "volumes is for a StatefulSet, not for a Deployment"),
        ({"protect": True}, "protect is for a StatefulSet, not for a Deployment"),
        (
            {"kind": "StatefulSet", "volumes": {"settings": DATA["data"]}},
            "needs an absolute path and a name like 'data'",
        ),
        (
            {"kind": "StatefulSet", "volumes": {"data": {"path": "data", "size_gib": 0}}},
            "size_gib=0 is outside 1..65536",
        ),
        ({"memory_request_mib": 129}, "memory_request_mib=129 is outside 1..128"),
        ({"cpu_request_millis": 200, "cpu_limit_millis": 100}, "cpu_limit_millis=100 is outside 200..256000"),
        ({"more_ports": {"http": 9000}}, "and not http or https"),
        ({"more_ports": {"grpc": 80}}, "more_ports 'grpc'=80 is outside 1024..65535"),
        ({"more_ports": {"grpc": 8080}}, "port 8080 has more than one name"),
        ({"calls": [{"party": {"name": "b", "namespace": "s"}, "ports": []}]}, "calls to 'b' name no port"),
        ({"ready": {}}, "ready must have exactly one of path, command and tcp, and has none"),
        ({"live": {"path": "/a", "tcp": True}}, "live must have exactly one of path, command and tcp"),
        ({"ready": {"tcp": True, "port": 9999}}, "ready port=9999 is not a port of the workload (8080)"),
        ({"start": {"tcp": True, "interval_seconds": 301}}, "start interval_seconds=301 is outside 1..300"),
        ({"ready": {"tcp": True, "retries": 101}}, "ready retries=101 is outside 1..100"),
        ({"settings": {"../a": ""}}, "settings file '../a' must be named by"),
        ({"settings": {"a": "x" * 1_000_000}}, "settings have 1000001 bytes of at most 1000000"),
        ({"scratch_mib": {"/etc/omnibase/": 1}, "settings": {"a": ""}}, "2 things are mounted at '/etc/omnibase'"),
        ({"kind": "Job", "replicas": 2}, "has no meaning for a Job"),
        ({"env": {"DB_PASSWORD": "x"}}, "env DB_PASSWORD looks like a credential"),
        ({"env": {"API_KEY": "x"}}, "env API_KEY looks like a credential"),
        ({"secret_mounts": [{"secret": "s", "keys": [], "path": "x"}]}, "needs an absolute path and at least one key"),
        ({"scratch_mib": {"tmp": 1}}, "needs an absolute path"),
        ({"live": {"path": "healthz"}}, "live path='healthz' must start with '/'"),
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
    with pytest.raises(ValueError, match="HardenedWorkload 'web': image='a:latest' has no digest"):
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


def settings_of(recorder: Recorder) -> dict[str, Registration]:
    """ConfigMaps of a program, by the names of their resources."""
    return {item.name: item for item in recorder.registrations() if item.inputs.get("kind") == "ConfigMap"}


@pytest.mark.req("P7", "R5")
def test_settings_are_an_immutable_object_named_after_its_content_and_mounted_read_only() -> None:
    recorder = made(settings={"settings.json": "{}", "mcp.json": "[]"})
    ((resource, found),) = settings_of(recorder).items()
    name = found.inputs["metadata"]["name"]
    assert re.fullmatch(r"web-settings-[0-9a-f]{10}", name)
    assert resource == name, "the resource moves with the content, so that a change taken back is the resource before"
    assert found.inputs["immutable"] is True
    assert found.inputs["data"] == {"settings.json": "{}", "mcp.json": "[]"}
    assert schemas.problems(found.inputs) == []
    deployment = objects(recorder)["Deployment"]["spec"]["template"]["spec"]
    assert {"name": "settings", "configMap": {"name": name, "defaultMode": 0o444}} in deployment["volumes"]
    mount = {"name": "settings", "mountPath": "/etc/omnibase", "readOnly": True}
    assert mount in deployment["containers"][0]["volumeMounts"]


@pytest.mark.req("P7")
def test_pods_wait_for_their_settings() -> None:
    recorder = made(settings={"a": "1"})
    (settings,) = settings_of(recorder).values()
    (workload_,) = [item for item in recorder.registrations() if item.name == "web-workload"]
    assert settings.urn in workload_.dependencies


@pytest.mark.req("P7", "R5")
def test_other_settings_are_other_pods_and_the_ones_before_come_back_the_same() -> None:
    first, second, back = (made(settings={"a": text}) for text in ("1", "2", "1"))
    names = [next(iter(settings_of(recorder))) for recorder in (first, second, back)]
    assert names[0] != names[1]
    assert names[0] == names[2]
    templates = [objects(recorder)["Deployment"]["spec"]["template"] for recorder in (first, second, back)]
    assert templates[0] != templates[1]
    assert templates[0] == templates[2]


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}\.json", fullmatch=True), st.text(max_size=20), min_size=1, max_size=4)
)
def test_the_order_of_settings_says_nothing(files: dict[str, str]) -> None:
    turned = dict(reversed(files.items()))
    assert settings_name("web", workload(settings=files)) == settings_name("web", workload(settings=turned))


def test_without_settings_there_is_no_object_for_them() -> None:
    assert settings_of(made()) == {}


@pytest.mark.req("C4.4")
def test_liveness_asks_the_port_where_readiness_depends_on_others() -> None:
    container = _container(
        start={"path": "/health", "interval_seconds": 5},
        ready={"path": "/health", "interval_seconds": 30, "timeout_seconds": 10, "retries": 3},
        live={"tcp": True},
        start_seconds=1800,
    )
    assert container["livenessProbe"] == {
        "tcpSocket": {"port": "http"}, "periodSeconds": 10, "timeoutSeconds": 3, "failureThreshold": 3,
    }  # fmt: skip
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/health", "port": "http"},
        "periodSeconds": 30, "timeoutSeconds": 10, "failureThreshold": 3,
    }  # fmt: skip
    assert container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] == 1800


def test_a_worker_without_port_is_asked_by_a_command_and_has_no_service() -> None:
    probe = {"command": ["/bin/alive"]}
    args = workload(port=None, live=probe, ready=probe)
    assert problems("web", args, DAY) == []
    found = objects(made(port=None, live=probe, ready=probe))
    assert set(found) == {"Deployment", "ServiceAccount"}
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert "ports" not in container
    assert container["livenessProbe"]["exec"] == {"command": ["/bin/alive"]}
    assert schemas.problems(found["Deployment"]) == []


def test_every_port_is_the_services_and_every_caller_may_reach_it() -> None:
    caller = {"name": "caller", "namespace": "space", "labels": {"app": "caller"}}
    found = made(more_ports={"grpc": 9000}, accepts_from=[caller])
    assert [port["port"] for port in objects(found)["Service"]["spec"]["ports"]] == [8080, 9000]
    assert schemas.problems(objects(found)["Service"]) == []
    (ingress,) = [item.inputs for item in found.registrations() if item.name == "caller-to-web-ingress"]
    assert [port["port"] for port in ingress["spec"]["ingress"][0]["ports"]] == [8080, 9000]


@pytest.mark.req("C4.7", "V9")
def test_calls_are_open_before_the_pods_that_make_them() -> None:
    party = {"name": "llm host", "cidrs": ["192.0.2.0/24"]}
    recorder = made(calls=[{"party": party, "ports": [443]}])
    (policy,) = [item for item in recorder.registrations() if item.inputs.get("kind") == "NetworkPolicy"]
    assert policy.name == "web-to-llm-host-egress"
    assert policy.inputs["spec"]["egress"][0]["ports"] == [{"port": 443, "protocol": "TCP"}]
    (workload_,) = [item for item in recorder.registrations() if item.name == "web-workload"]
    assert policy.urn in workload_.dependencies


@pytest.mark.req("V22")
@pytest.mark.parametrize("guard", [True, False])
def test_a_stateful_set_keeps_its_volumes_and_is_guarded_where_asked(guard: bool) -> None:
    recorder = made(kind="StatefulSet", volumes=DATA, storage_class="fast", protect=guard)
    (found,) = [item for item in recorder.registrations() if item.name == "web-workload"]
    assert (found.protect, found.retain) == (guard, guard)
    spec = found.inputs["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert claim["spec"]["storageClassName"] == "fast"
    assert {"name": "data", "mountPath": "/data"} in spec["template"]["spec"]["containers"][0]["volumeMounts"]
    assert schemas.problems(found.inputs) == []


def test_less_memory_may_be_requested_than_allowed_and_cpu_be_limited() -> None:
    resources = _container(memory_request_mib=64, cpu_limit_millis=500)["resources"]
    assert resources == {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi", "cpu": "500m"}}


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
        ({"deadline_seconds": 90}, "deadline_seconds is for a Job or CronJob"),
        ({"final_exit_codes": [1]}, "final_exit_codes is for a Job or CronJob"),
        ({"kind": "Job", "deadline_seconds": 9}, "deadline_seconds=9 is outside 10..86400"),
        ({"kind": "Job", "final_exit_codes": [1, 0]}, "final_exit_codes[1]=0 is outside 1..255"),
    ],
)
def test_bounds_of_a_job_are_for_jobs(changes: dict[str, Any], complaint: str) -> None:
    assert complaint in "; ".join(problems("web", workload(**changes), DAY))
