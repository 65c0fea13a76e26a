"""The migration runner, as a program, against a real PostgreSQL."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from omnibase_infra.migrations.runner import down, up

from tests.cluster.migrations_kit import PASSWORD, World, index, pooler, table
from tests.cluster.node_kit import wait_for
from tests.cluster.postgres_kit import DebianPostgres

FAILS = {"0003_wrong.up.sql": "CREATE TABLE half ();\nSELECT nothing FROM a;\n", "0003_wrong.down.sql": "SELECT 1;\n"}
SLOW = "SELECT pg_sleep(120);\n"


@pytest.fixture
def world(external_database: DebianPostgres, tmp_path: Path) -> Iterator[World]:
    made = World(external_database, tmp_path)
    yield made
    made.remove()


def sleeping(world: World, statement: str) -> bool:
    """Whether a runner is in the middle of a statement."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%{}%'"
    )
    return bool(world.server.sql(query.format(statement))[0][0])


def killed(world: World, started: subprocess.Popen[str], statement: str) -> None:
    """Kill a runner as soon as it is in the middle of a statement."""
    wait_for(lambda: sleeping(world, statement), 60, f"the runner runs {statement}")
    started.send_signal(signal.SIGKILL)
    started.communicate(timeout=60)


@pytest.mark.req("C2.3", "R6")
def test_migrate_fail_in_the_middle_mend_go_on_and_roll_back(world: World) -> None:
    world.database("orders", {**table(1, "a"), **table(2, "b"), **FAILS, **table(4, "c")}, required_tables=["c"])
    failed = world.run("up", code=1)
    assert "orders: 0002_b applied in" in failed
    assert 'database orders: 0003_wrong.up.sql:2: column "nothing" does not exist' in failed
    assert world.tables("orders") == ["a", "b"], "what failed is taken back as a whole, and nothing runs behind it"
    shown = world.status("orders", code=1)
    assert (shown["version"], shown["pending"]) == (2, ["0003_wrong", "0004_c"])

    world.write("orders", {"0003_wrong.up.sql": "CREATE TABLE half ();\n"})
    assert world.run("dry-run") == "orders: would run 0003_wrong.up.sql\norders: would run 0004_c.up.sql\n"
    world.run("up")
    assert world.tables("orders") == ["a", "b", "c", "half"]
    assert world.status("orders", command="verify")["complete"] is True
    assert "0 applied" in world.run("up"), "a second run does nothing"

    assert "would run 0004_c.down.sql" in world.run("dry-run", "--to", "1")
    world.write("orders", {"0003_wrong.down.sql": "DROP TABLE half;\n"})
    assert "0003_wrong.down.sql was changed after it was applied" in world.run("down", "--to", "1", code=1)
    world.write("orders", {"0003_wrong.down.sql": FAILS["0003_wrong.down.sql"]})
    world.run("down", "--to", "1")
    assert world.tables("orders") == ["a", "half"], "the way back is the one that was recorded"
    assert world.status("orders", code=1)["version"] == 1
    world.run("down", "--to", "0")
    assert world.status("orders", code=1)["applied"] == []


def test_any_way_up_and_down_leads_to_the_same_schema_and_record(world: World) -> None:
    world.database("orders", {**table(1, "a"), **table(2, "b"), **index(3, "a_id", "a (id)"), **table(4, "c")})
    plan = world.plan()
    seen: dict[int, object] = {}
    here = 0
    for version in (4, 0, 1, 3, 2, 4, 2, 1, 4, 3, 0, 2, 0, 4):
        down(plan, print, version) if version < here else up(plan, print, version)
        here = version
        found = world.schema("orders")
        assert seen.setdefault(version, found) == found, f"version {version} is not what it was"


def test_everything_belongs_to_the_owner_and_the_migrator_alone_may_do_nothing(world: World) -> None:
    world.database("orders", {**table(1, "a", up="SET search_path = pg_catalog; SET ROLE NONE;"), **table(2, "b")})
    world.run("up")
    owners = world.sql("orders", "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    assert owners == [(name, "orders_owner") for name in ("a", "b", "schema_migrations")]
    (row, _) = world.sql("orders", "SELECT name, applied_by, state FROM schema_migrations ORDER BY version")
    assert row == ("0001_a", "orders_migrator", "applied")
    with world.server.connect("orders_migrator", PASSWORD, "orders") as connection:
        for statement in ("SELECT * FROM a", "CREATE TABLE mine ()", "DELETE FROM schema_migrations"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_nobody_but_the_owner_may_change_the_record_whatever_the_default_privileges_are(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.sql("orders", "ALTER DEFAULT PRIVILEGES FOR ROLE orders_owner GRANT ALL ON TABLES TO PUBLIC, pg_monitor")
    world.run("up")
    for role in ("orders_migrator", "pg_monitor"):
        rights = (
            f"has_table_privilege('{role}', %s, 'SELECT'), has_table_privilege('{role}', %s, 'UPDATE, DELETE, INSERT')"
        )
        for name, expected in (("a", (True, True)), ("schema_migrations", (True, False))):
            assert world.sql("orders", f"SELECT {rights % ((repr(name),) * 2)}") == [expected]


@pytest.mark.req("C2.1", "C2.11")
def test_two_databases_run_in_their_order_and_a_runner_killed_in_the_middle_is_resumed(world: World) -> None:
    world.database("a_last", table(1, "z"), after=["first"])
    world.database("first", {**table(1, "x"), **table(2, "y", up=SLOW), **table(3, "w")})
    killed(world, world.start("up"), "pg_sleep")
    assert world.status("first", code=1)["version"] == 1
    assert world.status("a_last", code=1)["version"] == 0, "the second database waits for the first"
    world.write("first", {"0002_y.up.sql": table(2, "y")["0002_y.up.sql"]})
    said = world.run("up")
    lines = [line.rpartition(" in ")[0] for line in said.splitlines() if " applied in " in line]
    assert lines == ["first: 0002_y applied", "first: 0003_w applied", "a_last: 0001_z applied"]
    assert (world.tables("first"), world.tables("a_last")) == (["w", "x", "y"], ["z"])


@pytest.mark.req("C2.1")
def test_a_failure_in_the_first_database_stops_the_second(world: World) -> None:
    world.database("a_last", table(1, "z"), after=["first"])
    world.database("first", {"0001_x.up.sql": "SELECT 1/0;", "0001_x.down.sql": "SELECT 1;"})
    assert "0001_x.up.sql: division by zero" in world.run("up", code=1)
    assert world.tables("a_last") == []


def test_nothing_runs_anywhere_if_one_database_has_drifted(world: World) -> None:
    world.database("first", table(1, "x"))
    world.database("second", table(1, "y"))
    world.run("up")
    world.write("first", table(2, "w"))
    world.write("second", {"0001_y.up.sql": "CREATE TABLE other ();"})
    said = world.run("up", code=1)
    assert "database second: 0001_y.up.sql was changed after it was applied" in said
    assert world.tables("first") == ["x"]


def test_two_runners_at_once_apply_everything_once(world: World) -> None:
    files = {**table(1, "a", up="SELECT pg_sleep(1);"), **table(2, "b", up="SELECT pg_sleep(1);")}
    world.database("orders", files)
    both = [world.start("up"), world.start("up")]
    said = [each.communicate(timeout=120)[1] for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert sorted(text.count(" applied in ") for text in said) == [0, 2], said


def test_a_runner_that_waits_too_long_says_who_holds_the_lock(world: World) -> None:
    world.database("orders", table(1, "a", up=SLOW))
    holder = world.start("up")
    wait_for(lambda: sleeping(world, "pg_sleep"), 60, "the first runner works")
    world.limits["runner_lock"] = 1
    said = world.run("up", code=3)
    assert "another runner was not done after 1 s: orders_migrator (migrations, pid " in said
    assert f"pid {holder.pid} on " in said
    assert world.status("orders", code=1)["version"] == 0, "who only reads does not wait"
    holder.send_signal(signal.SIGTERM)
    assert "what was not complete is taken back" in holder.communicate(timeout=60)[1]
    assert holder.returncode == 130
    wait_for(lambda: not sleeping(world, "pg_sleep"), 10, "the statement has ended")
    assert world.tables("orders") == []


def test_an_index_that_a_killed_runner_left_half_is_built_again(world: World) -> None:
    world.database("orders", {**table(1, "a"), **index(2, "a_id", "a (id)")})
    world.run("up", "--to", "1")
    with world.server.connect("root_admin", "a-password-of-this-test", "orders") as writer, writer.transaction():
        writer.execute("INSERT INTO a VALUES (1)")  # the index waits for this transaction
        started = world.start("up")
        wait_for(lambda: sleeping(world, "INDEX CONCURRENTLY"), 60, "the index is being built")
        assert world.status("orders", code=1)["problems"] == [], "it is not interrupted as long as its runner lives"
        killed(world, started, "INDEX CONCURRENTLY")
        wait_for(lambda: not sleeping(world, "INDEX CONCURRENTLY"), 15, "the server ends the lost runner's statement")
    shown = world.status("orders", code=1)
    assert (shown["version"], shown["applied"][1]["state"]) == (1, "applying")
    assert "0002_a_id was interrupted while applying; `up` finishes it" in shown["problems"][0]
    assert world.sql("orders", "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == [(False,)]
    assert "finish it with `up --to 2` first" in world.run("down", "--to", "0", code=2)
    assert "index a_id is invalid, dropped and built again" in world.run("up")
    assert world.sql("orders", "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == [(True,)]
    assert world.status("orders", command="verify")["complete"] is True
    world.run("down", "--to", "1")
    assert world.tables("orders") == ["a"]


def test_an_index_that_cannot_be_built_leaves_nothing(world: World) -> None:
    world.database("orders", {**table(1, "a", up="INSERT INTO a VALUES (1), (1);"), **index(2, "a_id", "a (id)")})
    said = world.run("up", code=1)
    assert "0002_a_id.up.sql: could not create unique index" in said
    assert "Key (id)=(1) is duplicated" in said
    assert world.tables("orders") == ["a"]
    shown = world.status("orders", code=1)
    assert (shown["version"], shown["pending"], shown["problems"]) == (1, ["0002_a_id"], [])
    world.sql("orders", "DELETE FROM a")
    world.run("up")


def test_an_index_that_an_open_transaction_holds_up_names_its_file_and_stays_for_the_next_try(world: World) -> None:
    world.limits |= {"concurrent": 2, "table_lock": 1}
    world.database("orders", {**table(1, "a"), **index(2, "a_id", "a (id)")})
    world.run("up", "--to", "1")
    with world.server.connect("root_admin", "a-password-of-this-test", "orders") as writer, writer.transaction():
        writer.execute("INSERT INTO a VALUES (1)")
        said = world.run("up", code=1)
    assert "0002_a_id.up.sql: canceling statement due to statement timeout; an older transaction" in said
    assert "0002_a_id.up.sql: canceling statement due to lock timeout" in said, "what is half is not waited for as long"
    assert "half of index a_id stays, and the next try begins with it" in said
    assert world.status("orders", code=1)["applied"][1]["state"] == "applying"
    assert "index a_id is invalid, dropped and built again" in world.run("up")
    assert world.status("orders", command="verify")["complete"] is True


def test_an_index_that_somebody_else_builds_is_waited_for_and_is_not_to_be_dropped(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.run("up")
    begun = "SELECT to_regclass('by_hand') IS NOT NULL"
    with (
        ThreadPoolExecutor(1) as builder,
        world.server.connect("root_admin", "a-password-of-this-test", "orders") as writer,
        writer.transaction(),
    ):
        writer.execute("INSERT INTO a VALUES (1)")  # the index waits for this transaction
        built = builder.submit(world.sql, "orders", "CREATE INDEX CONCURRENTLY by_hand ON a (word)")
        wait_for(lambda: world.sql("orders", begun) == [(True,)], 60, "the index is being built")
        world.run("apply")
        world.write("orders", index(2, "by_hand", "a (id)"))
        assert "index by_hand is being built by server process" in world.run("up", code=1)
    built.result(60)
    assert "index by_hand is there already" in world.run("up", code=1)


def test_an_invalid_index_of_somebody_else_is_named_and_left_alone(world: World) -> None:
    world.database("orders", {**table(1, "a"), **index(2, "a_id", "a (id)")})
    world.run("up", "--to", "1")
    world.sql("orders", "SET ROLE orders_owner; CREATE INDEX a_id ON a (word)")
    world.sql("orders", "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'a_id'::regclass")
    assert "index a_id is there already" in world.run("up", code=1)
    assert "index a_id is invalid; DROP INDEX CONCURRENTLY a_id" in world.run("verify", code=1)
    assert world.tables("orders") == ["a", "a_id"]


def test_a_migration_that_does_not_keep_its_promise_is_taken_back(world: World) -> None:
    world.database("orders", {**table(1, "a"), "0001_a.verify.sql": "SELECT 1 / count(*) FROM a;"})
    said = world.run("up", code=1)
    assert "0001_a.verify.sql: division by zero; what 0001_a promises is not there" in said
    assert world.tables("orders") == []


def test_the_promise_of_an_index_is_kept_too_or_said_by_every_verify(world: World) -> None:
    files = {**table(1, "a"), **index(2, "a_id", "a (id)"), "0002_a_id.verify.sql": "SELECT 1 / count(*) FROM a;"}
    world.database("orders", files)
    broken = "0002_a_id.verify.sql: division by zero; what 0002_a_id promises is not there"
    assert broken in world.run("up", code=1)
    assert world.tables("orders") == ["a", "a_id"], "an index that took hours stays"
    assert broken in world.run("verify", code=1)
    assert broken in world.run("apply", code=1)
    world.sql("orders", "INSERT INTO a VALUES (1)")
    world.run("apply")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("VACUUM a;", "VACUUM cannot run inside a transaction block; each file is one transaction, so it is not for a"),
        ("CREATE EXTENSION pg_stat_statements;", "have it named in the `extensions` of the database"),
    ],
)
def test_what_no_migration_can_do_is_said_with_where_it_belongs(world: World, statement: str, words: str) -> None:
    world.database("orders", {**table(1, "a"), **table(2, "b", up=statement)})
    assert words in world.run("up", code=1)
    assert world.tables("orders") == ["a"]


def test_verify_finds_what_somebody_broke_by_hand(world: World) -> None:
    world.database("orders", {**table(1, "a"), **table(2, "b")}, required_tables=["b"])
    world.run("up")
    world.sql("orders", "ALTER TABLE a DROP COLUMN word; DROP TABLE b")
    problems = world.status("orders", code=1, command="verify")["problems"]
    assert [line.partition(": ")[2] for line in problems] == [
        '0001_a.verify.sql:1: column "word" does not exist; what 0001_a promises is not there',
        '0002_b.verify.sql:1: relation "b" does not exist; what 0002_b promises is not there',
        "required table b is not there; a migration has to make it, or required_tables must not name it",
    ]
    assert world.run("status"), "the record alone does not show it"


def test_verify_queries_change_nothing(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.run("up")
    world.write("orders", {"0001_a.verify.sql": "INSERT INTO a VALUES (1);"})
    assert "cannot execute INSERT in a read-only transaction" in world.run("verify", code=1)
    assert world.sql("orders", "SELECT count(*) FROM a") == [(0,)]


@pytest.mark.req("P6")
def test_the_gate_opens_when_everything_is_there_and_not_before(world: World) -> None:
    world.database("orders", {**table(1, "a"), **table(2, "b")}, required_tables=["a"])
    said = world.run("wait", "--seconds", "2", code=1)
    assert "not applied yet: 0001_a, 0002_b; waited 2 s" in said
    assert "required table a is not there" in said
    waiting = world.start("wait", "--seconds", "100")
    world.run("up")
    assert "everything is applied: orders" in waiting.communicate(timeout=60)[1]
    assert waiting.returncode == 0
    world.write("orders", table(3, "c"))
    world.run("up")
    world.write("orders", dict.fromkeys(table(3, "c")))
    world.run("wait", "--seconds", "2")  # an older program beside a newer schema
    world.write("orders", {"0002_b.up.sql": "SELECT 1;"})
    assert "0002_b.up.sql was changed" in world.run("wait", "--seconds", "1", code=1)


@pytest.mark.req("P6")
@pytest.mark.parametrize("command", ["wait", "up", "status", "verify"])
def test_an_empty_set_is_no_success(world: World, command: str) -> None:
    world.database("orders")
    assert "database orders: there is no migration in" in world.run(command, code=2)


def test_a_statement_that_waits_for_a_lock_gives_up(world: World) -> None:
    change = {"0002_b.up.sql": "ALTER TABLE a ADD COLUMN more int;", "0002_b.down.sql": "SELECT 1;"}
    world.database("orders", {**table(1, "a"), **change})
    world.run("up", "--to", "1")
    with world.server.connect("root_admin", "a-password-of-this-test", "orders") as reader, reader.transaction():
        reader.execute("SELECT * FROM a")
        said = world.run("up", code=1)
    assert "0002_b.up.sql: canceling statement due to lock timeout; somebody holds a lock" in said
    world.run("up")


def test_a_statement_that_takes_too_long_is_ended(world: World) -> None:
    world.limits["statement"] = 1
    world.database("orders", table(1, "a", up=SLOW))
    assert "canceling statement due to statement timeout; limits.statement is too short" in world.run("up", code=1)
    assert world.tables("orders") == []


def test_a_server_that_goes_away_in_the_middle_is_resumed(world: World) -> None:
    world.database("orders", {**table(1, "a"), **table(2, "b", up="SELECT pg_sleep(3);")})
    started = world.start("up")
    wait_for(lambda: sleeping(world, "pg_sleep"), 60, "the runner works")
    world.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3)%' "
                     "AND pid <> pg_backend_pid()")  # fmt: skip
    said = started.communicate(timeout=60)[1]
    assert started.returncode == 3, "the Job tries again by itself"
    assert "the connection is lost; run the same command again" in said
    world.run("up")
    assert world.tables("orders") == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": "nobody_known"}, 'password authentication failed for user "nobody_known"'),
        ({"database": "none_such"}, "make it first: a migration cannot"),
        ({"port": 1}, "no connection to localhost:1 as orders_migrator"),
        ({"host": "127.0.0.1"}, "connection.ca_file and host must be those of the server's certificate"),
        ({"sslmode": "disable", "ca_file": None}, "no encryption; it takes nobody without TLS: connection.sslmode"),
        ({"password_file": "/none/such"}, "connection.password_file /none/such: No such file or directory"),
        ({"ca_file": "/none/such"}, "connection.ca_file /none/such: No such file or directory"),
        ({"password_file": None}, "name connection.password_file"),
        ({"ca_file": None}, "name connection.ca_file, the authority that signs the server's certificate"),
    ],
)
def test_a_database_that_is_not_reached_is_said_with_the_reason(
    world: World, changes: dict[str, object], words: str
) -> None:
    world.database("orders", table(1, "a"))
    world.databases["orders"]["connection"] |= changes
    said = world.run("up", code=1)
    assert words in said
    assert said.startswith("error: database orders: ")
    assert PASSWORD not in said


def test_a_wrong_password_and_a_role_that_may_not_become_the_owner_are_told_apart(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.sql("orders", "REVOKE orders_owner FROM orders_migrator")
    assert "GRANT orders_owner TO orders_migrator" in world.run("up", code=1)
    (world.directory / "password").write_text("another one")
    said = world.run("up", code=1)
    assert "the role's password is another one; connection.password_file is read anew" in said
    assert "another one" not in said.replace("is another one", "")


def test_a_way_through_a_pooler_is_refused(world: World) -> None:
    world.database("orders", table(1, "a"))
    with pooler(world, "orders") as port:
        changes = {"host": "127.0.0.1", "port": port, "sslmode": "disable", "ca_file": None, "password_file": None}
        world.databases["orders"]["connection"] |= changes
        said = world.run("up", code=1)
    assert "is reached through a pooler, where a lock holds nothing; connect to the server itself" in said


def test_a_record_of_another_tool_is_not_touched(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.sql("orders", "SET ROLE orders_owner; CREATE TABLE schema_migrations (migration_id text)")
    assert "table schema_migrations is another tool's" in world.run("up", code=1)
    world.databases["orders"] |= {"tracking_table": "infra_migrations", "id_prefix": "infra:"}
    world.run("up")
    assert world.sql("orders", "SELECT name FROM infra_migrations") == [("infra:0001_a",)]


def test_a_record_without_states_is_taken_over(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.run("up")
    world.sql("orders", "ALTER TABLE schema_migrations DROP COLUMN state")
    assert world.status("orders")["complete"] is True
    world.write("orders", table(2, "b"))
    world.run("up")
    assert world.sql("orders", "SELECT DISTINCT state FROM schema_migrations") == [("applied",)]


@pytest.mark.req("P5")
def test_files_that_are_wrong_stop_everything_before_a_connection(world: World) -> None:
    world.database("first", {**table(1, "a"), "0002_b.down.sql": "DROP TABLE a;"})
    world.database("second", {"0001_b.up.sql": "", "0001_b.down.sql": "SELECT 1;"})
    world.databases["first"]["connection"]["port"] = 1
    said = world.run("up", code=2)
    assert "database first: 0002_b has no up file" in said
    assert "database second: 0001_b.up.sql: holds no statement" in said


def test_a_version_is_of_one_database(world: World) -> None:
    world.database("first", table(1, "a"))
    world.database("second", table(1, "b"))
    for command in ("up", "down", "dry-run"):
        assert "name it with --database, one of first, second" in world.run(command, "--to", "1", code=2)
    world.run("up", "--to", "1", "--database", "second")
    assert (world.tables("first"), world.tables("second")) == ([], ["b"])
    assert json.loads(world.run("dry-run", "--json")) == {"first": ["0001_a.up.sql"], "second": []}
