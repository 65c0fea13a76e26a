"""Events about notes: published after the commit, and read again by a consumer of the same service.

At least once: an event has the note's own id, by which the bus drops a second copy within its window, and by which a
reader knows it afterwards. It is written with its note (outbox.py), so no outage of the bus and no crash loses one.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime

import structlog
from nats.aio.msg import Msg
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from services.reference import notes, outbox
from services.reference.bus import Bus
from services.reference.database import Database
from services.reference.metrics import Metrics
from services.reference.middleware import HEADER

TOPIC = "onex.evt.reference.note-created.v1"
STREAM = TOPIC.replace(".", "_")
_LOOK_SECONDS = 5.0  # how long rows of a process that was killed wait for another
_PUBLISH_SECONDS = 1.0  # and up to 3 s for the last event, and the commit: less than one attempt at the database
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
_log = structlog.get_logger("events")


class NoteCreated(BaseModel):
    """What an event says."""

    model_config = ConfigDict(extra="ignore")  # a newer publisher may say more

    note_id: int
    key: str
    created_at: datetime.datetime
    correlation_id: str | None = None


class Publisher:
    """Publishes one event for each note, through the outbox."""

    def __init__(self, bus: Bus, database: Database, metrics: Metrics) -> None:
        self._bus, self._database, self._metrics = bus, database, metrics
        self._written = asyncio.Event()

    def created(self, session: AsyncSession, note: notes.Note, correlation_id: str | None) -> None:
        """Publish when this transaction is committed."""
        event = NoteCreated(note_id=note.id, key=note.key, created_at=note.created_at, correlation_id=correlation_id)
        outbox.add(
            session,
            topic=TOPIC,
            message_id=f"note-{note.id}",
            payload=event.model_dump_json(),
            correlation_id=correlation_id,
        )

    def wake(self) -> None:
        """Something was committed: look at once."""
        self._written.set()

    async def run(self) -> None:
        """Publish everything that is in the outbox now and count what stays; then wait for more, which may be ours or
        what another process left, or for the bus."""
        self._written.clear()
        more = True
        while more:
            try:
                more = self._bus.connected and await self._relay()
            finally:
                self._metrics.events_waiting.set(await self._database.run("rw", outbox.waiting))
        change = self._written.wait() if self._bus.connected else self._bus.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(change, _LOOK_SECONDS)

    async def _relay(self) -> bool:
        """Publish some; False if there were none."""
        ids = await self._database.run("rw", outbox.replicated)

        async def work(session: AsyncSession) -> outbox.PublishError | None:
            return await outbox.relay(session, ids, self._publish, _PUBLISH_SECONDS)

        failed = await self._database.run("rw", work) if ids else None
        if failed is not None:
            raise failed
        return bool(ids)

    async def _publish(self, row: outbox.OutboxRow) -> None:
        headers = {"Nats-Msg-Id": row.message_id}
        if row.correlation_id:
            headers[HEADER] = row.correlation_id
        try:
            await self._bus.streams.publish(row.topic, row.payload.encode(), headers=headers)
        except Exception as error:
            self._metrics.events_published.labels("failed").inc()
            # else a time-out would be the database's
            raise outbox.PublishError(f"{row.message_id}: {error!r}") from error
        self._metrics.events_published.labels("ok").inc()


class Consumer:
    """Reads the service's own events. What it does with them is to count and log."""

    def __init__(self, bus: Bus, name: str, metrics: Metrics) -> None:
        self._bus, self._name, self._metrics = bus, name, metrics

    async def run(self) -> None:
        """Read until something fails."""
        await self._bus.wait()
        subscription = await self._bus.streams.pull_subscribe_bind(consumer=self._name, stream=STREAM)
        try:
            while True:
                try:
                    messages = await subscription.fetch(20, timeout=5)
                except TimeoutError:
                    continue
                for message in messages:
                    await self._take(message)
        finally:
            await subscription.unsubscribe()

    async def _take(self, message: Msg) -> None:
        try:
            event = NoteCreated.model_validate_json(message.data)
        except ValidationError as error:
            # Another try would read the same. The reason goes into the dead letter.
            await message.respond(f"+TERM no NoteCreated: {error.error_count()} errors".encode())
            self._metrics.events_consumed.labels("malformed").inc()
            return
        try:
            await self.handle(event)
        except Exception as error:
            deliveries = message.metadata.num_delivered
            await message.nak(delay=min(_FIRST_PAUSE_SECONDS * 2 ** (deliveries - 1), _LONGEST_PAUSE_SECONDS))
            self._metrics.events_consumed.labels("failed").inc()
            await _log.awarning("event failed", note_id=event.note_id, deliveries=deliveries, error=repr(error))
            return
        await message.ack()
        self._metrics.events_consumed.labels("ok").inc()

    async def handle(self, event: NoteCreated) -> None:
        """The work: a log line that the request's correlation id leads to."""
        await _log.ainfo("note event", note_id=event.note_id, correlation_id=event.correlation_id)
