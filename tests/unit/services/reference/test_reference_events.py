"""Events of the service: what is sent, what happens without a bus, and how keys are read."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from nats.js.errors import NotFoundError
from pydantic import ValidationError

from services.reference.bus import Bus, forever
from services.reference.database import Database
from services.reference.events import TOPIC, Consumer, NoteCreated, Publisher
from services.reference.keys import KeyClient
from services.reference.metrics import Metrics
from services.reference.notes import Note
from tests.unit.services.reference.reference_kit import client, settings

pytestmark = pytest.mark.asyncio
WRITTEN = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)


def note(number: int) -> Note:
    return Note(id=number, key=f"key-{number}", body="text", created_at=WRITTEN)


class FakeBus:
    """Keeps what is published; `fails` is the number of attempts that fail first."""

    connected = True

    def __init__(self, newest: bytes | None = None, fails: int = 0, again: int = 0) -> None:
        """`newest` is what the service published last, and `again` how many old events were handed out after it."""
        self.published: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.newest, self.fails, self.again = newest, fails, again
        self.streams = self

    async def wait(self) -> None:
        return

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        if self.fails:
            self.fails -= 1
            raise TimeoutError
        self.published.append((subject, json.loads(payload), headers))

    async def get_last_msg(self, _stream: str, _subject: str) -> Any:  # noqa: ANN401 -- a message
        return await self.get_msg(_stream, 1 + self.again)

    async def get_msg(self, _stream: str, sequence: int) -> Any:  # noqa: ANN401 -- a message
        if sequence > 1:
            old = NoteCreated(note_id=1, key="k", created_at=WRITTEN - datetime.timedelta(days=9)).model_dump_json()
            return SimpleNamespace(data=old.encode(), headers={"Redelivered-From": "dlq:1"}, seq=sequence)
        if self.newest is None:
            raise NotFoundError
        return SimpleNamespace(data=self.newest, headers=None, seq=1)


class FakeDatabase:
    """Answers with the notes that it was given, and keeps what was asked."""

    def __init__(self, *found: Note) -> None:
        self.found = list(found)

    async def run(self, _endpoint: str, _work: object) -> list[Note]:
        found, self.found = self.found, []
        return found


def publisher(bus: FakeBus, *missed: Note) -> tuple[Publisher, Metrics]:
    metrics = Metrics()
    return Publisher(cast(Bus, bus), cast(Database, FakeDatabase(*missed)), metrics), metrics


@pytest.mark.req("C7.5", "C6.2")
async def test_an_event_carries_the_notes_id_and_the_requests_correlation_id() -> None:
    bus = FakeBus()
    made, _ = publisher(bus)
    made.created(note(7), "order-17")
    await made.run()
    ((subject, event, headers),) = bus.published
    assert subject == TOPIC
    assert headers == {"Nats-Msg-Id": "note-7", "X-Correlation-ID": "order-17"}
    assert NoteCreated.model_validate(event) == NoteCreated(
        note_id=7, key="key-7", created_at=WRITTEN, correlation_id="order-17"
    )


async def test_what_was_written_before_the_process_started_is_published_first() -> None:
    bus = FakeBus()
    made, _ = publisher(bus, note(5), note(6))
    made.created(note(7), None)
    await made.run()
    assert [event["note_id"] for _, event, _ in bus.published] == [5, 6, 7]


async def test_an_event_that_could_not_be_published_is_read_from_the_table_again() -> None:
    bus = FakeBus()
    made, metrics = publisher(bus)
    made.created(note(1), None)
    await made.run()
    bus.fails = 1
    made.created(note(2), None)
    with pytest.raises(TimeoutError):
        await made.run()
    made._database = cast(Database, FakeDatabase(note(2)))
    made.created(note(3), None)
    await made.run()
    assert [event["note_id"] for _, event, _ in bus.published] == [1, 2, 3]
    assert b'events_published_total{result="failed"} 1.0' in metrics.text()


async def test_more_events_than_memory_holds_are_left_to_the_table() -> None:
    made, _ = publisher(FakeBus())
    made._behind = False
    for number in range(1001):
        made.created(note(number), None)
    assert made._behind


async def test_a_stream_with_a_strange_newest_event_is_taken_for_an_empty_one() -> None:
    for newest in (None, b"strange"):
        made, _ = publisher(FakeBus(newest=newest))
        since, after = await made._last()
        assert after is None
        assert datetime.datetime.now(datetime.UTC) - since < datetime.timedelta(hours=25)


async def test_catching_up_begins_a_minute_before_the_newest_event() -> None:
    newest = NoteCreated(note_id=5000, key="k", created_at=WRITTEN).model_dump_json().encode()
    made, _ = publisher(FakeBus(newest=newest))
    assert await made._last() == (WRITTEN - datetime.timedelta(seconds=60), 4000)


async def test_old_events_that_operators_handed_out_again_do_not_make_it_begin_with_them() -> None:
    newest = NoteCreated(note_id=5000, key="k", created_at=WRITTEN).model_dump_json().encode()
    made, _ = publisher(FakeBus(newest=newest, again=3))
    assert await made._last() == (WRITTEN - datetime.timedelta(seconds=60), 4000)


class FakeMessage:
    """One delivery, which keeps its answer."""

    def __init__(self, data: bytes, deliveries: int = 1) -> None:
        self.data, self.answer = data, ""
        self.metadata = SimpleNamespace(num_delivered=deliveries)

    async def ack(self) -> None:
        self.answer = "ack"

    async def nak(self, delay: float) -> None:
        self.answer = f"nak {delay}"

    async def respond(self, data: bytes) -> None:
        self.answer = data.decode()


class FailingConsumer(Consumer):
    """A consumer whose work never succeeds."""

    async def handle(self, event: NoteCreated) -> None:
        raise RuntimeError(event.key)


EVENT = NoteCreated(note_id=1, key="k", created_at=WRITTEN).model_dump_json().encode()


@pytest.mark.parametrize(
    ("kind", "data", "deliveries", "answer", "result"),
    [
        (Consumer, EVENT, 1, "ack", "ok"),
        (Consumer, b"{}", 1, "+TERM no NoteCreated: 3 errors", "malformed"),
        (FailingConsumer, EVENT, 1, "nak 1.0", "failed"),
        (FailingConsumer, EVENT, 3, "nak 4.0", "failed"),
        (FailingConsumer, EVENT, 9, "nak 30.0", "failed"),
    ],
)
async def test_each_event_is_answered(
    kind: type[Consumer], data: bytes, deliveries: int, answer: str, result: str
) -> None:
    metrics = Metrics()
    message = FakeMessage(data, deliveries)
    await kind(cast(Bus, FakeBus()), "reference", metrics)._take(cast(Any, message))
    assert message.answer == answer
    assert f'events_consumed_total{{result="{result}"}} 1.0'.encode() in metrics.text()


async def test_background_work_goes_on_after_an_error() -> None:
    calls: list[int] = []

    async def work() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise OSError
        await asyncio.sleep(0)

    task = asyncio.create_task(forever("test", work, 0.01))
    while len(calls) < 3:
        await asyncio.sleep(0.01)
    task.cancel()


@pytest.mark.req("C7.6", "C7.8")
async def test_a_bus_that_is_away_changes_nothing_about_health_and_shows(tmp_path: Path) -> None:
    for name in ("seed", "ca.crt"):
        (tmp_path / name).write_text("")
    given = settings(
        tmp_path, messages_url="tls://127.0.0.1:1", messages_seed_file=tmp_path / "seed",
        messages_ca_file=tmp_path / "ca.crt",
    )  # fmt: skip
    async with client(given) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert "messages_connected 0.0" in (await http.get("/metrics")).text


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"messages_url": "nats://messages:4222"}, "must start with tls://"),
        ({"messages_url": "tls://messages:4222"}, "needs REFERENCE_MESSAGES_SEED_FILE"),
        ({"messages_client": "Reference!"}, "pattern"),
    ],
)
async def test_wrong_settings_end_the_process_before_it_listens(
    tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        settings(tmp_path, **changes)


@pytest.mark.parametrize("text", ["", "SU", "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU4VY"])
async def test_a_file_without_a_key_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "seed"
    file.write_text(text)
    broken = KeyClient()
    broken._nkeys_seed = str(file)
    with pytest.raises(ValueError, match=r"seed holds no key|Incorrect padding"):
        broken._setup_nkeys_seed_connect()


async def test_a_key_signs_the_servers_nonce(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n")
    known = KeyClient()
    known._nkeys_seed = str(file)
    known._setup_nkeys_seed_connect()
    assert known._public_nkey == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
    assert known._signature_cb is not None
    assert len(known._signature_cb("nonce")) == 88
