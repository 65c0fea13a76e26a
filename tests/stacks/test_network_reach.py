"""Default-deny with named flows: what must get through does, everything else does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks.support import stacks
from tests.stacks.support.reach import End, Outside, Pod, reaches

SPACE = "omnibase-dev"
CLUSTER = {"cnpg.io/cluster": "database"}
SERVICE = Pod(namespace=SPACE, labels={"app.kubernetes.io/name": "reference"})
STRANGER = Pod(namespace=SPACE, labels={"app.kubernetes.io/name": "stranger"})
OTHER_SPACE = Pod(namespace="default", labels={"app.kubernetes.io/name": "reference"})
POOLER = Pod(
    namespace=SPACE, labels={**CLUSTER, "cnpg.io/podRole": "pooler", "cnpg.io/poolerName": "database-pooler-rw"}
)
INSTANCE = Pod(namespace=SPACE, labels={**CLUSTER, "cnpg.io/podRole": "instance"})
JOB = Pod(namespace=SPACE, labels={**CLUSTER, "cnpg.io/jobRole": "join"})
OPERATOR = Pod(namespace="cnpg-system", labels={"app.kubernetes.io/name": "cloudnative-pg"})
MONITORING = "omnibase-dev-monitoring"
PROMETHEUS = Pod(namespace=MONITORING, labels={"app.kubernetes.io/name": "prometheus"})
ALERTMANAGER = Pod(namespace=MONITORING, labels={"app.kubernetes.io/name": "alertmanager"})
RECEIVER = Pod(namespace=MONITORING, labels={"app.kubernetes.io/name": "alert-receiver"})
NODE_EXPORTER = Pod(namespace="omnibase-dev-agents", labels={"app.kubernetes.io/name": "node-exporter"})
COLLECTOR = Pod(namespace=f"{SPACE}-agents", labels={"app.kubernetes.io/name": "logging-collector"})
AGENT = Pod(namespace=f"{SPACE}-agents", labels={"app.kubernetes.io/name": "another"})
STORE = Pod(namespace=f"{SPACE}-logging", labels={"app.kubernetes.io/name": "logging-store"})
DNS = Pod(namespace="kube-system", labels={"k8s-app": "kube-dns"})
API = Outside(address="10.213.0.2")
API_SERVICE = Outside(address="10.213.128.1")
MACHINE = Outside(address="10.213.0.1")
INTERNET = Outside(address="198.51.100.7")

ALLOWED: list[tuple[str, End, End, int]] = [
    ("service to pooler", SERVICE, POOLER, 5432),
    ("pooler to instance", POOLER, INSTANCE, 5432),
    ("instance to instance", INSTANCE, INSTANCE, 5432),
    ("isolation check between instances", INSTANCE, INSTANCE, 8000),
    ("a joining standby", JOB, INSTANCE, 5432),
    ("operator to instance manager", OPERATOR, INSTANCE, 8000),
    ("operator to API server", OPERATOR, API, 6443),
    ("instance to API server", INSTANCE, API, 6443),
    ("instance to API service", INSTANCE, API_SERVICE, 443),
    ("pooler to API server", POOLER, API, 6443),
    ("job to API server", JOB, API, 6443),
    ("API server to webhooks", API, OPERATOR, 9443),
    ("people to the service", MACHINE, SERVICE, 8080),
    ("metrics of the service", PROMETHEUS, SERVICE, 8080),
    ("metrics of the database", PROMETHEUS, INSTANCE, 9187),
    ("metrics of the poolers", PROMETHEUS, POOLER, 9127),
    ("metrics of the operator", PROMETHEUS, OPERATOR, 8080),
    ("metrics of the node", PROMETHEUS, NODE_EXPORTER, 9100),
    ("alerts to the sender", PROMETHEUS, ALERTMANAGER, 9093),
    ("alerts to the receiver", ALERTMANAGER, RECEIVER, 8080),
    ("targets from the API server", PROMETHEUS, API, 6443),
    ("the API server for those who may ask", API, PROMETHEUS, 9090),
    ("collector to log store", COLLECTOR, STORE, 9428),
    ("collector to API server", COLLECTOR, API, 6443),
    ("ops logs through the API server", API, STORE, 9428),
]
REFUSED: list[tuple[str, End, End, int]] = [
    ("a stranger to the pooler", STRANGER, POOLER, 5432),
    ("a stranger to an instance", STRANGER, INSTANCE, 5432),
    ("the service past the pooler", SERVICE, INSTANCE, 5432),
    ("the same labels in another namespace", OTHER_SPACE, POOLER, 5432),
    ("the service to the API server", SERVICE, API, 6443),
    ("the service to the internet", SERVICE, INTERNET, 443),
    ("an instance to the internet", INSTANCE, INTERNET, 443),
    ("the internet to the service", INTERNET, SERVICE, 8080),
    ("people to the database", MACHINE, POOLER, 5432),
    ("people to an instance", MACHINE, INSTANCE, 5432),
    ("a stranger to the service", STRANGER, SERVICE, 8080),
    ("the pooler to the instance manager", POOLER, INSTANCE, 8000),
    ("a stranger to the operator", STRANGER, OPERATOR, 9443),
    ("metrics without a flow", STRANGER, INSTANCE, 9187),
    ("a stranger to the metrics store", STRANGER, PROMETHEUS, 9090),
    ("people past the API server", MACHINE, PROMETHEUS, 9090),
    ("a stranger that calls people", STRANGER, RECEIVER, 8080),
    ("Prometheus to the database itself", PROMETHEUS, INSTANCE, 5432),
    ("the sender to the internet", ALERTMANAGER, INTERNET, 443),
    ("the sender to the API server", ALERTMANAGER, API, 6443),
    ("a service to the log store", SERVICE, STORE, 9428),
    ("another agent to the log store", AGENT, STORE, 9428),
    ("people to the log store", MACHINE, STORE, 9428),
    ("the collector to the internet", COLLECTOR, INTERNET, 443),
    ("the log store to anywhere", STORE, INTERNET, 443),
]


def _policies() -> list[dict[str, Any]]:
    return [found.inputs for found in stacks.of_kind("dev", "NetworkPolicy")]


@pytest.mark.req("C7.1")
@pytest.mark.parametrize(("what", "source", "target", "port"), ALLOWED, ids=[case[0] for case in ALLOWED])
def test_a_named_flow_gets_through(what: str, source: End, target: End, port: int) -> None:
    assert reaches(_policies(), source, target, port), what


@pytest.mark.req("C7.1", "V9", "V10")
@pytest.mark.parametrize(("what", "source", "target", "port"), REFUSED, ids=[case[0] for case in REFUSED])
def test_anything_else_is_refused(what: str, source: End, target: End, port: int) -> None:
    assert not reaches(_policies(), source, target, port), what


@pytest.mark.parametrize("pod", [SERVICE, POOLER, INSTANCE, JOB, OPERATOR, STRANGER])
def test_every_pod_can_resolve_names(pod: Pod) -> None:
    assert reaches(_policies(), pod, DNS, 53, "UDP")
    assert reaches(_policies(), pod, DNS, 53, "TCP")


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_policies_name_single_ports_only(stack: str) -> None:
    for found in stacks.of_kind(stack, "NetworkPolicy"):
        spec = found.inputs["spec"]
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
            assert all(set(port) == {"port", "protocol"} and isinstance(port["port"], int) for port in rule["ports"])
