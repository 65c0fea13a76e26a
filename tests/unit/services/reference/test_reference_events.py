"""Events of the service: what is sent, what happens without a bus, and how keys are read."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import nats
import pytest
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from services.reference.bus import Bus, forever
from services.reference.database import Database, is_outage
from services.reference.events import TOPIC, Consumer, NoteCreated, Publisher
from services.reference.keys import KeyClient
from services.reference.metrics import Metrics
from services.reference.notes import Note
from services.reference.outbox import OutboxRow, PublishError
from tests.cluster.tls_kit import make_authority, make_certificate
from tests.unit.services.reference.reference_kit import running, settings

pytestmark = pytest.mark.asyncio
WRITTEN = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)


def note(number: int) -> Note:
    return Note(id=number, key=f"key-{number}", body="text", created_at=WRITTEN)


class FakeBus:
    """Keeps what is published; `fails` is the number of attempts that fail first."""

    connected = True

    def __init__(self, fails: int = 0) -> None:
        self.published: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.fails = fails
        self.streams = self

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        if self.fails:
            self.fails -= 1
            raise TimeoutError
        self.published.append((subject, json.loads(payload), headers))


class FakeSession:
    """Keeps the rows that are added to it."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []

    def add(self, row: OutboxRow) -> None:
        self.rows.append(row)


def publisher(bus: FakeBus) -> tuple[Publisher, Metrics]:
    metrics = Metrics()
    return Publisher(cast(Bus, bus), cast(Database, None), metrics), metrics


@pytest.mark.req("C7.5", "C6.2")
async def test_an_event_carries_the_notes_id_and_the_requests_correlation_id() -> None:
    bus, session = FakeBus(), FakeSession()
    made, metrics = publisher(bus)
    made.created(cast(AsyncSession, session), note(7), "order-17")
    assert bus.published == [], "not before the commit"
    await made._publish(session.rows[0])
    ((subject, event, headers),) = bus.published
    assert subject == TOPIC
    assert headers == {"Nats-Msg-Id": "note-7", "X-Correlation-ID": "order-17"}
    assert NoteCreated.model_validate(event) == NoteCreated(
        note_id=7, key="key-7", created_at=WRITTEN, correlation_id="order-17"
    )
    assert b'events_published_total{result="ok"} 1.0' in metrics.text()


async def test_a_bus_that_does_not_answer_is_no_outage_of_the_database() -> None:
    session = FakeSession()
    made, metrics = publisher(FakeBus(fails=1))
    made.created(cast(AsyncSession, session), note(1), None)
    with pytest.raises(PublishError, match="note-1: TimeoutError") as caught:
        await made._publish(session.rows[0])
    assert not is_outage(caught.value), "else the transaction would be tried again for 30 s"
    assert b'events_published_total{result="failed"} 1.0' in metrics.text()


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
async def test_a_bus_that_is_away_is_tried_again_and_changes_nothing_about_health(tmp_path: Path) -> None:
    tries = 0

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()

    make_certificate(make_authority("bus"), "127.0.0.1", tmp_path)
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        given = settings(
            tmp_path, messages_url=f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            messages_seed_file=tmp_path / "seed", messages_ca_file=tmp_path / "ca.crt",
        )  # fmt: skip
        async with running(given) as http:
            async with asyncio.timeout(60):
                while tries < 2:
                    await asyncio.sleep(0.05)
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
    broken._setup_nkeys_seed_connect()
    assert broken._signature_cb is not None
    with pytest.raises(nats.errors.Error, match="seed holds no key"):  # the client tries again after its own errors
        broken._signature_cb("nonce")


async def test_a_key_signs_the_servers_nonce(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n")
    known = KeyClient()
    known._nkeys_seed = str(file)
    known._setup_nkeys_seed_connect()
    assert known._signature_cb is not None
    assert len(known._signature_cb("nonce")) == 88
    assert known._public_nkey == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
