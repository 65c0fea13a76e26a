"""Names, services and volumes as pods and the machine see them."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from local.node import Node
from local.paths import Paths
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import SHELL_IMAGE, pod, wait_for

NAMESPACE = "node-services"
IDLE = "while true; do sleep 1; done"


@pytest.fixture(scope="module")
def client(kubectl: Kubectl, image_references: dict[str, str]) -> Iterator[str]:
    """A pod with a shell."""
    kubectl("create", "namespace", NAMESPACE)
    kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=pod("client", image_references[SHELL_IMAGE], IDLE))
    kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
    yield "client"
    kubectl("delete", "namespace", NAMESPACE, "--timeout=60s")


def _in_pod(kubectl: Kubectl, name: str, *command: str) -> str:
    return kubectl("-n", NAMESPACE, "exec", name, "--", "/bin/busybox", *command, check=False)


def test_a_service_name_resolves_and_an_outside_name_fails_at_once(kubectl: Kubectl, client: str, node: Node) -> None:
    def said(name: str) -> str:
        return _in_pod(kubectl, client, "nslookup", name)

    inside, address = "kubernetes.default.svc.cluster.local", str(node.plan.api_service_address)
    wait_for(lambda: address in said(inside), 20, lambda: f"{inside} is {address}, but {said(inside)}")
    outside = "outside.example."
    wait_for(lambda: "NXDOMAIN" in said(outside), 20, lambda: f"{outside} is unknown, but {said(outside)}")


def test_the_machine_reaches_a_service_and_the_pod_behind_it(
    kubectl: Kubectl, client: str, node: Node, image_references: dict[str, str]
) -> None:
    script = "echo hello > /www/index.html; exec /bin/busybox httpd -f -p 8080 -h /www"
    kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=pod("web", image_references[SHELL_IMAGE], script))
    kubectl("-n", NAMESPACE, "expose", "pod", "web", "--port=80", "--target-port=8080")
    kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    service = kubectl("-n", NAMESPACE, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    address = kubectl("-n", NAMESPACE, "get", "pod", "web", "-o", "jsonpath={.status.podIP}")
    for url in (f"http://{service}/", f"http://{address}:8080/"):
        wait_for(lambda url=url: _answers(url), 20, url)  # type: ignore[misc]
    curl = ["curl", "-s", "-m", "5", f"http://{service}/"]  # as the API server calls webhooks
    wait_for(lambda: node.run(curl).stdout.strip() == "hello", 20, "the node itself reaches the service")
    wget = ("wget", "-q", "-T", "5", "-O", "-", "http://web/")
    wait_for(lambda: "hello" in _in_pod(kubectl, client, *wget), 20, "the DNS server has heard of the new name")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - an address of ours
            return bool(reply.read().strip() == b"hello")
    except OSError:
        return False


def test_a_service_without_pods_refuses_at_once_instead_of_letting_the_caller_wait(
    kubectl: Kubectl, client: str
) -> None:
    kubectl("-n", NAMESPACE, "create", "service", "clusterip", "nobody", "--tcp=80:80")
    address = kubectl("-n", NAMESPACE, "get", "service", "nobody", "-o", "jsonpath={.spec.clusterIP}")

    def seconds() -> float:
        began = time.monotonic()
        said = _in_pod(kubectl, client, "wget", "-q", "-T", "20", "-O", "-", f"http://{address}/")
        assert "No route to host" in said or "refused" in said, said
        return time.monotonic() - began

    def seconds_from_the_machine() -> float:
        began = time.monotonic()
        with pytest.raises(ConnectionRefusedError), socket.create_connection((address, 80), timeout=5):
            pass
        return time.monotonic() - began

    assert min(seconds() for _ in range(3)) < 2.5, "an address that nobody answers for is given up after 3 s"
    assert min(seconds_from_the_machine() for _ in range(3)) < 0.5, "the kernel hears a mere ICMP refusal after 1 s"


def test_a_pod_has_no_way_out_of_the_machine(kubectl: Kubectl, client: str) -> None:
    assert "unreachable" in _in_pod(kubectl, client, "wget", "-q", "-T", "5", "-O", "-", "http://198.51.100.1/")


def test_a_volume_is_made_for_its_first_pod_and_removed_with_its_claim(
    kubectl: Kubectl, client: str, paths: Paths, image_references: dict[str, str]
) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}}
    manifest = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "v"}, "spec": claim}
    kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert kubectl("-n", NAMESPACE, "get", "pvc", "v", "-o", "jsonpath={.status.phase}") == "Pending"
    writer = pod("writer", image_references[SHELL_IMAGE], f"umask 077; echo kept > /data/file; {IDLE}", claim="v")
    kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=writer)
    kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/writer", "--timeout=60s")
    volume = kubectl("-n", NAMESPACE, "get", "pvc", "v", "-o", "jsonpath={.spec.volumeName}")
    directory = Path(kubectl("get", "pv", volume, "-o", "jsonpath={.spec.local.path}"))
    assert directory.is_relative_to(paths.node / "volumes")
    file = directory / "file"  # the pod is ready before its shell has written it
    wait_for(lambda: file.exists() and file.read_text() == "kept\n", 20, "the pod's file is in the volume")
    kubectl("-n", NAMESPACE, "delete", "pod/writer", "pvc/v", "--wait", "--timeout=60s")
    wait_for(lambda: not directory.exists(), 60, "the volume's directory is removed")


def test_secrets_are_encrypted_at_rest(kubectl: Kubectl, client: str, paths: Paths) -> None:
    kubectl("-n", NAMESPACE, "create", "secret", "generic", "hidden", "--from-literal=key=plain-text-of-this-test")
    kubectl("-n", NAMESPACE, "create", "configmap", "shown", "--from-literal=key=open-text-of-this-test")

    def stored(text: bytes) -> bool:
        found = False
        for file in (paths.node / "etcd").rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # etcd renames its files as it likes
                found |= text in file.read_bytes()
        return found

    wait_for(lambda: stored(b"open-text-of-this-test"), 20, "the store's files hold what was just written")
    assert not stored(b"plain-text-of-this-test")


def test_nobody_is_anonymous_except_to_ask_for_health(node: Node) -> None:
    def code(path: str) -> str:
        done = node.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", f"{node.plan.api_url}{path}"])
        return done.stdout

    assert code("/livez") == "200"
    assert code("/api/v1/namespaces") == "401"
