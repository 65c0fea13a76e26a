"""A Kubernetes control plane without nodes: etcd, API server and controllers on this machine's own address.

Pods stay pending unless `PodRunner` plays their kubelet, so that readiness is what a test says it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.paths import Paths
from local.plugins.common.values import Object
from local.plugins.kubernetes import kubeconfig
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from local.plugins.kubernetes.cluster import Cluster
from local.plugins.kubernetes.discovery import Discovery
from tests.cluster.node_kit import free_port

_TOKEN = "conformance"
_START_SECONDS = 270.0
_NOW = "2026-01-01T00:00:00Z"


@dataclass
class ControlPlane:
    """The running programs, and a client on them."""

    directory: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig, context `conformance`."""
        return self.directory / "kubeconfig"

    def start(self) -> None:
        """Start everything and wait until the API server is ready."""
        kube = Paths.from_environment().bin / "kube"
        etcd, peer, api = free_port(), free_port(), free_port()
        self._write_files(api)
        self._run(
            kube, "etcd", f"--data-dir={self.directory}/etcd", f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}", f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}", f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync", "--log-level=warn",
        )  # fmt: skip
        key = self.directory / "service-account.key"
        self._run(
            kube, "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}", f"--secure-port={api}",
            "--bind-address=127.0.0.1", f"--cert-dir={self.directory}/certificates", "--authorization-mode=RBAC",
            f"--token-auth-file={self.directory}/tokens.csv", "--service-cluster-ip-range=10.96.0.0/16",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://conformance.test", "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none", "--max-requests-inflight=800",
        )  # fmt: skip
        self._await_api(api)
        self._run(
            kube, "kube-controller-manager", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false",
            f"--service-account-private-key-file={key}", "--secure-port=0", "--concurrent-gc-syncs=5",
            "--use-service-account-credentials=false",
            # a test's node has no kubelet that reports, and must not become unreachable while a test runs
            "--node-monitor-grace-period=3600s",
        )  # fmt: skip

    def stop(self) -> None:
        """End every program."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def killed(self, name: str) -> Iterator[None]:
        """Kill a program; when the block ends, it is started again on the same ports and data."""
        found = next(item for item in self.processes if isinstance(item.args, list) and item.args[1] == name)
        found.kill()
        found.wait()
        self.processes.remove(found)
        try:
            yield
        finally:
            assert isinstance(found.args, list)
            self._run(*found.args)

    def cluster(self) -> Cluster:
        """Objects of this control plane, for tests to look at and to change."""
        connection = kubeconfig.select(kubeconfig.load(str(self.kubeconfig)))
        client = Client(connection, threading.Event())
        return Cluster(client, Discovery(client, "", self.directory / "discovery"), "default")

    def _write_files(self, api: int) -> None:
        for name in ("etcd", "certificates"):
            (self.directory / name).mkdir(mode=0o700)
        (self.directory / "tokens.csv").write_text(f"{_TOKEN},admin,admin,system:masters\n")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self.directory / "service-account.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "conformance",
            "clusters": [
                {
                    "name": "conformance",
                    "cluster": {
                        "server": f"https://127.0.0.1:{api}",
                        "certificate-authority": f"{self.directory}/certificates/apiserver.crt",
                    },
                }
            ],
            "contexts": [{"name": "conformance", "context": {"cluster": "conformance", "user": "admin"}}],
            "users": [{"name": "admin", "user": {"token": _TOKEN}}],
        }
        self.kubeconfig.write_text(json.dumps(config))

    def _run(self, program: Path | str, name: str, *arguments: str) -> None:
        log = (self.directory / f"{name}.log").open("ab")
        self.processes.append(
            subprocess.Popen(
                [str(program), name, *arguments], stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "GOGC": "50"}
            )
        )
        log.close()

    def _await_api(self, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            failed = [process.args for process in self.processes if process.poll() is not None]
            assert not failed, f"{failed} ended; see the logs in {self.directory}"
            with suppress(Exception):
                cluster = self.cluster()
                cluster.client.request("GET", "/readyz")
                if cluster.get("v1", "Namespace", "", "default"):
                    return
            time.sleep(0.2)
        raise AssertionError(f"the API server on port {port} is not ready; see the logs in {self.directory}")


class PodRunner:
    """Plays the kubelet of all pods of a namespace: they run and are ready, or fail as told."""

    def __init__(self, cluster: Cluster, namespace: str, *, waiting: str = "", start_seconds: float = 0) -> None:
        """Make a kubelet.

        Args:
            waiting: a reason (such as ImagePullBackOff) for which containers do not start; empty: they run.
            start_seconds: how long a pod takes to run, so that others are sure to see it wait.
        """
        self._cluster = cluster
        self._start_seconds = start_seconds
        self._seen: dict[str, float] = {}
        self._namespace = namespace
        self.waiting = waiting
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> PodRunner:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._ended.wait(0.2):
            with suppress(ApiError, UnreachableError):  # a later round finds an API server that is away now
                for pod in self._cluster.list("v1", "Pod", self._namespace):
                    self._run(pod)

    def _run(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{self._namespace}/pods/{name}"
        if pod["metadata"].get("deletionTimestamp"):
            self._cluster.client.request("DELETE", path, body={"gracePeriodSeconds": 0})
            return
        if time.monotonic() - self._seen.setdefault(name, time.monotonic()) < self._start_seconds:
            return
        status = self._waiting(pod) if self.waiting else self._running(pod)
        if pod["status"].get("conditions") != status["conditions"]:
            content_type = "application/merge-patch+json"
            body = {"status": status}
            self._cluster.client.request("PATCH", f"{path}/status", body=body, content_type=content_type)

    def _running(self, pod: Object) -> Object:
        containers = [
            {
                "name": each["name"], "image": each["image"], "imageID": "", "ready": True, "restartCount": 0,
                "started": True, "state": {"running": {"startedAt": _NOW}},
            }
            for each in pod["spec"]["containers"]
        ]  # fmt: skip
        return {
            "phase": "Running",
            "podIP": "10.1.2.3",
            "podIPs": [{"ip": "10.1.2.3"}],
            "conditions": _conditions("PodScheduled", "Initialized", "ContainersReady", "Ready"),
            "containerStatuses": containers,
        }

    def _waiting(self, pod: Object) -> Object:
        containers = [
            {
                "name": each["name"], "image": each["image"], "imageID": "", "ready": False, "restartCount": 0,
                "state": {"waiting": {"reason": self.waiting, "message": "as the test says"}},
            }
            for each in pod["spec"]["containers"]
        ]  # fmt: skip
        return {
            "phase": "Pending",
            "conditions": _conditions("PodScheduled", "Initialized"),
            "containerStatuses": containers,
        }


def _conditions(*kinds: str) -> list[dict[str, Any]]:
    return [{"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": _NOW} for kind in kinds]
