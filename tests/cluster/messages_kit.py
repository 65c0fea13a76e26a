"""The message bus as one of its clients sees it, through a forwarded port: credentials are tested, not the network."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import select
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.js import JetStreamContext

from local.paths import Paths
from services.reference.keys import KeyClient
from tests.cluster.conftest import Kubectl
from tests.cluster.platform_kit import NAMESPACE

TOPIC = "onex.evt.reference.note-created.v1"
STREAM = "onex_evt_reference_note-created_v1"
DEAD_LETTERS = "onex_dlq_reference_note-created_v1"
_ANSWER_SECONDS, _WORK_SECONDS = 30, 180  # of one request, and of all that a test does as one client
HOST = f"messages.{NAMESPACE}.svc.cluster.local"


@dataclass(frozen=True, kw_only=True)
class Door:
    """A way to the bus from outside, with the keys of its clients."""

    port: int
    directory: Path

    def run(self, client: str, work: Callable[[Client, JetStreamContext], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Do something as a client."""

        async def doing() -> Any:  # noqa: ANN401 -- whatever the work returns
            connection = KeyClient()
            context = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
            try:
                await connection.connect(
                    f"tls://127.0.0.1:{self.port}",
                    tls=context,
                    tls_hostname=HOST,
                    nkeys_seed=str(self.directory / client),
                    inbox_prefix=f"_INBOX.{client}",
                    allow_reconnect=False,
                    connect_timeout=_ANSWER_SECONDS,
                    error_cb=_silent,
                )
                return await asyncio.wait_for(
                    work(connection, connection.jetstream(timeout=_ANSWER_SECONDS)), _WORK_SECONDS
                )
            finally:
                await connection.close()

        return asyncio.run(doing())


@contextmanager
def door(paths: Paths, kubectl: Kubectl, directory: Path) -> Iterator[Door]:
    """Forward a port to the bus, and put the keys of its clients into files."""
    for client in ("reference", "auditor", "operators", "stream-controller"):
        (directory / client).write_bytes(secret(kubectl, f"messages-client-{client}", "seed"))
    (directory / "ca.crt").write_bytes(secret(kubectl, "platform-ca", "ca.crt"))
    command = [str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}", "port-forward", "-n", NAMESPACE]
    with subprocess.Popen(
        [*command, "--address=127.0.0.1", "service/messages", ":4222"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], _WORK_SECONDS)[0], "kubectl port-forward says nothing"
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found, "kubectl port-forward named no port"
            yield Door(port=int(found[1]), directory=directory)
        finally:
            process.terminate()


def secret(kubectl: Kubectl, name: str, key: str) -> bytes:
    """One key of a Secret of the stack."""
    data = json.loads(kubectl("get", "secret", "-n", NAMESPACE, name, "-o", "json"))["data"]
    return base64.b64decode(data[key])


def metrics(kubectl: Kubectl, name: str, port: int = 8080) -> dict[str, float]:
    """Series of a workload's first pod, by name with labels."""
    pods = kubectl.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector=f"app.kubernetes.io/name={name}")
    staying = [item["metadata"] for item in pods if not item["metadata"].get("deletionTimestamp")]
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{staying[0]['name']}:{port}/proxy/metrics"
    lines = [line for line in kubectl.raw(path).splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def letters(streams: JetStreamContext) -> list[dict[str, Any]]:
    """All dead letters that are kept, as the controller reads them."""
    info = await streams.stream_info(DEAD_LETTERS)
    found = []
    for sequence in range(info.state.first_seq, info.state.last_seq + 1):
        message = await streams.get_msg(DEAD_LETTERS, sequence)
        found.append(json.loads(message.data or b"{}"))
    return found


async def _silent(_error: Exception) -> None:
    """Refusals are what the tests look for."""
