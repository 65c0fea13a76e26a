"""A namespace in which nothing is allowed by accident."""

from __future__ import annotations

import datetime
from typing import Any, cast

import pytest
from omnibase_infra import ArgsError, Environment, EnvironmentArgs
from omnibase_infra.waiver import today

from tests.stacks.support import schemas
from tests.stacks.support.recorder import Recorder, record

WAIVER = {
    "setting": "pod-security",
    "reason": "agents read the node's files",
    "owner": "platform",
    "until": str(today() + datetime.timedelta(days=30)),
}


def made(**changes: Any) -> Recorder:  # noqa: ANN401 -- any argument
    args = {
        "namespace": "space",
        "environment": "dev",
        "cpu_request_millis": 1000,
        "memory_mib": 2048,
        "pods": 20,
        "storage_gib": 10,
        **changes,
    }

    def program() -> None:
        Environment("env", cast(EnvironmentArgs, args))

    return record(program)


def manifest(recorder: Recorder, name: str) -> dict[str, Any]:
    return next(item.inputs for item in recorder.registrations() if item.name == name)


@pytest.mark.req("C4.7", "V9")
def test_it_brings_pod_security_quota_limits_default_deny_and_rights() -> None:
    found = made(reader_groups=["readers"], operator_groups=["operators"])
    labels = manifest(found, "env-namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    hard = manifest(found, "env-quota")["spec"]["hard"]
    assert hard["limits.memory"] == "2048Mi"
    assert hard["services.nodeports"] == "0"
    assert manifest(found, "env-default-deny")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert manifest(found, "env-groups-view")["subjects"][0]["name"] == "readers"
    assert manifest(found, "env-groups-edit")["roleRef"]["name"] == "edit"
    for item in found.registrations():
        if item.type.startswith("kubernetes:"):
            assert schemas.problems(item.inputs) == [], item.name


def test_data_comes_before_services_and_nothing_preempts() -> None:
    found = made()
    data, service = (manifest(found, f"env-{role}-priority") for role in ("data", "service"))
    assert data["value"] > service["value"]
    assert {data["preemptionPolicy"], service["preemptionPolicy"]} == {"Never"}


def test_pods_may_use_the_nodes_files_only_under_a_dated_waiver() -> None:
    found = made(pod_security="privileged", waivers=[WAIVER])
    labels = manifest(found, "env-namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pod_security": "privileged"}, "needs a waiver for 'pod-security'"),
        ({"pod_security": "open"}, "must be one of restricted, baseline, privileged"),
        ({"waivers": [WAIVER]}, "waives nothing"),
        ({"pod_security": "privileged", "waivers": [{**WAIVER, "until": "2020-01-01"}]}, "ended on 2020-01-01"),
        ({"namespace": "My_Space"}, "only lower-case letters"),
        ({"namespace": "a" * 64}, "longer than 63"),
        ({"pods": 0, "memory_mib": 0}, "memory_mib=0 must be at least 1; pods=0"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError) as caught:
        made(**changes)
    assert complaint in str(caught.value)
