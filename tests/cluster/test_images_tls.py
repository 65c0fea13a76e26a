"""Who speaks to the machine's registry does so over TLS, and to nobody who only stands at its address."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local import images
from local.errors import LocalError
from local.images.registry import Registry, connect, machine_registry
from local.node import Node, pki, settings
from local.node.node import runtime_command
from local.node.process import Ready
from local.paths import Paths
from local.progress import Progress
from tests.cluster.conftest import Kubectl
from tests.cluster.images_kit import Docker, ask
from tests.cluster.node_kit import all_ready, pids, pod, wait_for

BESIDE = "127.0.0.1:5009"
"""Where the tests put a second registry with the same images."""


@pytest.fixture
def registry(node: Node, paths: Paths) -> Registry:
    wait_for(lambda: all_ready(paths), 60, "every program serves")
    return machine_registry(paths)


@pytest.fixture
def strange(tmp_path: Path, node: Node) -> Path:
    """Keys of an authority with the same name that this machine did not make."""
    pki.ensure(tmp_path / "strange", node.plan)
    return tmp_path / "strange"


@pytest.fixture
def told(paths: Paths) -> Iterator[None]:
    """containerd knows the second registry like the first."""
    directory = settings.registry_hosts(paths) / BESIDE
    directory.mkdir()
    (directory / "hosts.toml").write_text(settings.hosts(paths).replace(settings.REGISTRY_ADDRESS, BESIDE))
    yield
    shutil.rmtree(directory)


@contextmanager
def beside(node: Node, paths: Paths, keys: Path) -> Iterator[None]:
    """A second registry that presents the certificate in `keys`."""
    spec = next(each for each in images.processes(paths, node.plan) if each.name == "registry")
    changed = {
        "REGISTRY_HTTP_ADDR": BESIDE,
        "REGISTRY_HTTP_TLS_CERTIFICATE": str(keys / "registry.crt"),
        "REGISTRY_HTTP_TLS_KEY": str(keys / "registry.key"),
    }
    command = ["nsenter", f"--net=/run/netns/{node.plan.name}", *spec.argv]
    serving = subprocess.Popen(command, env={**os.environ, **spec.env, **changed}, stderr=subprocess.DEVNULL)
    try:
        there = Registry(
            address=BESIDE, authority=keys / "registry-ca.crt", namespace=Path("/run/netns") / node.plan.name
        )
        wait_for(lambda: _serves(there), 30, "the second registry")
        yield
    finally:
        serving.terminate()
        serving.wait(60)


def _serves(registry: Registry) -> bool:
    try:
        return registry.digest("omnibase/pause", "1") is not None
    except LocalError:
        return False


def _plain(registry: Registry) -> int:
    """The status with which a request without TLS is answered."""
    assert registry.namespace
    return ask(registry.namespace, 5000, "GET", "/v2/").status


@pytest.mark.req("C5.6")
def test_plain_http_and_old_tls_are_refused(registry: Registry) -> None:
    assert _plain(registry) == 400

    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(registry.authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="protocol version"), connect(registry.namespace, "127.0.0.1", 5000) as made:
        old.wrap_socket(made, server_hostname="127.0.0.1")

    assert registry.digest("omnibase/pause", "1")


def test_a_killed_registry_comes_back_with_tls(registry: Registry, paths: Paths) -> None:
    killed = pids(paths)["registry"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: pids(paths).get("registry") not in (killed, 0) and all_ready(paths), 60, "the registry serves")

    assert _plain(registry) == 400
    assert registry.digest("omnibase/pause", "1")


@pytest.mark.usefixtures("told", "registry")
def test_the_runtime_and_the_engine_take_nothing_from_a_registry_of_another_authority(
    node: Node, paths: Paths, strange: Path, kubectl: Kubectl, image_references: dict[str, str]
) -> None:
    wanted = image_references["pause"].replace(settings.REGISTRY_ADDRESS, BESIDE)
    runtime = [*runtime_command(paths), "images"]
    pull = [*runtime, "pull", "--hosts-dir", str(settings.registry_hosts(paths)), wanted]
    docker, through_docker = Docker(paths=paths), f"0.0.0.0:5009/omnibase/pause@{wanted.partition('@')[2]}"

    with beside(node, paths, strange):
        refused = node.run(pull)
        assert refused.returncode != 0
        assert "certificate signed by unknown authority" in refused.stderr
        assert "certificate signed by unknown authority" in docker("pull", through_docker, check=False)
        kubectl("apply", "-f", "-", stdin=pod("misled", wanted, ""))
        try:
            wait_for(lambda: "unknown authority" in _events(kubectl, "misled"), 60, "the pod says why it has no image")
        finally:
            kubectl("delete", "pod/misled", "--now", "--timeout=60s")

    with beside(node, paths, paths.node / "pki"):
        assert node.run(pull).returncode == 0
        node.run([*runtime, "rm", wanted])
        docker("pull", "--quiet", through_docker)
        docker("image", "rm", through_docker)


def _events(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "events", "--field-selector", f"involvedObject.name={name}", "-o", "jsonpath={..message}")


def test_a_node_whose_registry_spoke_plain_http_speaks_tls_after_the_next_start(
    node: Node, paths: Paths, registry: Registry, image_references: dict[str, str]
) -> None:
    before, others = registry.digest("omnibase/pause", "1"), _others(paths)
    earlier = Node(paths, node.plan, images.processes(paths, node.plan))
    earlier.specs = [
        replace(
            spec,
            env={name: value for name, value in spec.env.items() if "_TLS_" not in name},
            ready=Ready(url=f"http://{settings.REGISTRY_ADDRESS}/v2/"),
        )
        if spec.name == "registry"
        else spec
        for spec in earlier.specs
    ]
    try:
        earlier.start(Progress())
        assert _plain(registry) == 200
        with pytest.raises(LocalError, match="vouches for"):
            registry.digest("omnibase/pause", "1")
    finally:
        node.start(Progress())

    assert _plain(registry) == 400
    assert registry.digest("omnibase/pause", "1") == before
    assert json.loads(paths.images_lock.read_text())["images"] == image_references
    assert _others(paths) == others


def test_a_damaged_certificate_is_made_again_by_the_next_start_and_only_the_registry_begins_anew(
    node: Node, paths: Paths, registry: Registry
) -> None:
    others, first = _others(paths), pids(paths)["registry"]
    file = paths.node / "pki" / "registry.crt"
    file.write_text("-----BEGIN CERTIFICATE-----\ndamaged\n")
    assert not node.status().healthy
    node.start(Progress())

    assert _others(paths) == others
    assert pids(paths)["registry"] != first
    assert registry.digest("omnibase/pause", "1")
    wait_for(lambda: node.status().healthy, 60, "the node is healthy again")
    status = node.status()
    served = _served(registry)
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(served["notAfter"])), UTC)
    assert status.certificates["registry"] == end.isoformat()
    assert timedelta(days=364) < end - datetime.now(UTC) < timedelta(days=366)


def _others(paths: Paths) -> dict[str, int]:
    return {name: pid for name, pid in pids(paths).items() if name != "registry"}


def _served(registry: Registry) -> dict[str, object]:
    """The certificate that a client meets."""
    context = ssl.create_default_context(cafile=registry.authority)
    plain: socket.socket = connect(registry.namespace, "127.0.0.1", 5000)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
        found: dict[str, object] = dict(secured.getpeercert() or {})
    return found
