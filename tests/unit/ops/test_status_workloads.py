"""A workload is good only when it is ready and runs the declared digest; everything else is said with its reason."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from ops.status.workloads import WorkloadStatus, owner_of, repository_of, workload_status

NOW = datetime.datetime(2026, 11, 25, 18, 0, tzinfo=datetime.UTC)
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
IMAGE = "127.0.0.1:5000/omnibase/reference:1"


def deployment(**changes: dict[str, object]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "Deployment",
        "metadata": {"namespace": "dev", "name": "reference", "generation": 3},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 3},
    }
    for key, value in changes.items():
        found[key] = {**found[key], **value}
    return found


def pod(digest: str = OLD, **status: object) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "dev",
            "name": "reference-7c9-x1",
            "labels": {"pod-template-hash": "7c9"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "reference-7c9", "controller": True}],
        },
        "spec": {"containers": [{"name": "reference", "image": f"{IMAGE}@{digest}"}]},
        "status": {
            "startTime": "2026-11-25T17:00:00Z",
            "containerStatuses": [
                {"name": "reference", "restartCount": 2, "imageID": f"127.0.0.1:5000/omnibase/reference@{digest}"}
            ],
            **status,
        },
    }


def judge(workload: dict[str, Any], *pods: dict[str, Any], declared: str = OLD, newest: str = "") -> WorkloadStatus:
    return workload_status(
        workload,
        pods=pods,
        declared={"reference": f"{IMAGE}@{declared}"} if declared else {},
        newest={repository_of(IMAGE): newest} if newest else {},
        now=NOW,
    )


@pytest.mark.req("P9", "P10")
def test_a_ready_workload_with_the_declared_digest_has_no_problem() -> None:
    found = judge(deployment(), pod())
    assert (found.desired, found.ready, found.restarts, found.oldest_pod_seconds) == (1, 1, 2, 3600.0)
    assert found.images[0].declared == OLD
    assert found.images[0].running == (OLD,)
    assert found.problems == ()


@pytest.mark.req("P9")
def test_a_ready_workload_with_another_digest_is_a_problem() -> None:
    found = judge(deployment(), pod(NEW))
    assert found.problems == ("container reference runs sha256:bbbbbbbbbbbb, declared is sha256:aaaaaaaaaaaa",)


@pytest.mark.req("P10")
def test_a_newer_image_than_the_declared_one_is_shown_without_being_a_problem() -> None:
    found = judge(deployment(), pod(), newest=NEW)
    assert found.images[0].newest == NEW
    assert found.problems == ()


def test_the_digest_of_the_specification_counts_where_the_runtime_names_another_repository() -> None:
    renamed = pod()
    renamed["status"]["containerStatuses"][0]["imageID"] = f"127.0.0.1:5000/omnibase/other@{NEW}"
    assert judge(deployment(), renamed).problems == ()


def test_images_of_a_workload_outside_the_stack_are_not_judged() -> None:
    found = judge(deployment(), pod(NEW), declared="")
    assert found.images[0].running == (NEW,)
    assert found.problems == ()


@pytest.mark.req("P9")
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": {"readyReplicas": 0}}, "0 of 1 ready"),
        ({"status": {"updatedReplicas": 0}}, "0 of 1 updated to the newest specification"),
        ({"status": {"observedGeneration": 2}}, "its controller has not seen the newest specification"),
        ({"spec": {"replicas": 3}}, "1 of 3 ready"),
        (
            {"status": {"conditions": [{"type": "Progressing", "status": "False", "message": "deadline exceeded"}]}},
            "rollout stopped: deadline exceeded",
        ),
    ],
)
def test_an_unfinished_rollout_says_what_is_missing(changes: dict[str, Any], problem: str) -> None:
    assert problem in judge(deployment(**changes), pod()).problems


def test_a_crash_loop_is_named_with_its_pod_container_and_message() -> None:
    waiting = {"name": "reference", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}}
    found = judge(deployment(), pod(containerStatuses=[waiting]))
    assert "pod reference-7c9-x1, container reference: CrashLoopBackOff (back-off 40s)" in found.problems


def test_a_starting_container_is_no_complaint() -> None:
    waiting = {"name": "reference", "state": {"waiting": {"reason": "ContainerCreating"}}}
    assert judge(deployment(), pod(containerStatuses=[waiting])).problems == ()


def test_a_pod_that_fits_on_no_node_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}
    found = judge(deployment(), pod(conditions=[condition]))
    assert "pod reference-7c9-x1: not scheduled: 0/1 nodes: cpu" in found.problems


def test_pods_of_other_workloads_and_namespaces_are_left_out() -> None:
    stranger = pod(NEW)
    stranger["metadata"]["namespace"] = "staging"
    assert judge(deployment(), pod(), stranger).problems == ()


def test_a_daemon_set_wants_one_pod_on_each_node() -> None:
    collector = {
        "kind": "DaemonSet",
        "metadata": {"namespace": "dev", "name": "collector"},
        "status": {"desiredNumberScheduled": 3, "numberReady": 2, "updatedNumberScheduled": 3},
    }
    assert judge(collector, declared="").problems == ("2 of 3 ready",)


def test_zero_replicas_need_no_pod() -> None:
    assert judge(deployment(spec={"replicas": 0}, status={"readyReplicas": 0, "updatedReplicas": 0})).problems == ()


def test_a_pod_belongs_to_the_deployment_behind_its_replica_set() -> None:
    assert owner_of(pod()) == ("dev", "Deployment", "reference")


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("127.0.0.1:5000/omnibase/reference:1@sha256:ab", "127.0.0.1:5000/omnibase/reference"),
        ("registry.example.test/a/b", "registry.example.test/a/b"),
        ("postgres:17", "postgres"),
    ],
)
def test_a_repository_is_the_reference_without_tag_and_digest(image: str, repository: str) -> None:
    assert repository_of(image) == repository
