"""The connection to the message bus: one for the process, made in the background and made again when it breaks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import structlog
from nats.js import JetStreamContext

from services.reference.keys import KeyClient
from services.reference.metrics import Metrics
from services.reference.settings import Settings

_REQUEST_SECONDS = 3.0
_LOOK_SECONDS = 1.0
_log = structlog.get_logger("bus")


class Bus:
    """A connection that is never given up: `forever` calls `run`, and nobody waits for it who has other work."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._client = KeyClient()
        self._ready = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether a server answers now."""
        return self._client.is_connected

    @property
    def streams(self) -> JetStreamContext:
        """Publishing and reading; requests fail after 3 s."""
        return self._client.jetstream(timeout=_REQUEST_SECONDS)

    async def run(self) -> None:
        """Connect, trying until a server takes us, and stay.

        The client itself connects again when a server is lost; when one calls something an error it closes for good.

        Raises:
            OSError: the certificate authority cannot be read, or the client has closed itself.
        """
        tls = ssl.create_default_context(cafile=self._settings.messages_ca_file)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        client = self._client = KeyClient()
        try:
            await self._connect(client, tls)
            await self._changed()
            while not client.is_closed:
                await asyncio.sleep(_LOOK_SECONDS)
            raise ConnectionError(f"the client has closed itself: {client.last_error!r}")
        finally:
            await client.close()

    async def wait(self) -> None:
        """Return when a connection stands."""
        if not self.connected:
            self._ready.clear()
        await self._ready.wait()

    async def _connect(self, client: KeyClient, tls: ssl.SSLContext) -> None:
        await client.connect(
            self._settings.messages_url or "",
            name="reference",
            tls=tls,
            nkeys_seed=str(self._settings.messages_seed_file),
            inbox_prefix=f"_INBOX.{self._settings.messages_client}",
            connect_timeout=2,
            reconnect_time_wait=1,
            max_reconnect_attempts=-1,
            ping_interval=10,
            max_outstanding_pings=2,  # a server that vanished without a word is missed after 30 s
            error_cb=self._failed,
            disconnected_cb=self._changed,
            reconnected_cb=self._changed,
        )

    async def _changed(self) -> None:
        self._metrics.bus_connected.set(1 if self.connected else 0)
        if self.connected:
            self._ready.set()
        await _log.ainfo("bus", connected=self.connected)

    async def _failed(self, error: Exception) -> None:
        await _log.awarning("bus", error=repr(error))


async def forever(what: str, work: Callable[[], Awaitable[None]], pause_seconds: float = 1.0) -> None:
    """Run `work` again and again; an error is logged, and costs a pause."""
    while True:
        try:
            await work()
        except Exception as error:
            await _log.awarning("background work failed, trying again", work=what, error=repr(error))
            await asyncio.sleep(pause_seconds)
