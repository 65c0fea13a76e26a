"""The offline kubernetes plugin under the real engine, against a control plane without nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from local.engine.plugins import STAND_INS, plugins_step
from local.paths import Paths
from local.plugins.common.values import Object
from local.plugins.kubernetes.cluster import Cluster
from local.progress import Progress
from local.steps import run_steps
from tests.cluster.engine_kit import Checkout, checkout
from tests.cluster.kubernetes_control_plane import ControlPlane
from tests.cluster.node_kit import wait_for

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One control plane for all tests of a run."""
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> Cluster:
    """The control plane's objects."""
    return control_plane.cluster()


@dataclass
class Stack:
    """A program with a stack of its own on the control plane."""

    checkout: Checkout
    namespace: str
    cluster: Cluster

    def program(self, text: str) -> None:
        """Set the program; it starts with the SDK imported as k8s and the namespace's name as `space`."""
        head = f"import pulumi\nimport pulumi_kubernetes as k8s\nspace = {self.namespace!r}\n"
        self.checkout.program(head + textwrap.dedent(text))

    def run(self, command: str, *arguments: str, code: int | None = 0) -> str:
        """Run an engine command (preview, up, refresh, destroy) and return what it printed."""
        self.checkout.output.clear()
        found = getattr(self.checkout.engine(), command)(*arguments)
        text = self.checkout.text
        assert code is None or found == code, text
        return text

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return self.checkout.engine().outputs()

    def get(self, api_version: str, kind: str, name: str) -> Object:
        """A live object of the stack's namespace."""
        found = self.cluster.get(api_version, kind, self.namespace, name)
        assert found is not None, f"{kind} {self.namespace}/{name} does not exist"
        return found

    def make_namespace(self) -> None:
        """Make the namespace beside the program."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.cluster.create(body, "test", dry_run=False)

    def kubectl(self, *arguments: str) -> str:
        """Change something by hand."""
        kubectl = self.checkout.paths.bin / "kubectl"
        command = [str(kubectl), f"--kubeconfig={self.checkout.paths.kubeconfig}", "-n", self.namespace, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=180).stdout


@pytest.fixture
def stack(tmp_path: Path, control_plane: ControlPlane, cluster: Cluster, request: pytest.FixtureRequest) -> Stack:
    """An empty stack whose namespace is named after the test."""
    made = checkout(tmp_path, "")
    install_plugin(made.paths)
    shutil.copy(control_plane.kubeconfig, made.paths.kubeconfig)
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50].strip("-")
    return Stack(made, name, cluster)


def install_plugin(paths: Paths) -> None:
    """Install the stand-in into the home of a checkout, without what this machine may have of the official one."""
    real = replace(paths, root=_ROOT)
    run_steps([plugins_step(real, {"PATH": os.defpath, "HOME": str(paths.state)})], paths, Progress(), retry="pytest")
    assert (paths.pulumi_home / "plugins" / f"resource-kubernetes-v{STAND_INS[0].version}").is_dir()


@contextmanager
def unreachable(stack: Stack) -> Iterator[None]:
    """Let the kubeconfig point to a port where nobody listens."""
    file = stack.checkout.paths.kubeconfig
    kept = file.read_text()
    file.write_text(kept.replace("https://127.0.0.1:", "https://127.0.0.1:1/"))
    try:
        yield
    finally:
        file.write_text(kept)


def later(seconds: float, action: Callable[[], object]) -> threading.Timer:
    """Do something beside the test in a while."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer


def when_said(stack: Stack, text: str, action: Callable[[], object]) -> threading.Timer:
    """Do something beside the test as soon as the engine, which the test starts next, has printed a text."""
    stack.checkout.output.clear()  # it may have said so before

    def wait() -> None:
        wait_for(lambda: text in stack.checkout.text, 60, lambda: f"{text!r} in {stack.checkout.text}")
        action()

    return later(0, wait)
