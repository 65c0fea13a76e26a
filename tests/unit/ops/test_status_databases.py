"""PostgreSQL in the status: phase, primary, replicas, lag, quorum and poolers."""

from __future__ import annotations

from typing import Any

import pytest

from ops.status.databases import DatabaseStatus, database_status
from ops.status.metrics import samples

PRIMARY_METRICS = """# HELP cnpg_pg_replication_streaming_replicas Number of streaming replicas
# TYPE cnpg_pg_replication_streaming_replicas gauge
cnpg_pg_replication_streaming_replicas 1
cnpg_pg_replication_lag 0
cnpg_collector_sync_replicas{value="observed"} 1
"""
REPLICA_METRICS = "cnpg_pg_replication_streaming_replicas 0\ncnpg_pg_replication_lag 2.5\n"


def cluster(**status: object) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "dev", "name": "main"},
        "spec": {"instances": 2},
        "status": {
            "phase": "Cluster in healthy state",
            "currentPrimary": "main-1",
            "targetPrimary": "main-1",
            "readyInstances": 2,
            **status,
        },
    }


def instance(name: str, role: str) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "dev",
            "name": name,
            "labels": {"cnpg.io/instanceRole": role},
            "ownerReferences": [{"kind": "Cluster", "name": "main", "controller": True}],
        },
        "spec": {"containers": [{"name": "postgres", "image": "r/postgres:17@sha256:" + "a" * 64}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "postgres", "restartCount": 1}],
        },
    }


def judge(
    found: dict[str, Any], *, metrics: dict[str, str] | None = None, pooler_ready: int = 1, digest: str = "a"
) -> DatabaseStatus:
    return database_status(
        found,
        pods=[instance("main-1", "primary"), instance("main-2", "replica")],
        poolers=[
            {
                "metadata": {"namespace": "dev", "name": "main-pooler-rw"},
                "spec": {"type": "rw", "instances": 1, "cluster": {"name": "main"}},
            },
            {"metadata": {"namespace": "dev", "name": "x"}, "spec": {"type": "ro", "cluster": {"name": "another"}}},
        ],
        deployments=[
            {"metadata": {"namespace": "dev", "name": "main-pooler-rw"}, "status": {"readyReplicas": pooler_ready}}
        ],
        quorums=[
            {
                "metadata": {"namespace": "dev", "name": "main"},
                "status": {"method": "ANY", "standbyNumber": 1, "standbyNames": ["main-2"]},
            }
        ],
        claims=[],
        metrics={"dev/main-1": PRIMARY_METRICS, "dev/main-2": REPLICA_METRICS} if metrics is None else metrics,
        declared={"postgres": "r/postgres:17@sha256:" + digest * 64},
        newest={},
    )


@pytest.mark.req("P9")
def test_a_healthy_cluster_shows_primary_replicas_lag_quorum_and_poolers() -> None:
    found = judge(cluster())
    assert found.problems == ()
    assert (found.primary, found.streaming_replicas, found.quorum) == ("main-1", 1, "any 1 (main-2)")
    assert [(item.pod, item.role, item.ready, item.restarts, item.lag_seconds) for item in found.instances] == [
        ("main-1", "primary", True, 1, None),
        ("main-2", "replica", True, 1, 2.5),
    ]
    assert [(item.name, item.type, item.desired, item.ready) for item in found.poolers] == [
        ("main-pooler-rw", "rw", 1, 1)
    ]


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"phase": "Failing over"}, "phase is 'Failing over'"),
        ({"readyInstances": 1}, "1 of 2 instances ready"),
        ({"targetPrimary": "main-2"}, "primary moves from main-1 to main-2"),
        ({"phase": None}, "phase is 'not started'"),
    ],
)
def test_a_cluster_that_is_not_settled_is_a_problem(status: dict[str, Any], problem: str) -> None:
    assert problem in judge(cluster(**status)).problems


def test_a_replica_that_does_not_stream_is_a_problem_although_its_pod_is_ready() -> None:
    cut_off = {"dev/main-1": PRIMARY_METRICS.replace("streaming_replicas 1", "streaming_replicas 0")}
    assert judge(cluster(), metrics=cut_off).problems == ("0 of 1 replicas receive the primary's log",)


def test_unreadable_metrics_leave_replication_unknown() -> None:
    found = judge(cluster(), metrics={})
    assert found.streaming_replicas is None
    assert found.problems == ()


def test_a_pooler_without_a_ready_pod_is_a_problem() -> None:
    assert judge(cluster(), pooler_ready=0).problems == ("pooler main-pooler-rw: 0 of 1 ready",)


@pytest.mark.req("P9")
def test_instances_with_another_image_than_declared_are_a_problem() -> None:
    expected = "container postgres runs sha256:aaaaaaaaaaaa, declared is sha256:bbbbbbbbbbbb"
    assert judge(cluster(), digest="b").problems == (expected,)


def test_metrics_are_read_by_exact_name_with_their_labels() -> None:
    text = 'a_total{x="1"} 2\na_total_more 3\n# a_total 4\na_total 1e3\n'
    assert list(samples(text, "a_total")) == [('x="1"', 2.0), ("", 1000.0)]
