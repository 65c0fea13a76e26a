"""What somebody changes by hand in a deployed environment: it has its effect, a refresh shows it, one up repairs it.

An up and a refresh of the whole environment cost more than everything else here, so all changes share them. The file
runs after those that scale, restart and patch on their way: what they leave behind is drift.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from omnibase_infra.certificates import issue

from local.engine import CHANGES_FOUND
from local.paths import Paths
from local.stack import load
from ops.network.command import load_matrix
from ops.network.verify import verify_stack
from tests.cluster.alerts_kit import noticed
from tests.cluster.certificates_kit import EXPORTER, NOT_AFTER, RENEW_AFTER, ask, metric, private_values
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import eventually, unready, wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK, Service, silent_engine

_POLICY = "database-client-reference-ingress"
_POOLER = f"{NAMESPACE}/reference -> {NAMESPACE}/database-pooler-rw TCP 5432"


def test_a_refresh_of_what_nobody_changed_finds_no_drift(outputs: dict[str, Any], paths: Paths) -> None:
    engine, said = silent_engine(paths)
    assert engine.refresh("--expect-no-changes") == 0, said()


@pytest.fixture
def look(service: Service, paths: Paths) -> Callable[[], tuple[str, ...]]:
    """What differs between the declared network and the real one, now."""
    declared, stack = load_matrix(STACK), load(paths.root, STACK)
    return lambda: verify_stack(declared, paths, stack).differences


def _let_a_certificate_end(kubectl: Kubectl, authorities: str) -> None:
    """Give the exporter a certificate to watch that is to be renewed, and see that its metric says so."""
    near = issue.server(issue.authority("any", 10, issue.now()), ["gateway.example.test"], 5, issue.now())
    entries = [{"name": "gateway", "namespace": "edge", "kind": "server", "certificate": near.certificate}]
    patch = {"stringData": {"certificates.json": json.dumps(entries)}}
    kubectl("patch", "secret", "-n", NAMESPACE, f"{EXPORTER}-input", "-p", json.dumps(patch))
    kubectl("rollout", "restart", "-n", NAMESPACE, f"deploy/{EXPORTER}")
    kubectl("rollout", "status", "-n", NAMESPACE, f"deploy/{EXPORTER}", "--timeout=90s")
    address = kubectl("get", "service", "-n", NAMESPACE, EXPORTER, "-o", "jsonpath={.spec.clusterIP}")

    def due() -> bool:
        try:
            text = ask(address, authorities)
        except (OSError, http.client.HTTPException):
            return False
        return metric(text, RENEW_AFTER, "gateway") < time.time() < metric(text, NOT_AFTER, "gateway")

    # The new pod is reached once the node's rules know it; until then the old one may answer, with the old input.
    wait_for(due, 60, "the metric says that the time has come")


def _cut_off(kubectl: Kubectl, look: Callable[[], tuple[str, ...]]) -> None:
    """Take the policy away by which the service reaches its database, and see both said."""
    kubectl("delete", "networkpolicies", "-n", NAMESPACE, _POLICY)
    expected = {
        f"{_POOLER} is declared and refused",
        f"policy {NAMESPACE}/{_POLICY} is declared and not in the cluster",
    }
    found: list[tuple[str, ...]] = []

    def seen() -> bool:
        found[:] = [look()]
        return expected <= set(found[0])

    wait_for(seen, 60, lambda: f"the service lost its database, but {found[0]}")


def _start_anew(kubectl: Kubectl, gone: str) -> None:
    """Start the exporter, whose Secret is gone, where no pod of it runs: it waits, and its events say for what.

    Beside a running one it would start: a kubelet keeps an immutable Secret as long as one of its pods uses it.
    """
    exporter = ("-n", NAMESPACE, f"deployment/{EXPORTER}")
    kubectl("scale", *exporter, "--replicas=0")
    kubectl(
        "wait", "-n", NAMESPACE, "pods", "-l", f"app.kubernetes.io/name={EXPORTER}", "--for=delete", "--timeout=60s"
    )
    kubectl("scale", *exporter, "--replicas=1")
    events = ("get", "events", "-n", NAMESPACE, "--field-selector=reason=FailedMount", "-o", "jsonpath={..message}")
    wait_for(lambda: f'"{gone}" not found' in kubectl(*events), 40, lambda: f"{gone} is missed: {kubectl(*events)}")


@pytest.mark.req("P1")
def test_what_was_changed_by_hand_is_shown_by_one_refresh_and_repaired_by_one_up(
    outputs: dict[str, Any], service: Service, paths: Paths, kubectl: Kubectl, look: Callable[[], tuple[str, ...]]
) -> None:
    of_the_service = ("get", "-n", NAMESPACE, "deployment/reference", "-o", "jsonpath={.spec.replicas}")
    before, replicas = private_values(kubectl), kubectl(*of_the_service)
    _let_a_certificate_end(kubectl, outputs["certificate_authority"])
    print(f"noticed after {noticed(kubectl, 'CertificateExpiring'):.0f} s")
    kubectl("delete", "secrets", "-n", NAMESPACE, *before)
    eventually(lambda: service.call("GET", "/readyz")[0] == 200, 30, "running pods keep their files")
    _cut_off(kubectl, look)
    print(f"noticed after {noticed(kubectl, 'NetworkPolicyMissing', 40, namespace=NAMESPACE):.0f} s")
    kubectl("scale", "-n", NAMESPACE, "deployment/reference", f"--replicas={int(replicas) + 1}")
    _start_anew(kubectl, next(name for name in before if name.startswith(EXPORTER)))
    print(f"noticed after {noticed(kubectl, 'PodNotReady', 40, pod=EXPORTER):.0f} s")

    drifted, said = silent_engine(paths)
    assert drifted.refresh("--expect-no-changes") == CHANGES_FOUND, said()
    changed = ("services-reference", f"{EXPORTER}-secret", f"{EXPORTER}-input", _POLICY, "~spec")
    assert [name for name in changed if name not in said()] == [], said()

    repairing, said = silent_engine(paths)
    assert repairing.up() == 0, said()
    assert private_values(kubectl) == before
    assert kubectl(*of_the_service) == replicas
    wait_for(lambda: not look(), 60, lambda: f"the network is as declared again, but {look()}")
    wait_for(service.is_whole, 60, "the service has its database again")
    wait_for(lambda: not unready(kubectl), 60, lambda: f"every pod serves, but {unready(kubectl)}")
    assert repairing.preview("--expect-no-changes") == 0, said()
