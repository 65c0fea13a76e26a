"""NetworkPolicy is enforced between pods, also after the policy controller was killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from local.node import Node
from local.paths import Paths
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import SHELL_IMAGE, all_ready, pids, pod, wait_for

NAMESPACE = "node-policy"
SERVER = "echo hello > /www/index.html; exec /bin/busybox httpd -f -p 8080 -h /www"
IDLE = "while true; do sleep 1; done"


@pytest.fixture(scope="module")
def server(kubectl: Kubectl, image_references: dict[str, str]) -> Iterator[str]:
    """Address of a web server that only pods with the label role=client may reach."""
    image = image_references[SHELL_IMAGE]
    kubectl("create", "namespace", NAMESPACE)
    for name, script, role in (("server", SERVER, "server"), ("friend", IDLE, "client"), ("stranger", IDLE, "other")):
        kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=pod(name, image, script, labels={"role": role}))
    kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pods", "--all", "--timeout=60s")
    yield kubectl("-n", NAMESPACE, "get", "pod", "server", "-o", "jsonpath={.status.podIP}")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=60s")


def _reaches(kubectl: Kubectl, client: str, address: str) -> bool:
    fetch = ("/bin/busybox", "wget", "-q", "-T", "3", "-O", "-", f"http://{address}:8080/")
    return "hello" in kubectl("-n", NAMESPACE, "exec", client, "--", *fetch, check=False)


def _allow(kubectl: Kubectl, role: str) -> None:
    spec = {
        "podSelector": {"matchLabels": {"role": "server"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": role}}}], "ports": [{"port": 8080}]}],
    }
    metadata = {"name": "server", "namespace": NAMESPACE}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(policy))


def test_without_a_policy_everybody_reaches_the_server(kubectl: Kubectl, server: str) -> None:
    # a pod is ready once its shell runs, which only then starts the server
    for client in ("friend", "stranger"):
        wait_for(lambda client=client: _reaches(kubectl, client, server), 20, f"the server answers {client}")  # type: ignore[misc]


@pytest.mark.req("C7.1")
def test_an_allowed_client_connects_and_a_denied_one_does_not(
    kubectl: Kubectl, server: str, node: Node, paths: Paths
) -> None:
    _allow(kubectl, "client")
    wait_for(lambda: not _reaches(kubectl, "stranger", server), 20, "the policy is enforced")
    wait_for(lambda: _reaches(kubectl, "friend", server), 20, "the allowed client is let in")

    killed = pids(paths)["kube-router"]
    os.kill(killed, signal.SIGKILL)
    assert not _reaches(kubectl, "stranger", server), "the gap between two controllers opened the door"
    wait_for(lambda: pids(paths).get("kube-router") not in (killed, 0) and all_ready(paths), 40, "a new kube-router")
    wait_for(lambda: _reaches(kubectl, "friend", server), 20, "the allowed client is let in")
    assert not _reaches(kubectl, "stranger", server)


def test_a_changed_policy_takes_effect_after_the_controller_was_killed(kubectl: Kubectl, server: str) -> None:
    _allow(kubectl, "other")
    wait_for(lambda: _reaches(kubectl, "stranger", server), 20, "the new client is let in")
    wait_for(lambda: not _reaches(kubectl, "friend", server), 20, "the old client is kept out")
