"""Faults that no failover mends: bounded, noticed by an alert, and whole again without an operator.

A replica that stands still waits for its alert beside those of test_platform_with_monitoring.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.node import control
from local.paths import Paths
from tests.cluster.alerts_kit import alert_states, noticed
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import all_ready, wait_for
from tests.cluster.platform_kit import NAMESPACE, Service, database_is_whole

_FENCED = "cnpg.io/fencedInstances"


def restarts(kubectl: Kubectl) -> dict[str, int]:
    """Restarts of the service's containers, by pod."""
    pods = kubectl.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="app.kubernetes.io/name=reference")
    return {each["metadata"]["name"]: each["status"]["containerStatuses"][0]["restartCount"] for each in pods}


@contextmanager
def no_instance(kubectl: Kubectl) -> Iterator[None]:
    """PostgreSQL is stopped on every instance, and nobody promotes one."""
    kubectl("annotate", "cluster", "-n", NAMESPACE, "database", f'{_FENCED}=["*"]')
    try:
        yield
    finally:
        kubectl("annotate", "cluster", "-n", NAMESPACE, "database", f"{_FENCED}-")


@pytest.mark.req("C3.6", "C7.8", "P14")
def test_without_any_instance_the_service_says_so_in_time_and_writes_again_afterwards(
    service: Service, kubectl: Kubectl
) -> None:
    wait_for(lambda: database_is_whole(kubectl), 120, "the database is whole before the test")
    before = restarts(kubectl)
    with no_instance(kubectl):
        wait_for(lambda: service.call("GET", "/readyz")[0] != 200, 60, "the service is not ready")
        started = time.monotonic()
        status, _ = service.write(f"nowhere-{uuid.uuid4()}")
        took = time.monotonic() - started
        assert status in (0, 503), "refused by the service, or before it as no pod is ready"
        assert took < 40, "a caller waits no longer than the service's deadline"
        print(f"refused after {took:.1f} s, noticed after {noticed(kubectl, 'DatabasePrimaryMissing'):.0f} s")
        print(f"the service says it too, {noticed(kubectl, 'ServiceWithoutDatabase', 40, job='reference'):.0f} s later")
    back = wait_for(lambda: service.write(f"again-{uuid.uuid4()}")[0] == 201, 120, "the service writes again")
    print(f"writes again {back:.0f} s after the instances could start")
    wait_for(lambda: "DatabasePrimaryMissing" not in alert_states(kubectl), 90, "the alert ends")
    assert restarts(kubectl) == before, "a database that is away is no reason to restart a service"
    wait_for(lambda: database_is_whole(kubectl), 180, "both instances are whole again")


@pytest.mark.usefixtures("outputs")
@pytest.mark.req("C3.8")
def test_a_docker_host_whose_engine_stands_still_is_noticed_in_the_cluster(kubectl: Kubectl, paths: Paths) -> None:
    wait_for(lambda: "DockerHostDown" not in alert_states(kubectl), 30, "the engine is read before the test")
    control.ask(paths, "stop-process", "dockerd", seconds=120)
    try:
        print(f"noticed after {noticed(kubectl, 'DockerHostDown', 40, docker_host='node'):.0f} s")
        noticed(kubectl, "TargetDown", 40, job="docker")
    finally:
        control.ask(paths, "start-process", "dockerd", seconds=120)
    wait_for(lambda: all_ready(paths), 60, "dockerd")
    wait_for(lambda: "DockerHostDown" not in alert_states(kubectl), 60, "the alert ends")
