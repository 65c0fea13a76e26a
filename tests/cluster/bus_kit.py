"""A message bus of its own in a namespace of its own, from the components' own manifests, without the engine."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import select
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from omnibase_infra import Environment, MessageBus, MessageBusArgs
from omnibase_infra.certificates import issue
from omnibase_infra.messaging import names, server_hosts
from omnibase_infra.nkeys import public_key, user_seed

from local.paths import Paths
from services.reference.keys import KeyClient
from tests.cluster.conftest import Kubectl
from tests.stacks.support.recorder import record

SPACE, BUS, SERVERS = "bus-of-three", "bus", 3
TOPIC = "onex.evt.orders.order-placed.v1"
STREAM = "onex_evt_orders_order-placed_v1"
CLIENTS = ("orders", "operators", "stream-controller")
_KINDS = (
    "Namespace", "ServiceAccount", "NetworkPolicy", "ConfigMap", "Service", "PodDisruptionBudget", "StatefulSet",
    "Deployment",
)  # fmt: skip
_TLS, _CA, _KEYS = "bus-tls", "bus-ca", names.keys(BUS)


def bus_manifests(images: dict[str, str], directory: Path) -> list[dict[str, Any]]:
    """Everything of the bus, with keys and certificates of its own; the clients' halves are put into files."""
    seeds = {client: user_seed(secrets.token_bytes(32)) for client in CLIENTS}
    for client, seed in seeds.items():
        (directory / client).write_text(seed)
    authority = issue.authority("bus of three", 1, issue.now())
    (directory / "ca.crt").write_text(authority.certificate)
    pair = issue.server(authority, server_hosts(BUS, SPACE, SERVERS), 1, issue.now(), also_client=True)
    found = [item for item in _declared(images) if item["kind"] in _KINDS and item["metadata"]["name"] != _KEYS]
    for item in found:
        if item["kind"] in ("StatefulSet", "Deployment"):
            item["spec"]["template"]["spec"].pop("priorityClassName", None)
    keys = {names.key_variable(client): public_key(seed) for client, seed in seeds.items()}
    tls = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}
    return [
        *(item for item in found if item["kind"] == "Namespace"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _KEYS, "namespace": SPACE}, "data": keys},
        _secret(_TLS, tls),
        _secret(_CA, {"ca.crt": authority.certificate}),
        *(_secret(names.secret(BUS, client), {names.SEED_KEY: seed}) for client, seed in seeds.items()),
        *(item for item in found if item["kind"] != "Namespace"),
    ]


def _declared(images: dict[str, str]) -> list[dict[str, Any]]:
    args: MessageBusArgs = {
        "namespace": SPACE,
        "environment": "test",
        "image": images["nats"],
        "controller_image": images["stream-controller"],
        "servers": SERVERS,
        "copies": SERVERS,
        "storage_gib": 1,
        "memory_mib": 64,
        "controller_memory_mib": 48,
        "cpu_request_millis": 10,
        "tls_secret": _TLS,
        "ca_secret": _CA,
        "clients": [{"name": "orders"}],
        "topics": [{"topic": TOPIC, "publishers": ["orders"], "max_mib": 16, "dead_letter_mib": 1}],
    }

    def program() -> None:
        Environment(
            "space",
            {"namespace": SPACE, "environment": "test", "cpu_request_millis": 500, "memory_mib": 1024, "pods": 10,
             "storage_gib": 4},
        )  # fmt: skip
        MessageBus(BUS, args)

    return [item.inputs for item in record(program).registrations() if item.type.startswith("kubernetes:")]


def _secret(name: str, content: dict[str, str]) -> dict[str, Any]:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in content.items()}
    metadata = {"name": name, "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


@dataclass(frozen=True, kw_only=True)
class Doors:
    """Ways to all servers of the bus, in their order."""

    ports: list[int]
    directory: Path

    async def connect(self, client: str, servers: list[int]) -> Client:
        """A client that goes to another server when one is lost."""
        connection = KeyClient()
        await connection.connect(
            [f"tls://127.0.0.1:{self.ports[number]}" for number in servers],
            tls=ssl.create_default_context(cafile=str(self.directory / "ca.crt")),
            tls_hostname=f"{BUS}.{SPACE}.svc.cluster.local",
            nkeys_seed=str(self.directory / client),
            inbox_prefix=f"_INBOX.{client}",
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=20,
            error_cb=_silent,
        )
        return connection

    def ask(self, servers: list[int], work: Callable[[Client], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Do something with the controller's rights, at one of these servers."""

        async def doing() -> Any:  # noqa: ANN401 -- whatever the work returns
            connection = await self.connect("stream-controller", servers)
            try:
                return await asyncio.wait_for(work(connection), 180)
            finally:
                await connection.close()

        return asyncio.run(doing())


@contextmanager
def doors(paths: Paths, directory: Path) -> Iterator[Doors]:
    """Forward a port to each server; one that is killed takes only its own door with it."""
    with ExitStack() as stack:
        yield Doors(ports=[stack.enter_context(_door(paths, number)) for number in range(SERVERS)], directory=directory)


@contextmanager
def _door(paths: Paths, number: int) -> Iterator[int]:
    command = [str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}", "port-forward", "-n", SPACE]
    with subprocess.Popen(
        [*command, "--address=127.0.0.1", f"pod/{BUS}-{number}", ":4222"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 90)[0], "kubectl port-forward says nothing"
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found, "kubectl port-forward named no port"
            yield int(found[1])
        finally:
            process.terminate()


async def publish(connection: Client, key: str, seconds: float = 180) -> float:
    """Publish until the bus has acknowledged; under its id the bus keeps one copy. Returns when that was."""
    streams = connection.jetstream(timeout=2)
    started = time.monotonic()
    while True:
        try:
            await streams.publish(TOPIC, key.encode(), headers={"Nats-Msg-Id": key})
        except Exception as error:
            if time.monotonic() - started > seconds:
                raise AssertionError(f"{key} was not acknowledged within {seconds:.0f} s") from error
            await asyncio.sleep(0.1)
        else:
            return time.monotonic()


def apply(kubectl: Kubectl, manifests: list[dict[str, Any]]) -> None:
    """Make or change objects."""
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))


async def _silent(_error: Exception) -> None:
    """Lost connections are what the test makes."""
