"""The way to the bus itself, as its client for operators: a forwarded port, a key, the platform's authority."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from nats.aio.client import Client as NatsClient
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from omnibase_infra.config.topics import OPERATORS
from omnibase_infra.naming import service_host
from omnibase_infra.nkeys import public_key, signature

from local.errors import LocalError
from local.plugins.kubernetes.client import ApiError, Client

BUS = "messages"
"""Name of the bus: of its Service, its servers, and the beginning of its Secrets' names."""
CLIENT_PORT = 4222
_AUTHORITY = "platform-ca"
_REQUEST_SECONDS = 10.0
_NOT_FOUND = 404


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a client shows the bus, and by what it knows the bus."""

    host: str
    """Name in the servers' certificate."""
    authority: str
    """PEM of the authorities that are trusted."""
    seed: str = field(repr=False)
    """The client's private key."""


def credentials(client: Client, namespace: str) -> Credentials:
    """Read the key of operators and the authority's certificate, with the rights of the kubeconfig.

    Raises:
        LocalError: there is no such key, or the kubeconfig may not read it.
    """
    return Credentials(
        host=service_host(BUS, namespace),
        authority=_secret(client, namespace, _AUTHORITY, "ca.crt"),
        seed=_secret(client, namespace, f"{BUS}-client-{OPERATORS}", "seed"),
    )


def server(client: Client, namespace: str) -> str:
    """A server of the bus that is ready.

    Raises:
        LocalError: none is.
    """
    selector = {"labelSelector": f"app.kubernetes.io/name={BUS}"}
    pods = client.request("GET", f"/api/v1/namespaces/{namespace}/pods", query=selector).get("items") or []
    ready = [pod["metadata"]["name"] for pod in pods if _is_ready(pod)]
    if not ready:
        raise LocalError(
            f"no server of the bus in {namespace} is ready", hint="docs/runbooks/message-bus-down.md says what to do"
        )
    return str(ready[0])


@asynccontextmanager
async def connected(port: int, known: Credentials) -> AsyncIterator[JetStreamContext]:
    """Streams of the bus behind a port of this machine, for as long as the block runs.

    Raises:
        LocalError: it cannot be reached, refuses the key, or does not answer in the block.
    """
    connection, said = _KeyClient(), [""]

    async def note(error: Exception) -> None:
        said[0] = str(error)

    try:
        await connection.connect(
            f"tls://127.0.0.1:{port}",
            name="ops",
            tls=ssl.create_default_context(cadata=known.authority),
            tls_hostname=known.host,
            nkeys_seed_str=known.seed,
            inbox_prefix=f"_INBOX.{OPERATORS}",
            allow_reconnect=False,
            error_cb=note,
        )
    except Exception as error:
        raise LocalError(f"the bus cannot be reached: {said[0] or error}", hint="`ops messages` says more") from error
    try:
        yield connection.jetstream(timeout=_REQUEST_SECONDS)
    except NatsError as error:
        raise LocalError(f"the bus does not answer: {said[0] or error!r}", hint="`ops messages` says more") from error
    finally:
        await connection.close()


class _KeyClient(NatsClient):
    """Signs the server's nonce with a seed from memory.

    nats-py would do this with the package `nkeys`, which exists as a source distribution only (decision 0014).
    """

    def _setup_nkeys_seed_connect(self) -> None:
        seed = self._nkeys_seed_str or ""
        self._public_nkey = public_key(seed)
        self._signature_cb = lambda nonce: signature(seed, nonce)


def _secret(client: Client, namespace: str, name: str, key: str) -> str:
    try:
        found: dict[str, Any] = client.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        return base64.b64decode(found["data"][key]).decode()
    except ApiError as error:
        missing = error.status == _NOT_FOUND
        hint = "`make up` makes it" if missing else "ask for the right to read this one Secret"
        raise LocalError(f"Secret {namespace}/{name} cannot be read: {error}", hint=hint) from error


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
