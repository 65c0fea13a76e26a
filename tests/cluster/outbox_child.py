"""A relay of the reference service: `python -m tests.cluster.outbox_child <point> <bus> <settings>`; may be killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any, cast

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from services.reference import events
from services.reference.bus import Bus
from services.reference.database import Database
from services.reference.metrics import Metrics
from services.reference.settings import Settings

KILLED = 137


class PlainBus:
    """The service's bus without TLS and keys."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Client | None = None

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    @property
    def streams(self) -> JetStreamContext:
        assert self._client is not None
        return self._client.jetstream(timeout=2)

    async def wait(self) -> None:
        if self._client is None:
            self._client = await nats.connect(self._address, max_reconnect_attempts=1, allow_reconnect=False)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def publisher(address: str, given: Settings) -> tuple[events.Publisher, Database, PlainBus, Metrics]:
    """The service's own, at a plain bus."""
    metrics, bus = Metrics(), PlainBus(address)
    database = Database(given, metrics)
    return events.Publisher(cast(Bus, bus), database, metrics), database, bus, metrics


async def relay_once(address: str, given: Settings) -> None:
    """Publish what is there, and end."""
    made, database, bus, _ = publisher(address, given)
    await bus.wait()
    try:
        await made.run()
    finally:
        await database.close()
        await bus.close()


def kill_at(point: str) -> None:
    """Vanish before or after the n-th event is published, for example `after 2`."""
    when, number = point.split()
    done, calls = JetStreamContext.publish, 0

    async def killed(streams: JetStreamContext, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- as publish
        nonlocal calls
        calls += 1
        if calls == int(number) and when == "before":
            os._exit(KILLED)
        answer = await done(streams, *arguments, **named)
        if calls == int(number):
            os._exit(KILLED)
        return answer

    setattr(JetStreamContext, "publish", killed)  # noqa: B010  # of another type than the checker would take


if __name__ == "__main__":
    if sys.argv[1]:
        kill_at(sys.argv[1])
    events._LOOK_SECONDS = 0.0
    events._PUBLISH_SECONDS = 60.0  # everything in one transaction, however slow this machine is
    asyncio.run(relay_once(sys.argv[2], Settings.model_validate(json.loads(sys.argv[3]))))
