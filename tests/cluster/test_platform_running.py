"""The whole environment, deployed by `make up STACK=test` on real parts."""

from __future__ import annotations

import itertools
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from local.node import Node
from local.paths import Paths
from tests.cluster.alerts_kit import noticed
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import SHELL_IMAGE, eventually, pod, unready, wait_for
from tests.cluster.platform_kit import NAMESPACE, Service, database_is_whole, silent_engine, writing

_PRIMARY = "cnpg.io/cluster=database,cnpg.io/instanceRole=primary"


@pytest.mark.req("R1", "C1.5")
def test_every_pod_runs_and_is_ready(outputs: dict[str, Any], kubectl: Kubectl) -> None:
    # Pods of what ran before on this node may be on their way out.
    wait_for(lambda: not unready(kubectl), 90, lambda: f"every pod serves, but {unready(kubectl)}")
    assert len(kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").split()) >= 5


@pytest.mark.req("C2.2", "C2.8")
def test_outputs_name_the_service_and_both_pooled_endpoints(outputs: dict[str, Any]) -> None:
    assert outputs["service_url"] == f"http://reference.{NAMESPACE}.svc.cluster.local:8080"
    assert outputs["database_rw_endpoint"] == f"database-pooler-rw.{NAMESPACE}.svc.cluster.local:5432"
    assert outputs["database_ro_endpoint"] == f"database-pooler-ro.{NAMESPACE}.svc.cluster.local:5432"


@pytest.mark.req("R10")
@pytest.mark.parametrize(("service_of", "recovers"), [("database-rw", "f"), ("database-ro", "t")])
def test_a_command_is_brought_to_the_primary_or_a_standby_by_its_service(
    outputs: dict[str, Any], kubectl: Kubectl, service_of: str, recovers: str
) -> None:
    """As all runbooks of databases do it."""
    place = ("-n", NAMESPACE, f"service/{service_of}", "-c", "postgres")
    asked = kubectl("exec", *place, "--", "timeout", "5", "psql", "-tAc", "SELECT pg_is_in_recovery()")
    assert asked.strip() == recovers
    assert kubectl("logs", *place, "--tail", "1")


@pytest.mark.req("C2.2")
def test_a_row_written_through_the_rw_pooler_is_read_through_the_ro_pooler(service: Service) -> None:
    key = str(uuid.uuid4())
    status, note = service.write(key, "written to the primary")
    assert status == 201

    def read() -> dict[str, Any]:
        found, answer = service.call("GET", f"/notes/{note['id']}")
        return answer if found == 200 else {}

    assert eventually(read, 30, "the replica has the row")["body"] == "written to the primary"


def test_a_write_that_is_sent_twice_under_one_key_is_stored_once(service: Service) -> None:
    key = str(uuid.uuid4())
    assert [service.write(key)[0] for _ in range(2)] == [201, 200]


def test_a_second_up_changes_nothing(outputs: dict[str, Any], paths: Paths) -> None:
    engine, said = silent_engine(paths)
    assert engine.up("--expect-no-changes") == 0, said()


@pytest.fixture
def stranger(outputs: dict[str, Any], kubectl: Kubectl, image_references: dict[str, str]) -> Iterator[str]:
    """A pod in the environment's namespace that no flow names."""
    kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=pod("stranger", image_references[SHELL_IMAGE], "sleep 600"))
    kubectl("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod/stranger", "--timeout=60s")
    yield "stranger"
    kubectl("delete", "-n", NAMESPACE, "pod", "stranger", "--grace-period=1")


@pytest.mark.req("C4.7", "V9")
def test_a_pod_outside_the_named_flows_cannot_reach_postgres_and_the_service_can(
    stranger: str, service: Service, node: Node, kubectl: Kubectl
) -> None:
    instance = kubectl("get", "pods", "-n", NAMESPACE, "-l", _PRIMARY, "-o", "jsonpath={.items[0].status.podIP}")
    pooler = kubectl("get", "service", "-n", NAMESPACE, "database-pooler-rw", "-o", "jsonpath={.spec.clusterIP}")
    for address in (instance, pooler):
        listens = node.run([sys.executable, "-c", f"import socket; socket.create_connection(({address!r}, 5432), 30)"])
        assert listens.returncode == 0, listens.stderr
        knock = ("exec", "-n", NAMESPACE, stranger, "--", "/bin/busybox", "nc", "-w", "3", address, "5432")
        denied = kubectl(*knock, stdin="", check=False)
        assert "can't connect" in denied or "timed out" in denied, denied
    wait_for(lambda: service.call("GET", "/readyz")[0] == 200, 30, "the service reaches its database")


@pytest.mark.req("C2.5", "C3.6")
def test_killing_the_primarys_pod_loses_no_acknowledged_row_and_needs_no_operator(
    service: Service, kubectl: Kubectl
) -> None:
    prefix = str(uuid.uuid4())
    before = kubectl("get", "pods", "-n", NAMESPACE, "-l", _PRIMARY, "-o", "jsonpath={.items[0].metadata.name}")
    with writing(service, prefix) as acknowledged:
        wait_for(lambda: len(acknowledged) >= 20, 30, "rows are written")
        kubectl("delete", "pod", "-n", NAMESPACE, before, "--grace-period=0", "--force")
        count = len(acknowledged)
        again = wait_for(lambda: len(acknowledged) >= count + 50, 120, "the service writes again")
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(acknowledged)]
    print(f"noticed after {noticed(kubectl, 'DatabaseFailedOver', 40):.0f} s")
    print(f"longest write gap {max(gaps):.1f} s of {len(acknowledged)} rows; 50 more after {again:.1f} s")
    written = {key for _, key in acknowledged}
    assert written - service.keys() == set()
    wait_for(lambda: database_is_whole(kubectl), 180, "both instances are whole again")
