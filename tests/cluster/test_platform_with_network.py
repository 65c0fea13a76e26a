"""The network of the whole environment: pods can do what the matrix says and no more; a change by hand is seen."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.node import Node
from local.paths import Paths
from local.stack import load
from ops.network.command import load_matrix
from ops.network.verify import verify_stack
from tests.cluster.alerts_kit import noticed
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import unready, wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK, Service

_ROOT = Path(__file__).resolve().parents[2]
_POLICIES = ("networkpolicies", "-n", NAMESPACE)


def ops(paths: Paths, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of `ops network ... --json`."""
    ended = subprocess.run(
        [str(paths.venv / "bin" / "ops"), "network", *arguments, "--stack", STACK, "--json"],
        env={**os.environ, "OMNIBASE_INSTANCE": paths.instance}, cwd=_ROOT, capture_output=True, text=True, check=False,
        timeout=900,
    )  # fmt: skip
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.req("C7.1", "V8", "V9", "P18")
@pytest.mark.usefixtures("service")
def test_what_pods_can_do_is_what_the_matrix_says(
    outputs: dict[str, Any], paths: Paths, node: Node, kubectl: Kubectl
) -> None:
    wait_for(lambda: not unready(kubectl), 90, lambda: f"every pod serves, but {unready(kubectl)}")
    code, matrix = ops(paths, "matrix")
    assert (code, matrix["problems"]) == (0, [])

    answers: list[tuple[int, dict[str, Any]]] = []

    def as_declared() -> bool:
        """Rules for pods that just came take a moment."""
        answers[:] = [ops(paths, "verify")]
        return not answers[0][1]["differences"]

    wait_for(as_declared, 60, lambda: f"the network is as declared, but {answers[0][1]['differences']}")
    (code, found) = answers[0]
    assert code == 0
    assert found["measured"] > 50
    print(f"measured {found['measured']} connections in {found['seconds']} s")

    declared = {(each["from"], each["to"], each["protocol"], each["port"]) for each in matrix["arrows"]}
    real = {(each["from"], each["to"], each["protocol"], each["port"]) for each in found["open"]}
    pooler = f"{NAMESPACE}/database-pooler-rw"
    assert (f"{NAMESPACE}/reference", pooler, "TCP", 5432) in real & declared
    assert (f"{NAMESPACE}/reference", "kube-system/cluster DNS", "UDP", 53) in real & declared
    tried = {(each["to"], each["protocol"], each["port"]) for each in found["targets"]}
    assert {("the node", "TCP", 10250), (f"{NAMESPACE}/database", "TCP", 9187)} <= tried
    assert [each for each in real if each[1] == "the node"] == [], "a pod reached the node's own programs"
    outside = {each[1:] for each in real if each[0] == "this machine"}
    assert outside == {each[1:] for each in declared if each[0] == "operators"} & {each[1:] for each in real}
    wait_for(lambda: node.status().healthy, 60, "the node is healthy after all the knocking")


@pytest.fixture(scope="module")
def look(service: Service, paths: Paths) -> Callable[[], tuple[str, ...]]:
    """What differs between the declared network and the real one, now."""
    declared, stack = load_matrix(STACK), load(_ROOT, STACK)
    return lambda: verify_stack(declared, paths, stack).differences


def _stray(name: str, **spec: object) -> str:
    metadata = {"name": name, "namespace": NAMESPACE}
    body = {"podSelector": {}, **spec}
    return json.dumps(
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": body}
    )


@pytest.fixture
def stray(kubectl: Kubectl, service: Service) -> Iterator[str]:
    """A policy by which every pod of the namespace may connect to and from every other, made by hand."""
    name = "stray"
    everything = {"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{"to": [{"podSelector": {}}]}]}
    kubectl("apply", "-f", "-", stdin=_stray(name, **everything))
    yield name
    kubectl("delete", *_POLICIES, name, "--ignore-not-found")


def test_a_stray_policy_is_found_by_name_and_by_the_connections_that_it_opens(
    stray: str, paths: Paths, kubectl: Kubectl, look: Callable[[], tuple[str, ...]]
) -> None:
    opened = f"{NAMESPACE}/reference -> {NAMESPACE}/database TCP 5432 got through and is not declared"
    wait_for(lambda: opened in look(), 60, "the service reaches the database past its pooler")
    print(f"noticed after {noticed(kubectl, 'NetworkPolicyForeign', 40, networkpolicy=stray):.0f} s")
    code, found = ops(paths, "verify")
    assert code == 1
    assert f"policy {NAMESPACE}/{stray} is in the cluster and not declared" in found["differences"]
    assert f"this machine -> {NAMESPACE}/database TCP 5432 got through and is not declared" in found["differences"]

    kubectl("delete", *_POLICIES, stray)
    wait_for(lambda: not look(), 60, "all is as declared again")
