"""`ops status` of a whole environment: it says healthy only while everything is as declared."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from local.paths import Paths
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import eventually, wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK


def status(paths: Paths) -> tuple[int, dict[str, Any]]:
    """Exit code and document of `ops status --json`."""
    ended = subprocess.run(
        [str(paths.venv / "bin" / "ops"), "status", "--stack", STACK, "--json"],
        env={**os.environ, "OMNIBASE_INSTANCE": paths.instance},
        cwd=paths.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def healthy_status(paths: Paths, seconds: float = 120) -> dict[str, Any]:
    """The report as soon as it is healthy; an earlier test may have left the database in the middle of a failover."""
    reports: list[dict[str, Any]] = []

    def healthy() -> bool:
        code, report = status(paths)
        assert (code == 0) == report["healthy"]
        reports[:] = [report]
        return bool(report["healthy"])

    wait_for(healthy, seconds, lambda: f"healthy, but {reports[0]['problems']}")
    return reports[0]


@pytest.fixture(scope="module")
def deployed(outputs: dict[str, Any]) -> None:
    """The stack as its file says."""
    assert outputs


@pytest.fixture
def scaled_by_hand(deployed: None, kubectl: Kubectl) -> Iterator[None]:
    """The service told to have no copy, behind the engine's back."""
    kubectl("scale", "deployment/reference", "-n", NAMESPACE, "--replicas=0")
    yield
    kubectl("scale", "deployment/reference", "-n", NAMESPACE, "--replicas=1")
    kubectl("rollout", "status", "deployment/reference", "-n", NAMESPACE, "--timeout=60s")


@pytest.mark.req("P9", "P10", "R36")
def test_a_deployed_environment_is_healthy_and_runs_the_declared_digests(deployed: None, paths: Paths) -> None:
    report = healthy_status(paths)
    assert report["engine"]["last_update"]["result"] == "succeeded"
    assert len(report["engine"]["last_update"]["commit"]) == 40
    images = [image for item in report["workloads"] for image in item["images"] if image["declared"]]
    assert {image["container"] for image in images} >= {"reference", "manager", "pgbouncer"}
    assert all(image["running"] == [image["declared"]] for image in images)


@pytest.mark.req("C2.10")
def test_the_database_shows_its_streaming_replica_its_lag_and_its_poolers(deployed: None, paths: Paths) -> None:

    def measured() -> dict[str, Any] | None:
        """The database, once its exporter has told of the replica."""
        (found,) = healthy_status(paths)["databases"]
        lags = [item["lag_seconds"] for item in found["instances"] if item["role"] == "replica"]
        return found if lags and None not in lags else None

    database = eventually(measured, 60, "the replica's lag is told")
    assert database["ready"] == database["desired"] == 2
    assert {item["role"] for item in database["instances"]} == {"primary", "replica"}
    assert [(item["type"], item["ready"]) for item in database["poolers"]] == [("ro", 1), ("rw", 1)]
    assert database["streaming_replicas"] == 1, database
    (lag,) = [item["lag_seconds"] for item in database["instances"] if item["role"] == "replica"]
    assert 0 <= lag < 60
    assert database["quorum"].startswith("any 1 (database-")


@pytest.mark.req("P1", "P9")
def test_a_service_scaled_by_hand_makes_it_unhealthy(scaled_by_hand: None, paths: Paths) -> None:
    code, report = status(paths)
    assert code == 1
    (problem,) = [text for text in report["problems"] if "scaled to" in text]
    assert problem.startswith(f"Deployment {NAMESPACE}/reference: scaled to 0, declared is 1")
