"""What the restore drill compares, on a real PostgreSQL: a backup that lost or changed anything must not pass."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.drill.fingerprint import Content, SlowError, Table, differences, fingerprints, prepare
from services.drill.moment import living
from tests.cluster.postgres_kit import ADMIN_PASSWORD, SUPERUSER, DebianPostgres

_ALIVE, _COPY = "drill_alive", "drill_copy"
_SECONDS = 60
_ROWS = """CREATE TABLE orders (id int PRIMARY KEY, word text, amount numeric, at timestamptz, picture bytea);
INSERT INTO orders SELECT n, 'w' || n, n / 3.0, timestamptz '2026-01-01' + n * interval '1 s',
  decode(md5(n::text), 'hex') FROM generate_series(1, 100) n;
CREATE TABLE twins (word text); INSERT INTO twins VALUES ('a'), ('a'), ('b'), (NULL);
CREATE TABLE event (at int, body text) PARTITION BY RANGE (at);
CREATE TABLE event_low PARTITION OF event FOR VALUES FROM (0) TO (10); INSERT INTO event VALUES (1, 'one');
CREATE TABLE samples (t timestamptz, value float8); INSERT INTO samples VALUES ('2026-01-01', 1), ('2026-01-02', 2);
CREATE SCHEMA other; CREATE TABLE other.hidden (id int); INSERT INTO other.hidden VALUES (1);
ALTER TABLE other.hidden ENABLE ROW LEVEL SECURITY; ALTER TABLE other.hidden FORCE ROW LEVEL SECURITY"""


@pytest.fixture
def alive(external_database: DebianPostgres) -> Iterator[DebianPostgres]:
    """A server with a database of tables of several kinds."""
    external_database.sql(f"CREATE DATABASE {_ALIVE}")
    external_database.sql(_ROWS, _ALIVE)
    yield external_database
    for name in (_ALIVE, _COPY):
        external_database.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _connect(server: DebianPostgres, name: str) -> psycopg.Connection[Any]:
    return server.connect(SUPERUSER, ADMIN_PASSWORD, name)


def _contents(server: DebianPostgres, name: str) -> dict[Table, Content]:
    """As the drill reads them; both under one name, so that they can be compared."""
    with _connect(server, name) as connection:
        prepare(connection)
        return fingerprints(connection, "shop", [], time.monotonic() + _SECONDS)


@pytest.mark.req("P19")
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("SELECT 1", []),
        ("DELETE FROM orders WHERE id = 50", ["table shop.public.orders has 99 rows restored and 100 alive"]),
        ("UPDATE orders SET amount = amount + 1e-9 WHERE id = 50", ["table shop.public.orders has the same 100 rows"]),
        ("UPDATE orders SET at = at + interval '1 us' WHERE id = 50", ["table shop.public.orders has the same"]),
        ("UPDATE orders SET picture = '\\x00' WHERE id = 50", ["table shop.public.orders has the same"]),
        ("UPDATE orders SET word = NULL WHERE id = 50", ["table shop.public.orders has the same"]),
        (
            "UPDATE orders o SET word = p.word FROM orders p WHERE o.id + p.id = 3",
            ["table shop.public.orders has the same"],
        ),
        ("UPDATE twins SET word = 'b' WHERE ctid = '(0,1)'", ["table shop.public.twins has the same 4 rows"]),
        ("UPDATE samples SET value = value + 1", ["table shop.public.samples has the same 2 rows"]),
        ("UPDATE samples SET t = t + interval '1 us'", ["table shop.public.samples has the same 2 rows"]),
        ("UPDATE event SET body = 'two'", ["table shop.public.event_low has the same 1 rows"]),
        ("TRUNCATE other.hidden", ["table shop.other.hidden has 0 rows restored and 1 alive"]),
        ("DROP TABLE twins", ["table shop.public.twins is missing in the restored cluster"]),
        ("CREATE TABLE more ()", ["table shop.public.more is in the restored cluster only"]),
    ],
)
def test_whatever_a_restore_lost_or_changed_is_named_by_its_table(
    alive: DebianPostgres, damage: str, said: list[str]
) -> None:
    alive.sql(f"CREATE DATABASE {_COPY} TEMPLATE {_ALIVE}")
    alive.sql(damage, _COPY)
    found = differences(_contents(alive, _ALIVE), _contents(alive, _COPY))
    assert len(found) == len(said)
    assert all(line.startswith(words) for line, words in zip(found, said, strict=True)), found


@pytest.mark.req("P19")
def test_rows_of_a_transaction_that_is_not_over_do_not_count_on_either_side(alive: DebianPostgres) -> None:
    before = _contents(alive, _ALIVE)
    with _connect(alive, _ALIVE) as writer, writer.transaction():
        writer.execute("INSERT INTO twins VALUES ('late'); UPDATE orders SET word = 'late' WHERE id = 7")
        moment = living(lambda name: _connect(alive, name), (_ALIVE,), 4, time.monotonic() + _SECONDS)
    counted = {f"{each.schema}.{each.name}": content for each, content in moment.contents.items()}
    assert moment.moving
    assert counted["public.twins"] == before[Table("shop", "public", "twins")]
    assert counted["public.orders"].rows == 99, "of a row that is being changed nobody knows which one it will be"


@pytest.mark.req("P19")
def test_a_table_that_is_not_read_in_time_is_named_before_kubernetes_ends_the_drill(alive: DebianPostgres) -> None:
    said = "table shop.public.twins was not read in the time of the drill: canceling statement due to statement timeout"
    with _connect(alive, _ALIVE) as other, _connect(alive, _ALIVE) as reader, other.transaction():
        other.execute("LOCK TABLE twins")
        prepare(reader)
        with pytest.raises(SlowError, match=said):
            fingerprints(reader, "shop", [], time.monotonic() + 3)
        with pytest.raises(SlowError, match="was not read in the time of the drill: it is over"):
            fingerprints(reader, "shop", [], time.monotonic())
