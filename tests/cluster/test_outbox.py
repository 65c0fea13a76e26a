"""Events of the reference service with a real PostgreSQL and a real NATS, and relays that are killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.api import StreamConfig
from sqlalchemy.ext.asyncio import AsyncSession

from services.reference import events, notes, outbox
from services.reference.settings import Settings
from tests.cluster.nats_kit import nats_server
from tests.cluster.notes_kit import notes_database
from tests.cluster.outbox_child import KILLED, publisher, relay_once
from tests.cluster.postgres_kit import DebianPostgres

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "outbox"
WINDOW_SECONDS = 120.0


@pytest.fixture(scope="module")
def given(external_database: DebianPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Settings of a service with a database of its own, and a table of a consumer."""
    with notes_database(external_database, DATABASE, tmp_path_factory.mktemp("outbox")) as found:
        external_database.sql(f"SET ROLE {DATABASE}_owner; CREATE TABLE effects (note_id bigint PRIMARY KEY)", DATABASE)
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nats_server(tmp_path_factory.mktemp("nats")) as found:
        yield found


@pytest.fixture(autouse=True)
def empty(given: dict[str, Any], external_database: DebianPostgres, address: str) -> None:
    external_database.sql("TRUNCATE notes, outbox, effects", DATABASE)
    asyncio.run(stream(address, WINDOW_SECONDS))


async def stream(address: str, window: float) -> None:
    """An empty stream that drops second copies within a time."""
    client = await nats.connect(address)
    streams = client.jetstream()
    if any(each.config.name == events.STREAM for each in await streams.streams_info()):
        await streams.delete_stream(events.STREAM)
    await streams.add_stream(StreamConfig(name=events.STREAM, subjects=[events.TOPIC], duplicate_window=window))
    await client.close()


def write(address: str, given: dict[str, Any], *keys: str) -> None:
    """Notes with their events, as the service writes them."""

    async def doing() -> None:
        made, database, _, _ = publisher(address, Settings.model_validate(given))

        async def work(session: AsyncSession) -> None:
            for key in keys:
                note, _ = await notes.write(session, key, "text")
                made.created(session, note, f"request-{key}")

        await database.run("rw", work)
        await database.close()

    asyncio.run(doing())


def relay(address: str, given: dict[str, Any], point: str = "") -> int:
    """A relay in a process of its own."""
    command = [sys.executable, "-m", "tests.cluster.outbox_child", point, address, json.dumps(given)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode in (0, KILLED), ended.stderr
    return ended.returncode


def published(address: str) -> list[events.NoteCreated]:
    """Everything that is in the stream, in its order."""

    async def doing() -> list[events.NoteCreated]:
        client = await nats.connect(address)
        streams = client.jetstream()
        count = (await streams.stream_info(events.STREAM)).state.messages
        found = [await streams.get_msg(events.STREAM, number) for number in range(1, count + 1)]
        await client.close()
        return [events.NoteCreated.model_validate_json(message.data or b"") for message in found]

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
def test_a_copy_after_the_window_of_the_stream_has_no_second_effect(
    external_database: DebianPostgres, given: dict[str, Any], address: str
) -> None:
    asyncio.run(stream(address, 0.1))
    write(address, given, "a", "b")
    assert relay(address, given, "after 2") == KILLED
    assert relay(address, given) == 0  # a process later, so after the window
    found = published(address)
    assert [event.key for event in found] == ["a", "b", "a", "b"]
    for event in found:
        external_database.sql(f"INSERT INTO effects VALUES ({event.note_id}) ON CONFLICT DO NOTHING", DATABASE)  # noqa: S608
    assert external_database.sql("SELECT count(*) FROM effects", DATABASE) == [(2,)]


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

    async def both() -> None:
        settings = Settings.model_validate(given)
        await asyncio.gather(*(relay_once(address, settings) for _ in range(2)))

    asyncio.run(both())
    assert sorted(event.key for event in published(address)) == keys
    assert left(external_database) == 0


@pytest.mark.req("C7.8")
def test_without_the_bus_events_wait_and_are_counted(
    external_database: DebianPostgres, given: dict[str, Any], tmp_path: Path
) -> None:
    async def doing(address: str) -> str:
        made, database, bus, metrics = publisher(address, Settings.model_validate(given))
        await bus.wait()
        client = bus._client
        assert client is not None
        await client.close()
        with pytest.raises(events.PublishError):
            await made.run()
        await database.close()
        return metrics.text().decode()

    with nats_server(tmp_path) as address:
        write(address, given, "a", "b")
        text = asyncio.run(doing(address))
    assert "events_waiting 2.0" in text
    assert 'database_retries_total{endpoint="rw"}' not in text
    assert left(external_database) == 2
