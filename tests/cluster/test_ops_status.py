"""`ops status` against a real API server: what it says of a node, of ready pods, and of pods that cannot start."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.node import NetworkPlan, Node
from local.paths import Paths
from tests.cluster.node_kit import eventually, wait_for

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "ops-status"
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "broken", "namespace": NAMESPACE},
    "spec": {
        "selector": {"matchLabels": {"app": "broken"}},
        "template": {
            "metadata": {"labels": {"app": "broken"}},
            "spec": {"containers": [{"name": "main", "image": "127.0.0.1:5000/omnibase/nothing:1"}]},
        },
    },
}

Kubectl = Callable[..., str]


def status(paths: Paths) -> tuple[int, dict[str, Any]]:
    """Exit code and document of `ops status --json` for the stack `test`, on this lane's node."""
    network = NetworkPlan.from_environment(paths, {}).network
    ended = subprocess.run(
        [str(paths.venv / "bin" / "ops"), "status", "--stack", "test", "--json"],
        env={**os.environ, "OMNIBASE_INSTANCE": paths.instance, "OMNIBASE_NETWORK": str(network)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def workload(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in report["workloads"] if item["name"] == name)
    return found


@pytest.fixture
def broken(kubectl: Kubectl) -> Iterator[str]:
    """A Deployment whose image exists nowhere."""
    kubectl("create", "namespace", NAMESPACE)
    kubectl("apply", "-f", "-", stdin=json.dumps(DEPLOYMENT))
    yield "broken"
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_status_shows_the_node_and_its_ready_add_ons(node: Node, paths: Paths) -> None:

    def with_names() -> dict[str, Any] | None:
        """The report, once the add-on that is looked at is ready."""
        _, found = status(paths)
        coredns = workload(found, "coredns")
        return found if coredns["ready"] == coredns["desired"] >= 1 else None

    report = eventually(with_names, 60, "the cluster's DNS is ready")
    assert report["cluster_unavailable"] == ""
    assert [(item["name"], item["ready"]) for item in report["nodes"]] == [(f"omnibase-{paths.instance}", True)]
    coredns = workload(report, "coredns")
    assert coredns["problems"] == []
    assert all(digest.startswith("sha256:") for image in coredns["images"] for digest in image["running"])


@pytest.mark.req("P9")
def test_status_names_the_reason_of_a_pod_that_cannot_start(node: Node, paths: Paths, broken: str) -> None:
    problems: list[str] = []

    def told() -> bool:
        code, report = status(paths)
        problems[:] = workload(report, broken)["problems"]
        assert code == 1
        return any("ErrImagePull" in problem or "ImagePullBackOff" in problem for problem in problems)

    wait_for(told, 60, lambda: f"the reason is that of the pull, but {problems}")
    assert "0 of 1 ready" in problems
