"""Events of the reference service with a real PostgreSQL and a real NATS, and relays that are killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg, StreamConfig
from sqlalchemy.ext.asyncio import AsyncSession

from services.reference import events, notes, outbox
from services.reference.database import Database, UnavailableError
from services.reference.messages import Messages
from services.reference.metrics import Metrics
from services.reference.settings import Settings
from tests.cluster.nats_kit import nats_server
from tests.cluster.node_kit import free_port
from tests.cluster.notes_kit import notes_database
from tests.cluster.outbox_child import KILLED, publisher, relay_once
from tests.cluster.postgres_kit import DebianPostgres
from tests.cluster.standbys_kit import without_standbys

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "outbox"
WINDOW_SECONDS = 120.0


@pytest.fixture(scope="module")
def given(external_database: DebianPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Settings of a service with a database of its own."""
    with notes_database(external_database, DATABASE, tmp_path_factory.mktemp("outbox")) as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nats_server(tmp_path_factory.mktemp("nats")) as found:
        yield found


@pytest.fixture(autouse=True)
def empty(
    given: dict[str, Any], external_database: DebianPostgres, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LOOK_SECONDS", 0.1)
    external_database.sql("TRUNCATE notes, outbox", DATABASE)
    asyncio.run(stream(address, WINDOW_SECONDS))


async def stream(address: str, window: float) -> None:
    """An empty stream that drops second copies within a time."""
    client = await nats.connect(address)
    streams = client.jetstream()
    if any(each.config.name == events.STREAM for each in await streams.streams_info()):
        await streams.delete_stream(events.STREAM)
    await streams.add_stream(StreamConfig(name=events.STREAM, subjects=[events.TOPIC], duplicate_window=window))
    await client.close()


def write(address: str, given: dict[str, Any], *keys: str) -> list[bool]:
    """Notes with their events, as the service writes them; whether each was new."""

    async def doing() -> list[bool]:
        made, database, _, _ = publisher(address, Settings.model_validate(given))

        async def work(session: AsyncSession) -> list[bool]:
            new = []
            for key in keys:
                note, created = await notes.write(session, key, "text")
                if created:
                    made.created(session, note, f"request-{key}")
                new.append(created)
            return new

        try:
            return await database.run("rw", work)
        finally:
            await database.close()

    return asyncio.run(doing())


def relay(address: str, given: dict[str, Any], point: str = "") -> int:
    """A relay in a process of its own."""
    command = [sys.executable, "-m", "tests.cluster.outbox_child", point, address, json.dumps(given)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode in (0, KILLED), ended.stderr
    return ended.returncode


def published(address: str) -> list[events.NoteCreated]:
    """Everything that is in the stream, in its order."""
    return [events.NoteCreated.model_validate_json(message.data or b"") for message in kept(address)]


def kept(address: str) -> list[RawStreamMsg]:
    """The same with its headers."""

    async def doing() -> list[RawStreamMsg]:
        client = await nats.connect(address)
        streams = client.jetstream()
        count = (await streams.stream_info(events.STREAM)).state.messages
        found = [await streams.get_msg(events.STREAM, number) for number in range(1, count + 1)]
        await client.close()
        return found

    return asyncio.run(doing())


def left(server: DebianPostgres) -> int:
    return int(server.sql("SELECT count(*) FROM outbox", DATABASE)[0][0])


@pytest.mark.req("C7.5", "R33")
@pytest.mark.parametrize("point", ["before 1", "after 1", "before 3", "after 3"])
def test_a_relay_that_is_killed_loses_no_event_and_leaves_none_twice(
    external_database: DebianPostgres, given: dict[str, Any], address: str, point: str
) -> None:
    write(address, given, "a", "b", "c")
    assert relay(address, given, point) == KILLED
    assert left(external_database) == 3, "nothing is marked that the other does not know of"
    assert relay(address, given) == 0
    assert [event.key for event in published(address)] == ["a", "b", "c"]
    assert [event.correlation_id for event in published(address)] == ["request-a", "request-b", "request-c"]
    assert left(external_database) == 0


@pytest.mark.req("C7.5")
def test_a_copy_after_the_window_of_the_stream_is_the_same_event_with_the_same_id(
    given: dict[str, Any], address: str
) -> None:
    asyncio.run(stream(address, 0.1))
    write(address, given, "a", "b")
    assert relay(address, given, "after 2") == KILLED
    assert relay(address, given) == 0  # a process later, so after the window
    found = [((message.headers or {})["Nats-Msg-Id"], message.data) for message in kept(address)]
    assert len(found) == 4
    assert found[:2] == found[2:]
    assert found[0][0] != found[1][0]


@pytest.mark.req("C7.5")
def test_a_note_that_is_not_committed_has_no_event(
    external_database: DebianPostgres, given: dict[str, Any], address: str
) -> None:
    async def doing() -> None:
        made, database, _, _ = publisher(address, Settings.model_validate(given))

        async def work(session: AsyncSession) -> None:
            note, _ = await notes.write(session, "never", "text")
            made.created(session, note, None)
            await session.flush()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await database.run("rw", work)
        await database.close()

    asyncio.run(doing())
    assert left(external_database) == 0
    assert external_database.sql("SELECT count(*) FROM notes", DATABASE) == [(0,)]


def test_relays_share_the_work(external_database: DebianPostgres, given: dict[str, Any], address: str) -> None:
    keys = [f"key-{number:03}" for number in range(3 * outbox.BATCH)]
    write(address, given, *keys)

    async def both() -> list[float]:
        relays = [publisher(address, Settings.model_validate(given)) for _ in range(2)]
        for _, database, bus, _ in relays:
            await bus.wait()
            await database.ping("rw", 30)
        await asyncio.gather(*(made.run() for made, *_ in relays))
        for _, database, bus, _ in relays:
            await database.close()
            await bus.close()
        name, labels = "events_published_total", {"result": "ok"}
        return [metrics.registry.get_sample_value(name, labels) or 0.0 for *_, metrics in relays]

    shares = asyncio.run(both())
    assert all(shares), "each had a part"
    assert sum(shares) == len(keys), "and none was published twice"
    assert sorted(event.key for event in published(address)) == keys
    assert left(external_database) == 0


Publish = Callable[..., Awaitable[Any]]


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], Awaitable[None]]], None]:
    """Lets something happen before each event is published; it is given the number of the event, from 1."""

    def before(happens: Callable[[int], Awaitable[None]]) -> None:
        done: Publish = JetStreamContext.publish
        calls = 0

        async def changed(streams: JetStreamContext, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- as publish
            nonlocal calls
            calls += 1
            await happens(calls)
            return await done(streams, *arguments, **named)

        monkeypatch.setattr(JetStreamContext, "publish", changed)

    return before


@pytest.mark.req("C7.8")
def test_a_bus_that_takes_long_for_each_event_gets_them_all(
    external_database: DebianPostgres, given: dict[str, Any], address: str, publish: Callable[[Any], None]
) -> None:
    async def slow(_: int) -> None:
        await asyncio.sleep(0.3)

    publish(slow)
    keys = [f"key-{number:03}" for number in range(outbox.BATCH)]  # together longer than one attempt may take
    write(address, given, *keys)
    asyncio.run(relay_once(address, Settings.model_validate(given)))
    assert left(external_database) == 0
    assert [event.key for event in published(address)] == keys


@pytest.mark.req("C7.8")
def test_what_the_bus_took_before_it_failed_is_not_sent_again(
    external_database: DebianPostgres, given: dict[str, Any], address: str, publish: Callable[[Any], None]
) -> None:
    sent = []

    async def third_fails(number: int) -> None:
        sent.append(number)
        if number == 3:
            raise TimeoutError

    publish(third_fails)
    write(address, given, "a", "b", "c")
    with pytest.raises(outbox.PublishError):
        asyncio.run(relay_once(address, Settings.model_validate(given)))
    assert left(external_database) == 1
    asyncio.run(relay_once(address, Settings.model_validate(given)))
    assert left(external_database) == 0
    assert len(sent) == 4, "only the third was sent a second time"
    assert [event.key for event in published(address)] == ["a", "b", "c"]


def test_what_no_standby_has_is_neither_acknowledged_nor_published(
    external_database: DebianPostgres, given: dict[str, Any], address: str
) -> None:
    """A commit that waits for a standby in vain is cut off with the attempt, and is seen by everybody from then on."""
    impatient = {**given, "database_attempt_seconds": 1, "database_deadline_seconds": 5}
    with without_standbys(external_database):
        with pytest.raises(UnavailableError):
            write(address, impatient, "a")
        assert external_database.sql("SELECT key FROM notes", DATABASE) == [("a",)], "it is seen"
        with pytest.raises(UnavailableError):
            asyncio.run(relay_once(address, Settings.model_validate(impatient)))
        assert published(address) == []
    assert write(address, given, "a") == [False]
    asyncio.run(relay_once(address, Settings.model_validate(given)))
    assert [event.key for event in published(address)] == ["a"]


@pytest.mark.req("C7.8")
def test_without_the_bus_events_wait_and_are_counted(
    external_database: DebianPostgres, given: dict[str, Any], tmp_path: Path
) -> None:
    async def doing(address: str) -> str:
        made, database, bus, metrics = publisher(address, Settings.model_validate(given))
        await bus.wait()
        await bus.close()
        await made.run()
        await database.close()
        return metrics.text().decode()

    with nats_server(tmp_path) as address:
        write(address, given, "a", "b")
        text = asyncio.run(doing(address))
    assert "events_waiting 2.0" in text
    assert 'database_retries_total{endpoint="rw"}' not in text
    assert left(external_database) == 2


@pytest.mark.req("C7.8")
def test_a_process_that_never_saw_the_bus_counts_the_events_that_wait(
    given: dict[str, Any], address: str, tmp_path: Path
) -> None:
    for name in ("seed", "ca.crt"):
        (tmp_path / name).write_text("")
    settings = Settings.model_validate({
        **given, "messages_url": f"tls://127.0.0.1:{free_port()}", "messages_seed_file": tmp_path / "seed",
        "messages_ca_file": tmp_path / "ca.crt",
    })  # fmt: skip

    async def doing() -> None:
        metrics = Metrics()
        database = Database(settings, metrics)
        async with asyncio.timeout(60), Messages(settings, database, metrics).running():
            while metrics.registry.get_sample_value("events_waiting") != 2:
                await asyncio.sleep(0.1)
        await database.close()

    write(address, given, "a", "b")
    asyncio.run(doing())
