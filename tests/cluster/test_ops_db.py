"""`ops db` and the queries of the exporter against a PostgreSQL of Debian, with the rights that a cluster gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from omnibase_infra.config.databases import EXPLAIN_ROLE, MONITOR_ROLE
from omnibase_infra.postgres import bloat, ops_roles, queries

from local.errors import InputError, LocalError
from ops.db import explain, sessions, slow, top
from ops.db.access import Connection, opened
from tests.cluster.node_kit import wait_for
from tests.cluster.postgres_kit import ADMIN_PASSWORD, SUPERUSER, DebianPostgres

SHOP, APP, OWNER = "shop", "shop_app", "shop_owner"
PASSWORD = "a-password-of-the-roles"
EXPORTER = "cnpg_metrics_exporter"


@pytest.fixture(scope="module")
def shop(external_database: DebianPostgres) -> Iterator[DebianPostgres]:
    """A database as the bootstrap leaves it: PUBLIC may nothing, an application has rows, `ops` has its two roles."""
    server = external_database
    made = [f"CREATE ROLE {OWNER}", f"CREATE ROLE {APP} LOGIN PASSWORD '{PASSWORD}'",
            f"CREATE ROLE {EXPORTER} LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_monitor"]  # fmt: skip
    for role in ops_roles.roles("database"):
        groups = ", ".join(role["inRoles"])
        made.append(f"CREATE ROLE {role['name']} LOGIN NOSUPERUSER PASSWORD '{PASSWORD}' IN ROLE {groups}")
    made += [
        f"CREATE DATABASE {SHOP} OWNER {OWNER}",
        f"REVOKE ALL ON DATABASE {SHOP} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {SHOP} TO {APP}, pg_monitor",
        "CREATE EXTENSION pg_stat_statements",
    ]
    for statement in made:
        server.sql(statement)
    for statement in (
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {APP}",
        "CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL, paid boolean NOT NULL DEFAULT false)",
        "INSERT INTO orders SELECT n, 'customer ' || n FROM generate_series(1, 5000) n",
        "ANALYZE orders",
        f"CREATE EXTENSION {bloat.EXTENSION['name']} SCHEMA {bloat.EXTENSION['schema']}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO {APP}",
    ):
        server.sql(statement, SHOP)
    yield server
    server.sql(f"DROP DATABASE {SHOP} WITH (FORCE)")
    server.sql("DROP EXTENSION pg_stat_statements")
    for role in (OWNER, APP, EXPORTER, *(role["name"] for role in ops_roles.roles("database"))):
        server.sql(f"DROP ROLE {role}")


def as_role(server: DebianPostgres, role: str, database: str = "postgres") -> Any:  # noqa: ANN401 -- a context
    return opened(
        host=server.host, port=server.port, authority=server.ca, role=role, password=PASSWORD, database=database
    )


@pytest.fixture
def monitor(shop: DebianPostgres) -> Iterator[Connection]:
    with as_role(shop, MONITOR_ROLE) as connection:
        yield connection


@pytest.fixture
def planner(shop: DebianPostgres) -> Iterator[Connection]:
    with as_role(shop, EXPLAIN_ROLE, SHOP) as connection:
        yield connection


def app(server: DebianPostgres) -> psycopg.Connection[tuple[Any, ...]]:
    return server.connect(APP, PASSWORD, SHOP)


@pytest.mark.req("C2.4")
def test_top_shows_what_a_statement_costs_and_nothing_that_users_wrote(
    shop: DebianPostgres, monitor: Connection
) -> None:
    with app(shop) as connection:
        for number in range(7):
            connection.execute(f"SELECT count(*) FROM orders WHERE customer = 'Mrs. Secret {number}'")  # noqa: S608
    (found,) = [row for row in top.read_top(monitor, SHOP, top.Order.CALLS, 50) if "customer" in row["statement"]
                and row["role"] == APP]  # fmt: skip
    assert found["statement"] == "SELECT count(*) FROM orders WHERE customer = $1"
    assert (found["database"], found["calls"]) == (SHOP, 7)
    assert found["total_seconds"] > 0
    for order in top.Order:
        assert top.read_top(monitor, SHOP, order, 2) == top.read_top(monitor, SHOP, order, 50)[:2]
        assert {row["database"] for row in top.read_top(monitor, SHOP, order, 50)} == {SHOP}


@pytest.mark.req("C1.4")
def test_a_password_in_a_statement_is_recorded_nowhere(shop: DebianPostgres, monitor: Connection) -> None:
    shop.sql("CREATE ROLE somebody LOGIN PASSWORD 'hunter2-in-a-statement'")
    shop.sql("ALTER ROLE somebody PASSWORD 'hunter2-in-a-statement'")
    shop.sql("DROP ROLE somebody")
    assert "hunter2" not in str(shop.sql("SELECT string_agg(query, ' ') FROM pg_stat_statements"))
    assert "hunter2" not in str(top.read_top(monitor, "", top.Order.CALLS, 1000))


def test_the_role_that_looks_at_statistics_sees_no_row_and_changes_nothing(shop: DebianPostgres) -> None:
    with as_role(shop, MONITOR_ROLE, SHOP) as connection:
        for statement in ("SELECT * FROM public.orders", "DELETE FROM public.orders", "CREATE TABLE public.t ()"):
            with pytest.raises(psycopg.Error, match=r"permission denied|read-only"):
                connection.execute(statement)
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM public.orders")


@pytest.mark.req("C2.4")
def test_a_plan_of_a_recorded_statement_leaves_its_parameters_open(
    shop: DebianPostgres, monitor: Connection, planner: Connection
) -> None:
    with app(shop) as connection:
        connection.execute("SELECT paid FROM orders WHERE id = 17")
    number = next(row["id"] for row in top.read_top(monitor, SHOP, top.Order.CALLS, 1000)
                  if row["statement"] == "SELECT paid FROM orders WHERE id = $1")  # fmt: skip
    found = explain.find(monitor, number, "")
    assert found == {"database": SHOP, "statement": "SELECT paid FROM orders WHERE id = $1"}
    text = explain.read_plan(planner, found["statement"], as_json=False)
    assert "Index Scan using orders_pkey on orders" in text
    assert "$1" in text
    (document,) = explain.read_plan(planner, found["statement"], as_json=True)
    assert document["Plan"]["Node Type"] == "Index Scan"
    with pytest.raises(InputError, match="no statement 42 in shop"):
        explain.find(monitor, "42", SHOP)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "may not be planned: permission denied"),
        ("SELECT * FROM orders FOR UPDATE", "may not be planned: permission denied"),
        ("SELECT 1; DELETE FROM orders", "cannot insert multiple commands"),
        ("SELECT 1; COMMIT; DELETE FROM orders", "cannot insert multiple commands"),
        ("SELECT FROM WHERE", "not one statement that can be planned"),
        ("SELECT nonsense FROM orders", 'column "nonsense" does not exist'),
    ],
)
def test_explain_never_runs_anything(shop: DebianPostgres, planner: Connection, statement: str, complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        explain.read_plan(planner, explain.checked(statement), as_json=False)
    assert shop.sql("SELECT count(*) FROM orders", SHOP) == [(5000,)]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM orders", "ANALYZE SELECT 1", "/* SELECT */ DROP TABLE orders", "", ";"]
)
def test_explain_refuses_what_does_not_read(statement: str) -> None:
    with pytest.raises(InputError, match="is not explained"):
        explain.checked(statement)


def test_planning_ends_when_it_takes_too_long(shop: DebianPostgres) -> None:
    shop.sql(
        "CREATE FUNCTION slow() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN 1; END'",
        SHOP,
    )
    with as_role(shop, EXPLAIN_ROLE, SHOP) as connection:
        connection.execute("SET statement_timeout = '200ms'")
        with pytest.raises(LocalError, match="statement timeout"):
            explain.read_plan(connection, "SELECT slow()", as_json=False)


@pytest.mark.req("C6.2")
def test_sessions_show_for_which_request_somebody_waits_and_who_is_in_the_way(
    shop: DebianPostgres, monitor: Connection
) -> None:
    def wait() -> None:
        with app(shop) as second:
            second.execute("/* correlation_id=request-2 */ UPDATE orders SET paid = true WHERE id = 1")

    with app(shop) as first, first.transaction():
        first.execute("/* correlation_id=request-1 */ UPDATE orders SET customer = 'Mrs. Secret' WHERE id = 1")
        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_for(lambda: any(row["blocked_by"] for row in sessions.read_sessions(monitor, SHOP)), 30,
                 lambda: "somebody waits")  # fmt: skip
        found = sessions.read_sessions(monitor, SHOP)
    waiting.join()
    assert [row["correlation_id"] for row in found] == ["request-1", "request-2"], "the oldest transaction comes first"
    assert found[1]["blocked_by"] == [found[0]["pid"]]
    assert (found[0]["state"], found[1]["waits_for"]) == ("idle in transaction", "Lock:transactionid")
    assert found[0]["statement"] == "UPDATE orders SET customer = ? WHERE id = ?"
    assert sessions.read_sessions(monitor, "nowhere") == []


@pytest.mark.req("C2.4")
@pytest.mark.parametrize("name", queries.queries())
def test_a_query_of_the_exporter_gives_its_columns_within_its_bounds(shop: DebianPostgres, name: str) -> None:
    query = queries.queries()[name]
    database = SHOP if query["target_databases"] == ["*"] else "postgres"
    with psycopg.connect(
        host=shop.host, port=shop.port, user=EXPORTER, password=PASSWORD, dbname=database, sslmode="verify-full",
        sslrootcert=str(shop.directory / "tls" / "ca.crt"), options="-c search_path=pg_catalog,public,pg_temp",
    ) as connection:  # fmt: skip
        connection.execute("SET TRANSACTION READ ONLY")
        if "predicate_query" in query:
            assert connection.execute(query["predicate_query"]).fetchall() == [(True,)]
        cursor = connection.execute(query["query"])
        rows = cursor.fetchall()
    assert [column.name for column in cursor.description or []] == [key for each in query["metrics"] for key in each]
    kinds = [next(iter(each.values()))["usage"] for each in query["metrics"]]
    for row in rows:
        for kind, value in zip(kinds, row, strict=True):
            assert isinstance(value, str) if kind == "LABEL" else float(value) >= -1
    assert len(rows) <= queries.STATEMENTS
    labels = [tuple(value for kind, value in zip(kinds, row, strict=True) if kind == "LABEL") for row in rows]
    assert len(labels) == len(set(labels)), "two series of one name"


def test_a_password_that_is_wrong_is_one_line_with_advice(shop: DebianPostgres) -> None:
    with (
        pytest.raises(LocalError, match="password authentication failed") as caught,
        opened(host=shop.host, port=shop.port, authority=shop.ca, role=MONITOR_ROLE, password=ADMIN_PASSWORD,
               database=SHOP),
    ):  # fmt: skip
        pass
    assert "make up" in caught.value.hint


def test_a_database_that_there_is_not_is_said_with_where_they_are_named(shop: DebianPostgres) -> None:
    with (
        pytest.raises(LocalError, match='database "shoes" does not exist') as caught,
        opened(host=shop.host, port=shop.port, authority=shop.ca, role=SUPERUSER, password=ADMIN_PASSWORD,
               database="shoes"),
    ):  # fmt: skip
        pass
    assert caught.value.hint == "`ops config show postgres.databases` names the databases"


@pytest.mark.req("C2.4")
def test_a_slow_statement_is_reported_with_its_plan_and_its_request_and_without_its_values(
    shop: DebianPostgres,
) -> None:
    with app(shop) as connection:
        connection.execute(
            "/* correlation_id=request-3 */ "
            "SELECT pg_sleep(0.3) FROM orders WHERE customer = 'Mrs. Secret' OR id = 4711"
        )
    wait_for(lambda: "request-3" in shop.log.rpartition("plan:")[2], 30, lambda: "the plan is in the log")
    message = shop.log[shop.log.rindex("duration: ") :].partition("\n20")[0].replace("\n\t", "\n")
    (found,) = slow.report([{"_msg": message, "record.database_name": SHOP}])
    assert found.statement == "SELECT pg_sleep(?) FROM orders WHERE customer = ? OR id = ?"
    assert found.longest_ms >= 300
    assert "(actual rows=" in found.plan, "dev counts rows"
    assert "Filter: ((customer = ?::text) OR (id = ?))" in found.plan
    assert not {"Secret", "4711"} & set(found.plan.replace("(", " ").split())
