"""Bloat of tables and B-trees as the exporter sees it, on a PostgreSQL of Debian."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from omnibase_infra.postgres import bloat, queries

from tests.cluster.postgres_kit import ADMIN_PASSWORD, SUPERUSER, DebianPostgres

_DATABASE, _EXPORTER, _PASSWORD = "bloated", "bloat_exporter", "a-password-of-the-exporter"
_ROWS = 60_000


@pytest.fixture(scope="module")
def server(external_database: DebianPostgres) -> Iterator[DebianPostgres]:
    """A database of which autovacuum keeps away, and a role with the exporter's rights."""
    extension = bloat.EXTENSION
    external_database.sql(f"CREATE ROLE {_EXPORTER} LOGIN PASSWORD '{_PASSWORD}' IN ROLE pg_monitor")
    external_database.sql(f"CREATE DATABASE {_DATABASE}")
    external_database.sql(f"CREATE EXTENSION {extension['name']} SCHEMA {extension['schema']}", _DATABASE)
    external_database.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC", _DATABASE)
    yield external_database
    external_database.sql(f"DROP DATABASE {_DATABASE} WITH (FORCE)")
    external_database.sql(f"DROP ROLE {_EXPORTER}")


@pytest.fixture
def orders(server: DebianPostgres) -> Iterator[DebianPostgres]:
    """A table of 60,000 rows with two B-trees, one of texts, just written."""
    for statement in (
        "CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL) WITH (autovacuum_enabled = false)",
        "CREATE INDEX orders_customer ON orders (customer)",
        f"INSERT INTO orders SELECT n, repeat(md5(n::text), 3) FROM generate_series(1, {_ROWS}) n",  # noqa: S608 -- a number
        "REINDEX TABLE orders",
        "VACUUM ANALYZE orders",
    ):
        server.sql(statement, _DATABASE)
    yield server
    server.sql("DROP TABLE orders", _DATABASE)


def seen(server: DebianPostgres, query: str) -> dict[str, tuple[float, float]]:
    """Table or index -> bytes and share of it that hold nothing, as the exporter is told."""
    with (
        server.connect(_EXPORTER, _PASSWORD, _DATABASE) as connection,
        connection.transaction(),
    ):
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("SET LOCAL search_path = pg_catalog, public, pg_temp")
        connection.execute("SET LOCAL statement_timeout = '5s'")
        return {row[-3]: (float(row[-2]), float(row[-1])) for row in connection.execute(query).fetchall()}


def shares(server: DebianPostgres) -> dict[str, float]:
    """Table and indexes -> share of them that holds nothing."""
    found = {**seen(server, bloat.OF_TABLES), **seen(server, bloat.OF_INDEXES)}
    return {name: share for name, (_, share) in found.items()}


@pytest.mark.req("C2.4")
def test_a_table_that_was_just_written_and_its_indexes_hold_next_to_no_empty_space(orders: DebianPostgres) -> None:
    found = shares(orders)
    assert set(found) == {"orders", "orders_pkey", "orders_customer"}
    assert max(found.values()) < 0.05, found


@pytest.mark.req("C2.4")
def test_what_deleted_rows_leave_is_seen_before_and_after_vacuum_and_is_gone_once_all_is_written_anew(
    orders: DebianPostgres,
) -> None:
    orders.sql(f"DELETE FROM orders WHERE id > {_ROWS // 4} AND id % 10 > 0", _DATABASE)  # noqa: S608 -- 67.5 %
    assert shares(orders)["orders"] == pytest.approx(0.675, abs=0.05), "dead rows"
    orders.sql("VACUUM ANALYZE orders", _DATABASE)
    found = shares(orders)
    assert found["orders"] == pytest.approx(0.675, abs=0.05), "free space"
    assert found["orders_customer"] == pytest.approx(0.675, abs=0.05)
    assert found["orders_pkey"] == pytest.approx(0.675, abs=0.05)
    orders.sql("REINDEX TABLE CONCURRENTLY orders", _DATABASE)
    found = shares(orders)
    assert found.get("orders_customer", 0) < 0.05, "only the indexes are new"
    assert found["orders"] > 0.6
    orders.sql("VACUUM (FULL, ANALYZE) orders", _DATABASE)
    assert shares(orders)["orders"] < 0.05


@pytest.mark.req("C2.4")
def test_what_updates_leave_is_seen_in_bytes_too(orders: DebianPostgres) -> None:
    (before,) = orders.sql("SELECT pg_relation_size('orders')", _DATABASE)[0]
    for _ in range(2):
        orders.sql("UPDATE orders SET customer = 'new ' || customer", _DATABASE)
    orders.sql("VACUUM ANALYZE orders", _DATABASE)
    (after,) = orders.sql("SELECT pg_relation_size('orders')", _DATABASE)[0]
    empty, share = seen(orders, bloat.OF_TABLES)["orders"]
    assert empty == pytest.approx(after - before, rel=0.1)
    assert share == pytest.approx((after - before) / after, abs=0.05)


def test_space_that_a_fillfactor_keeps_free_is_not_bloat(orders: DebianPostgres) -> None:
    orders.sql("ALTER TABLE orders SET (fillfactor = 50)", _DATABASE)
    orders.sql("ALTER INDEX orders_customer SET (fillfactor = 50)", _DATABASE)
    orders.sql("VACUUM (FULL, ANALYZE) orders", _DATABASE)
    found = shares(orders)
    assert found["orders"] < 0.05
    assert found["orders_customer"] < 0.05


def test_a_table_that_is_written_anew_right_now_keeps_nobody_waiting(orders: DebianPostgres) -> None:
    with orders.connect(SUPERUSER, ADMIN_PASSWORD, _DATABASE) as other, other.transaction():
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        assert shares(orders) == {}
        assert seen(orders, queries.queries()["pg_tables"]["query"]) == {}
    assert "orders" in shares(orders)


def test_the_functions_show_no_row_and_nobody_else_may_run_them(orders: DebianPostgres) -> None:
    with (
        orders.connect(_EXPORTER, _PASSWORD, _DATABASE) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM public.orders")
    orders.sql("CREATE ROLE nobody_special", _DATABASE)
    try:
        asked = "SELECT has_function_privilege('nobody_special', 'pgstattuple_approx(regclass)', 'EXECUTE')"
        assert orders.sql(asked, _DATABASE) == [(False,)]
    finally:
        orders.sql("DROP ROLE nobody_special", _DATABASE)


def test_a_database_without_the_extension_is_left_out(server: DebianPostgres) -> None:
    assert server.sql(bloat.THERE, _DATABASE) == [(True,)]
    assert server.sql(bloat.THERE, "postgres") == [(False,)]
