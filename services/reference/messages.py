"""Everything about the bus that the application has to know: it runs in the background, or is not configured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.reference import notes
from services.reference.bus import Bus, forever
from services.reference.database import Database
from services.reference.events import Consumer, Publisher
from services.reference.metrics import Metrics
from services.reference.settings import Settings


class Messages:
    """Publisher and consumer of one process; silent without a bus."""

    def __init__(self, settings: Settings, database: Database, metrics: Metrics) -> None:
        self._enabled = settings.messages_url is not None
        self._consumes = settings.messages_consume
        self._bus = Bus(settings, metrics)
        self._publisher = Publisher(self._bus, database, metrics)
        self._consumer = Consumer(self._bus, settings.messages_client, metrics)

    @property
    def state(self) -> str:
        """off, ok or down."""
        if not self._enabled:
            return "off"
        return "ok" if self._bus.connected else "down"

    def created(self, session: AsyncSession, note: notes.Note) -> None:
        """A note is stored by this transaction; its event is too, and carries the request's correlation id."""
        if self._enabled:
            correlation = structlog.contextvars.get_contextvars().get("correlation_id")
            self._publisher.created(session, note, None if correlation is None else str(correlation))

    def wake(self) -> None:
        """A transaction with an event was committed."""
        self._publisher.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work in the background until the block ends."""
        if not self._enabled:
            yield
            return
        tasks = [
            asyncio.create_task(forever("bus", self._bus.run)),
            asyncio.create_task(forever("publish", self._publisher.run)),
        ]
        if self._consumes:
            tasks.append(asyncio.create_task(forever("consume", self._consumer.run)))
        try:
            yield
        finally:
            for task in reversed(tasks):  # the bus last: the others take their leave through it
                task.cancel()
                await asyncio.wait([task])
