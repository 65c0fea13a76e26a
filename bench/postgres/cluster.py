"""The clusters on a node: made, asked, waited for."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.postgres import manifests
from local.errors import LocalError
from local.paths import Paths
from local.plugins.kubernetes import kubeconfig
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError

INSTANCES = 3
_HEALTHY = "Cluster in healthy state"
_MAKE_SECONDS = 600.0
_CPU = Path("/sys/fs/cgroup/cpuacct")


class BenchError(LocalError):
    """What was to be measured could not be: a figure would mean nothing."""


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait, and return the seconds that it took.

    Raises:
        BenchError: not within this time.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise BenchError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.25)
    return time.monotonic() - started


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One PostgreSQL cluster of three instances and its poolers."""

    paths: Paths
    namespace: str
    name: str = manifests.CLUSTER
    role: str = manifests.ROLE
    database: str = manifests.DATABASE
    password: str = field(default_factory=manifests.password, repr=False)
    sslmode: str = "verify-full"
    """What clients verify: `verify-ca` where its certificate does not name the poolers."""

    def make(self, objects: list[dict[str, Any]]) -> None:
        """Apply its manifests and wait until all of it serves."""
        apply(self.paths, objects)
        self.wait_whole(_MAKE_SECONDS)
        self.kubectl("wait", "--for=condition=Ready", f"pod/{manifests.CLIENT}", "--timeout=120s")
        for deployment in (each["metadata"]["name"] for each in objects if each["kind"] in ("Pooler", "Deployment")):
            self.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=120s")

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Kubectl in its namespace.

        Raises:
            BenchError: it failed.
        """
        return kubectl(self.paths, "-n", self.namespace, *words, stdin=stdin)

    def sql(self, statement: str, database: str = "") -> str:
        """A statement as superuser at the primary."""
        words = ("psql", "-v", "ON_ERROR_STOP=1", "-qtA", "-c", statement, database or self.database)
        return self.kubectl("exec", self.primary(), "-c", "postgres", "--", *words).strip()

    def status(self) -> dict[str, Any]:
        """What the operator says of it."""
        path = f"/apis/postgresql.cnpg.io/v1/namespaces/{self.namespace}/clusters/{self.name}"
        found: dict[str, Any] = json.loads(self._client.text(path)).get("status", {})
        return found

    def primary(self) -> str:
        """Name of the instance that writes."""
        return str(self.status().get("currentPrimary", ""))

    def pod(self, name: str) -> dict[str, Any]:
        """One of its pods."""
        found: dict[str, Any] = json.loads(self._client.text(f"/api/v1/namespaces/{self.namespace}/pods/{name}"))
        return found

    def is_whole(self) -> bool:
        """Whether every instance is ready and the operator finds nothing to do."""
        try:
            status = self.status()
        except (ApiError, UnreachableError):
            return False
        moved = status.get("currentPrimary") == status.get("targetPrimary")
        return status.get("phase") == _HEALTHY and status.get("readyInstances") == INSTANCES and moved

    def wait_whole(self, seconds: float = 300.0) -> float:
        """Wait for that, and for a standby that acknowledges."""
        took = wait_until(self.is_whole, seconds, f"{self.namespace}: {self.name} is whole")
        wait_until(lambda: self._streaming() == INSTANCES - 1, 60, f"{self.namespace}: both standbys stream")
        return took

    def wait_for_standbys(self, wanted: bool) -> None:
        """Let commits wait for any one standby, or for none."""
        rule = {"method": "any", "number": 1, "dataDurability": "required"} if wanted else None
        change = json.dumps({"spec": {"postgresql": {"synchronous": rule}}})
        self.kubectl("patch", "clusters.postgresql.cnpg.io", self.name, "--type=merge", "-p", change)
        wait_until(
            lambda: bool(self.sql("SHOW synchronous_standby_names")) == wanted, 60, f"{self.namespace}: commits wait"
        )

    def cpu_seconds(self) -> float:
        """CPU time so far of all its pods but the client's: servers, poolers and what is beside them."""
        shown = json.loads(self.kubectl("get", "pods", "-o", "json"))["items"]
        uids = [each["metadata"]["uid"] for each in shown if each["metadata"]["name"] != manifests.CLIENT]
        files = [file for uid in uids for file in _CPU.glob(f"*/kubepods/*/pod{uid}/cpuacct.usage")]
        return sum(int(file.read_text()) for file in files) / 1e9

    def connection(self, service: str, directory: Path) -> dict[str, Any]:
        """How a client of this machine connects to one of its Services."""
        name = f"{self.name}-{service}"
        address = self.kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
        file = directory / f"{self.namespace}.crt"
        text = self.kubectl("get", "secret", f"{self.name}-ca", "-o", "jsonpath={.data.ca\\.crt}")
        file.write_bytes(base64.b64decode(text))
        return {
            "host": name, "hostaddr": address, "port": 5432, "dbname": self.database, "user": self.role,
            "password": self.password, "sslmode": self.sslmode, "sslrootcert": str(file), "connect_timeout": 2,
        }  # fmt: skip

    def _streaming(self) -> int:
        try:
            return int(self.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"))
        except BenchError:
            return 0

    @cached_property
    def _client(self) -> Client:
        return Client(kubeconfig.select(kubeconfig.load(str(self.paths.kubeconfig))), threading.Event())


def kubectl(paths: Paths, *words: str, stdin: str | None = None) -> str:
    """Kubectl as administrator of an instance.

    Raises:
        BenchError: it failed.
    """
    command = [str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}", *words]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"kubectl {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def apply(paths: Paths, objects: list[dict[str, Any]]) -> None:
    """Make or change objects; definitions are too large for anything but the server's own apply."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl(paths, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


def install_operator(paths: Paths, images: dict[str, str]) -> None:
    """CloudNativePG, until its webhooks answer."""
    found = manifests.operator(paths, images)
    first = [each for each in found if each["kind"] in ("Namespace", "CustomResourceDefinition")]
    apply(paths, first)
    apply(paths, [each for each in found if each not in first])
    kubectl(paths, "rollout", "status", "-n", "cnpg-system", "deployment/cnpg-controller-manager", "--timeout=180s")


def remove_operator(paths: Paths, images: dict[str, str]) -> None:
    """All of it, and with its definitions every cluster that is left."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests.operator(paths, images)})
    kubectl(paths, "delete", "--ignore-not-found", "--timeout=180s", "-f", "-", stdin=text)
