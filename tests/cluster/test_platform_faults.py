"""Faults of the database that no failover mends: bounded, noticed by an alert, and whole again without an operator."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.alerts_kit import alert_states, noticed
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import wait_for
from tests.cluster.platform_kit import NAMESPACE, Service, writing

_FENCED = "cnpg.io/fencedInstances"


def restarts(kubectl: Kubectl) -> dict[str, int]:
    """Restarts of the service's containers, by pod."""
    listed = kubectl("get", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=reference", "-o", "json")
    return {
        each["metadata"]["name"]: each["status"]["containerStatuses"][0]["restartCount"]
        for each in json.loads(listed)["items"]
    }


def database_is_whole(kubectl: Kubectl) -> bool:
    """Whether the operator finds nothing to do."""
    phase = kubectl("get", "cluster", "-n", NAMESPACE, "database", "-o", "jsonpath={.status.phase}")
    return phase == "Cluster in healthy state"


@contextmanager
def no_instance(kubectl: Kubectl) -> Iterator[None]:
    """PostgreSQL is stopped on every instance, and nobody promotes one."""
    kubectl("annotate", "cluster", "-n", NAMESPACE, "database", f'{_FENCED}=["*"]')
    try:
        yield
    finally:
        kubectl("annotate", "cluster", "-n", NAMESPACE, "database", f"{_FENCED}-")


@contextmanager
def replica_stands_still(kubectl: Kubectl) -> Iterator[None]:
    """The replica goes on to receive what is written, and applies none of it."""
    labels = "cnpg.io/cluster=database,cnpg.io/instanceRole=replica"
    replica = kubectl("get", "pods", "-n", NAMESPACE, "-l", labels, "-o", "jsonpath={.items[0].metadata.name}")

    def tell(function: str) -> None:
        words = ("psql", "-v", "ON_ERROR_STOP=1", "-qtAc", f"SELECT {function}()")
        kubectl("exec", "-n", NAMESPACE, replica, "-c", "postgres", "--", *words)

    tell("pg_wal_replay_pause")
    try:
        yield
    finally:
        tell("pg_wal_replay_resume")


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


@pytest.mark.req("C2.5", "C3.8", "P14")
def test_a_replica_that_stands_still_is_noticed_while_writes_go_on_and_catches_up(
    service: Service, kubectl: Kubectl
) -> None:
    wait_for(lambda: database_is_whole(kubectl), 120, "the database is whole before the test")
    with replica_stands_still(kubectl):
        status, note = service.write(f"unseen-{uuid.uuid4()}")
        assert status == 201
        with writing(service, str(uuid.uuid4())) as acknowledged:
            wait_for(lambda: len(acknowledged) >= 20, 30, "rows are written")
        assert service.call("GET", f"/notes/{note['id']}")[0] == 404, "the replica has the row"
        assert service.call("GET", f"/notes/{note['id']}?fresh=true")[0] == 200
        print(f"noticed after {noticed(kubectl, 'DatabaseReplicaBehind', 150):.0f} s")
    wait_for(lambda: service.call("GET", f"/notes/{note['id']}")[0] == 200, 30, "the replica has the row")
    wait_for(lambda: "DatabaseReplicaBehind" not in alert_states(kubectl), 90, "the alert ends")
