"""`apply`, which the Job runs: versions that are wanted, rights of roles, and servers that are not ready yet."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from omnibase_infra.migrations import MigrationError
from omnibase_infra.migrations.errors import AGAIN
from omnibase_infra.migrations.runner import apply
from omnibase_infra.migrations.session import Session

from tests.cluster.migrations_kit import World, index, table
from tests.cluster.postgres_kit import DebianPostgres

APP, READER = "orders_app", "orders_reader"
FAILS = {"0002_wrong.up.sql": "CREATE TABLE half ();\nSELECT nothing FROM a;\n", "0002_wrong.down.sql": "SELECT 1;\n"}


@pytest.fixture
def world(external_database: DebianPostgres, tmp_path: Path) -> Iterator[World]:
    made = World(external_database, tmp_path)
    yield made
    made.remove()


@pytest.fixture
def orders(world: World) -> Iterator[World]:
    """A database with one table, and the roles of an application and of a reader."""
    world.database("orders", table(1, "a"), writers=[APP], readers=[READER])
    world.server.sql(f"CREATE ROLE {APP}; CREATE ROLE {READER}")
    yield world
    world.sql("orders", f"DROP OWNED BY {APP}, {READER}")
    world.server.sql(f"DROP ROLE {APP}; DROP ROLE {READER}")


def allowed(world: World, role: str, name: str) -> set[str]:
    """What a role may do with a table."""
    rights = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    asked = ", ".join(f"has_table_privilege('{role}', '{name}', '{right}')" for right in rights)
    (found,) = world.sql("orders", f"SELECT {asked}")
    return {right for right, has in zip(rights, found, strict=True) if has}


def refused(world: World, role: str, statement: str) -> str:
    """What the server answers to a statement of a role."""
    with pytest.raises(psycopg.Error) as raised:
        world.sql("orders", f"SET ROLE {role}; {statement}")
    return str(raised.value)


@pytest.mark.req("C2.3", "R6")
def test_a_wanted_version_is_reached_from_below_and_from_above(world: World) -> None:
    world.database("orders", {**table(1, "a"), **table(2, "b"), **table(3, "c")}, required_tables=["c"])
    world.run("apply")
    assert world.tables("orders") == ["a", "b", "c"]
    world.databases["orders"]["target_version"] = 1
    shown = world.status("orders", code=1)
    assert shown["problems"] == [
        "database orders: is at version 3, above target_version 1; `apply` takes it back",
    ]
    assert world.run("dry-run") == "orders: would run 0003_c.down.sql\norders: would run 0002_b.down.sql\n"
    assert "orders: version 1, 2 taken back" in world.run("apply")
    assert world.tables("orders") == ["a"]
    assert world.status("orders")["complete"] is True, "what is above the wanted version is not missing"
    world.run("wait", "--seconds", "5")
    world.databases["orders"]["target_version"] = 2
    assert world.run("dry-run") == "orders: would run 0002_b.up.sql\n", "and not the third"
    assert "orders: version 2, 1 applied" in world.run("apply")
    world.databases["orders"]["target_version"] = 0
    world.run("apply")
    assert world.tables("orders") == []


@pytest.mark.req("C2.3")
def test_what_was_interrupted_above_the_wanted_version_is_finished_by_the_command_that_is_told(world: World) -> None:
    world.database("orders", {**table(1, "a"), **index(2, "a_id", "a (id)")})
    world.run("apply")
    world.sql("orders", "UPDATE schema_migrations SET state = 'applying' WHERE version = 2")
    world.databases["orders"]["target_version"] = 1
    told = "database orders: 0002_a_id was interrupted while applying; `up --to 2` finishes it"
    assert world.status("orders", code=1)["problems"] == [told]
    assert told in world.run("up", code=1)
    assert "finish it with `up --to 2` first" in world.run("apply", code=2)
    world.run("up", "--to", "2")
    above = "database orders: is at version 2, above target_version 1; `apply` takes it back"
    assert world.status("orders", code=1)["problems"] == [above]
    world.run("apply")
    assert world.tables("orders") == ["a"]


@pytest.mark.req("C2.3")
def test_a_wanted_version_that_there_is_not_stops_everything_before_it_begins(world: World) -> None:
    world.database("first", table(1, "x"))
    world.database("orders", table(1, "a"), target_version=4)
    assert "database orders: there is no version 4; known are 0 to 1" in world.run("apply", code=2)
    assert world.tables("first") == []


@pytest.mark.req("C2.11")
def test_what_goes_back_goes_back_in_the_opposite_order_and_before_anything_goes_on(world: World) -> None:
    world.database("base", {**table(1, "x"), **table(2, "y")})
    world.database("upon", {**table(1, "z"), **table(2, "w")}, after=["base"])
    world.database("apart", table(1, "v"))
    world.run("apply")
    for name in ("base", "upon"):
        world.databases[name]["target_version"] = 1
    world.write("apart", table(2, "u"))
    planned = [line.split(" would run ") for line in world.run("dry-run").splitlines()]
    assert planned == [["upon:", "0002_w.down.sql"], ["base:", "0002_y.down.sql"], ["apart:", "0002_u.up.sql"]]
    lines = [line.split(" in ")[0] for line in world.run("apply").splitlines() if " in " in line]
    assert lines == ["upon: 0002_w taken back", "base: 0002_y taken back", "apart: 0002_u applied"]


@pytest.mark.req("P5")
def test_without_a_wanted_version_no_way_back_is_ever_run(world: World) -> None:
    world.database("orders", {**table(1, "a"), "0002_b.up.sql": "SELECT 1;", "0002_b.down.sql": "DROP TABLE a;"})
    world.run("apply")
    world.run("apply")
    assert world.tables("orders") == ["a"]


@pytest.mark.req("C2.3")
def test_what_failed_in_the_middle_is_taken_up_where_it_stopped(world: World) -> None:
    world.database("orders", {**table(1, "a"), **FAILS, **table(3, "c")})
    said = world.run("apply", code=1)
    assert said.splitlines()[-1] == 'error: database orders: 0002_wrong.up.sql:2: column "nothing" does not exist'
    world.write("orders", {"0002_wrong.up.sql": "CREATE TABLE half ();\n"})
    said = world.run("apply")
    assert "0001_a" not in said
    assert world.tables("orders") == ["a", "c", "half"]


@pytest.mark.req("C2.1", "V14")
def test_roles_get_their_rights_before_the_first_file_and_nobody_else_gets_any(orders: World) -> None:
    assert f"orders: rights given to {APP}, {READER}" in orders.run("apply")
    assert allowed(orders, APP, "a") == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert allowed(orders, READER, "a") == {"SELECT"}
    assert allowed(orders, APP, "schema_migrations") == allowed(orders, READER, "schema_migrations") == {"SELECT"}
    for role in (APP, READER):
        assert "permission denied for schema public" in refused(orders, role, "CREATE TABLE mine ()")
        assert "must be owner of table a" in refused(orders, role, "DROP TABLE a")
    assert orders.sql("orders", "SELECT has_database_privilege('public', 'orders', 'CONNECT')") == [(False,)]
    assert orders.sql("orders", "SELECT has_database_privilege('pg_monitor', 'orders', 'CONNECT')") == [(True,)]
    assert "rights given" not in orders.run("apply"), "once is enough"


def test_a_role_that_comes_later_gets_what_is_there_and_another_is_left_as_migrations_made_it(orders: World) -> None:
    orders.databases["orders"]["readers"] = []
    orders.write("orders", table(2, "b", up=f"REVOKE DELETE ON b FROM {APP};"))
    orders.run("apply")
    orders.databases["orders"]["readers"] = [READER]
    orders.run("apply")
    assert allowed(orders, READER, "a") == allowed(orders, READER, "schema_migrations") == {"SELECT"}
    assert allowed(orders, APP, "b") == {"SELECT", "INSERT", "UPDATE"}


@pytest.mark.req("C2.1")
def test_a_reader_that_writes_from_now_on_may_write_into_what_is_there_already(orders: World) -> None:
    orders.write("orders", table(2, "b", up=f"REVOKE DELETE ON b FROM {APP}; REVOKE ALL ON b FROM {READER};"))
    orders.run("apply")
    orders.databases["orders"] |= {"writers": [APP, READER], "readers": []}
    problems = orders.status("orders", command="verify", code=1)["problems"]
    assert f"database orders: {READER} gets no INSERT on new tables" in problems
    orders.run("apply")
    assert allowed(orders, READER, "a") == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert allowed(orders, READER, "b") == {"INSERT", "UPDATE", "DELETE"}, "what a migration took stays taken"
    assert allowed(orders, APP, "b") == {"SELECT", "INSERT", "UPDATE"}
    assert allowed(orders, READER, "schema_migrations") == {"SELECT"}


@pytest.mark.parametrize("recorded", [False, True])
def test_a_connection_that_ends_before_a_commit_is_tried_again(
    orders: World, monkeypatch: pytest.MonkeyPatch, *, recorded: bool
) -> None:
    if recorded:  # then it is the commit of the rights, otherwise that of the record
        roles = {role: orders.databases["orders"].pop(role) for role in ("writers", "readers")}
        orders.run("apply")
        orders.databases["orders"] |= roles

    def end(session: Session) -> None:
        ((process,),) = session.ask("SELECT pg_backend_pid()")
        orders.server.sql(f"SELECT pg_terminate_backend({process}, 10000)")

    with monkeypatch.context() as changed:
        changed.setattr(Session, "hide_record", end)
        with pytest.raises(MigrationError, match=r"^database orders: .*; run the same command again$") as raised:
            apply(orders.plan(), print)
    assert raised.value.exit_code == AGAIN
    orders.run("apply")
    assert allowed(orders, APP, "a") == {"SELECT", "INSERT", "UPDATE", "DELETE"}


@pytest.mark.req("C2.3")
@pytest.mark.parametrize(
    ("by_hand", "words", "mended"),
    [
        ("GRANT CONNECT ON DATABASE orders TO PUBLIC", "PUBLIC has CONNECT on the database", True),
        ("GRANT USAGE ON SCHEMA public TO PUBLIC", "PUBLIC has USAGE on schema public", True),
        (f"GRANT CREATE ON SCHEMA public TO {APP}", f"{APP} may make objects in schema public", True),
        (f"REVOKE USAGE ON SCHEMA public FROM {APP}", f"{APP} may not use schema public", True),
        (f"GRANT INSERT ON a TO {READER}", f"{READER} may change a", False),
        (f"GRANT orders_owner TO {APP}", f"{APP} is a member of the owner", False),
        (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE orders_owner IN SCHEMA public REVOKE INSERT ON TABLES FROM {APP}",
            f"{APP} gets no INSERT on new tables",
            True,
        ),
    ],
)
def test_rights_changed_by_hand_are_told_by_verify_and_mended_or_refused_by_apply(
    orders: World, by_hand: str, words: str, mended: bool
) -> None:
    orders.run("apply")
    assert orders.status("orders", command="verify")["problems"] == []
    orders.sql("orders", by_hand)
    assert f"database orders: {words}" in orders.status("orders", command="verify", code=1)["problems"]
    said = orders.run("apply", code=0 if mended else 1)
    assert mended or f"error: database orders: {words}" in said
    if not mended:  # the owner could not be dropped while somebody is its member
        orders.sql("orders", f"REVOKE orders_owner FROM {APP}; REVOKE INSERT ON a FROM {READER}")


@pytest.mark.req("C2.3")
def test_a_server_that_does_not_know_the_migrator_yet_is_asked_again_for_so_long(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.limits["reach"] = 60
    for change in ("ALTER ROLE orders_migrator NOLOGIN", "REVOKE orders_owner FROM orders_migrator"):
        world.server.sql(change)
    started = world.start("apply")
    with pytest.raises(subprocess.TimeoutExpired):
        started.wait(5)
    world.server.sql("ALTER ROLE orders_migrator LOGIN")
    with pytest.raises(subprocess.TimeoutExpired):
        started.wait(2)
    world.server.sql("GRANT orders_owner TO orders_migrator WITH INHERIT FALSE, SET TRUE")
    out, said = started.communicate(timeout=60)
    assert started.returncode == 0, out + said
    assert world.tables("orders") == ["a"]


def test_a_role_that_never_comes_is_named_with_how_long_it_was_waited_for(world: World) -> None:
    world.database("orders", table(1, "a"), readers=["nobody_of_this_name"])
    world.limits["reach"] = 2
    said = world.run("apply", code=1)
    assert "database orders: there is no role nobody_of_this_name" in said
    assert "tried for 2 s" in said


def test_a_migrator_that_may_not_connect_is_told_what_to_grant(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.sql("orders", "REVOKE CONNECT ON DATABASE orders FROM orders_migrator")
    assert "GRANT CONNECT ON DATABASE orders TO orders_migrator" in world.run("apply", code=1)
