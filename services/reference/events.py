"""Events about notes: published after the commit, and read again by a consumer of the same service.

At least once: an event has the note's own id, by which the bus drops a second copy within its window, and by which a
reader knows it afterwards. The table of notes is the list of what is to be published: after any failure the publisher
asks the stream for its newest event and publishes what was written since, so no outage of the bus loses an event.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence

import structlog
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError
from pydantic import BaseModel, ConfigDict, ValidationError

from services.reference import notes
from services.reference.bus import Bus
from services.reference.database import Database
from services.reference.metrics import Metrics
from services.reference.middleware import HEADER

TOPIC = "onex.evt.reference.note-created.v1"
STREAM = TOPIC.replace(".", "_")
REDELIVERED = "Redelivered-From"
"""Header of an event that an operator handed out again."""
_WAITING = 1000  # events in memory; beyond that they are read from the table, later
_PAGE = 200
_OVERLAP = datetime.timedelta(seconds=60)  # commits may end in another order than their ids began
_OVERLAP_NOTES = 1000
_NEVER_PUBLISHED = datetime.timedelta(hours=24)
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
    """Publishes one event for each note."""

    def __init__(self, bus: Bus, database: Database, metrics: Metrics) -> None:
        self._bus, self._database, self._metrics = bus, database, metrics
        self._waiting: asyncio.Queue[NoteCreated] = asyncio.Queue(_WAITING)
        self._behind = True  # what happened before this process started is not known

    def created(self, note: notes.Note, correlation_id: str | None) -> None:
        """Publish soon. Never waits and never fails: the note is stored already."""
        event = NoteCreated(note_id=note.id, key=note.key, created_at=note.created_at, correlation_id=correlation_id)
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._behind = True
        self._metrics.events_waiting.set(self._waiting.qsize())

    async def run(self) -> None:
        """Publish the next event, after those that were missed."""
        if self._behind:
            await self._bus.wait()
            self._behind = False
            try:
                await self._catch_up()
            except BaseException:
                self._behind = True
                raise
        event = await self._waiting.get()
        try:
            await self._publish(event)
        except BaseException:
            self._behind = True
            raise
        finally:
            self._metrics.events_waiting.set(self._waiting.qsize())

    async def _publish(self, event: NoteCreated) -> None:
        headers = {"Nats-Msg-Id": f"note-{event.note_id}"}
        if event.correlation_id:
            headers[HEADER] = event.correlation_id
        try:
            await self._bus.streams.publish(TOPIC, event.model_dump_json().encode(), headers=headers)
        except Exception:
            self._metrics.events_published.labels("failed").inc()
            raise
        self._metrics.events_published.labels("ok").inc()

    async def _catch_up(self) -> None:
        since, after = await self._last()
        while True:
            missed = await self._missed(since, after)
            for note in missed:
                await self._publish(NoteCreated(note_id=note.id, key=note.key, created_at=note.created_at))
                after = note.id
            if len(missed) < _PAGE:
                return
            await _log.ainfo("publishing what was missed", after=after)

    async def _last(self) -> tuple[datetime.datetime, int | None]:
        """From when on, and after which id, notes may be unpublished."""
        try:
            event = NoteCreated.model_validate_json(await self._newest())
        except (NotFoundError, ValidationError):
            return datetime.datetime.now(datetime.UTC) - _NEVER_PUBLISHED, None
        return event.created_at - _OVERLAP, event.note_id - _OVERLAP_NOTES

    async def _newest(self) -> bytes:
        """The newest event that the service itself published: operators may have handed out older ones after it."""
        message = await self._bus.streams.get_last_msg(STREAM, TOPIC)
        while REDELIVERED in (message.headers or {}):
            before = (message.seq or 1) - 1
            if before == 0:
                raise NotFoundError
            message = await self._bus.streams.get_msg(STREAM, before)
        return message.data or b""

    async def _missed(self, since: datetime.datetime, after: int | None) -> Sequence[notes.Note]:
        return await self._database.run(
            "rw", lambda session: notes.written_since(session, since, after, _OVERLAP_NOTES, _PAGE)
        )


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
