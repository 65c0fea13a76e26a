"""One transaction over three databases of a real PostgreSQL, with everything killed at every point."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.db import orphans
from ops.db.access import Connection as OpsConnection
from ops.db.access import opened, rows
from services.shared.two_phase import DECISIONS, Connection, InDoubtError, TwoPhase
from tests.cluster.node_kit import free_port, wait_for
from tests.cluster.postgres_kit import DebianPostgres
from tests.cluster.standbys_kit import without_standbys
from tests.cluster.two_phase_child import HOME, KILLED, coordinator, transfer

ROOT = Path(__file__).resolve().parents[2]
DATABASES = (HOME, "shop", "stock")
ROLE, PASSWORD = "two_phase_app", "a-password-of-the-test"
POINTS = {
    # before and after each step of the coordinator, and whether the transaction is committed then
    "before tpc_prepare 1": False,
    "after tpc_prepare 1": False,
    "before tpc_prepare 2": False,
    "after tpc_prepare 2": False,
    "before commit 1": False,
    "after commit 1": True,
    "before tpc_commit 1": True,
    "after tpc_commit 1": True,
    "before tpc_commit 2": True,
    "after tpc_commit 2": True,
}


@pytest.fixture(scope="module")
def made(external_database: DebianPostgres) -> Iterator[dict[str, dict[str, Any]]]:
    """Three databases with one table each; the home has the decisions."""
    server = external_database
    server.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    for name in DATABASES:
        server.sql(f"CREATE DATABASE {name} OWNER {ROLE}")
        with server.connect(ROLE, PASSWORD, name) as connection:
            connection.execute("CREATE TABLE entries (id int GENERATED ALWAYS AS IDENTITY, amount int NOT NULL)")
            if name == HOME:
                connection.execute(DECISIONS)
    common = {"host": server.host, "port": server.port, "user": ROLE, "password": PASSWORD, "sslmode": "verify-full",
              "sslrootcert": str(server.directory / "tls" / "ca.crt")}  # fmt: skip
    yield {name: {**common, "dbname": name} for name in DATABASES}
    for name in DATABASES:
        server.sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.sql(f"DROP ROLE {ROLE}")


@pytest.fixture
def connections(external_database: DebianPostgres, made: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The databases without rows, and whatever a test that failed left prepared."""
    yield made
    for gid, name in external_database.sql("SELECT gid, database FROM pg_prepared_xacts"):
        external_database.sql(f"ROLLBACK PREPARED '{gid}'", name)
    for name in DATABASES:
        external_database.sql("TRUNCATE entries", name)


def counts(server: DebianPostgres) -> list[int]:
    return [server.sql("SELECT count(*) FROM entries", name)[0][0] for name in DATABASES]


def prepared(server: DebianPostgres) -> int:
    (row,) = server.sql("SELECT count(*) FROM pg_prepared_xacts")
    return int(row[0])


def recover(connections: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, bool]]:
    return asyncio.run(coordinator(connections).recover(older_than_seconds=0))


@pytest.mark.req("C2.1", "R33")
def test_all_databases_have_the_transaction(external_database: DebianPostgres, connections: dict[str, Any]) -> None:
    asyncio.run(coordinator(connections).run(transfer))
    assert counts(external_database) == [1, 1, 1]
    assert prepared(external_database) == 0
    assert recover(connections) == []


@pytest.mark.req("C2.1", "R33")
@pytest.mark.parametrize("point", POINTS)
def test_whenever_the_coordinator_is_killed_it_is_all_or_nothing(
    external_database: DebianPostgres, connections: dict[str, Any], point: str
) -> None:
    command = [sys.executable, "-m", "tests.cluster.two_phase_child", point, json.dumps(connections)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == KILLED, ended.stderr
    wait_for(lambda: not external_database.sql(f"SELECT FROM pg_stat_activity WHERE usename = '{ROLE}'"), 30,
             lambda: "the server noticed")  # fmt: skip
    ended_by_recovery = recover(connections)
    assert counts(external_database) == ([1, 1, 1] if POINTS[point] else [0, 0, 0])
    assert prepared(external_database) == 0
    assert {committed for _, committed in ended_by_recovery} <= {POINTS[point]}
    assert recover(connections) == [], "nothing is left for another time"


def test_what_was_prepared_survives_the_death_of_the_server(
    external_database: DebianPostgres, connections: dict[str, Any]
) -> None:
    server = external_database
    command = [sys.executable, "-m", "tests.cluster.two_phase_child", "before tpc_commit 1", json.dumps(connections)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert server.process is not None
    server.process.kill()
    server.process.wait(timeout=60)
    wait_for(lambda: not (server.root / "data" / "postmaster.pid").exists() or server_restarts(server), 60,
             lambda: "the server is back")  # fmt: skip
    assert prepared(server) == 2
    ((_, committed),) = recover(connections)
    assert committed
    assert counts(server) == [1, 1, 1]


def test_a_coordinator_of_other_databases_never_forgets_a_decision_that_is_still_needed(
    external_database: DebianPostgres, connections: dict[str, Any]
) -> None:
    """Two services share a home. A database of one of them is away for longer than decisions are kept."""
    mine, others = ({name: connections[name] for name in (HOME, other)} for other in ("stock", "shop"))
    command = [sys.executable, "-m", "tests.cluster.two_phase_child", "before tpc_commit 1", json.dumps(mine)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    external_database.sql("UPDATE two_phase_decisions SET decided_at = now() - interval '2 days'", HOME)
    assert recover(others) == []
    ((_, committed),) = recover(mine)
    assert committed
    assert counts(external_database) == [1, 0, 1]
    external_database.sql("UPDATE two_phase_decisions SET decided_at = now() - interval '2 days'", HOME)
    assert recover(mine) == []
    left = f"SELECT count(*) FROM two_phase_decisions WHERE id LIKE '{coordinator(mine).kind}%'"  # noqa: S608
    assert external_database.sql(left, HOME) == [(0,)], "in the end it is forgotten"


def server_restarts(server: DebianPostgres) -> bool:
    try:
        server.start()
    except AssertionError:  # a child of the killed one still has the memory
        return False
    return True


def test_a_coordinator_that_was_taken_for_dead_gives_up(
    external_database: DebianPostgres, connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery is not told by a clock who is alive: it decides at the home, and who comes later reads that."""
    done = psycopg.AsyncConnection.tpc_prepare
    calls = 0

    async def slow(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        await done(connection)
        if calls == 2:
            await coordinator(connections).recover(older_than_seconds=0)

    monkeypatch.setattr(psycopg.AsyncConnection, "tpc_prepare", slow)
    with pytest.raises(psycopg.errors.UniqueViolation):
        asyncio.run(coordinator(connections).run(transfer))
    assert counts(external_database) == [0, 0, 0]
    assert prepared(external_database) == 0


def test_an_error_in_the_work_leaves_nothing(external_database: DebianPostgres, connections: dict[str, Any]) -> None:
    async def fails(home: Connection, others: Mapping[str, Connection]) -> None:
        await transfer(home, others)
        await others["stock"].execute("INSERT INTO entries (amount) VALUES (NULL)")

    with pytest.raises(psycopg.errors.NotNullViolation):
        asyncio.run(coordinator(connections).run(fails))
    assert counts(external_database) == [0, 0, 0]
    assert prepared(external_database) == 0


def test_a_constraint_that_is_checked_at_the_end_stops_it_in_all(
    external_database: DebianPostgres, connections: dict[str, Any]
) -> None:
    once = "CONSTRAINT once UNIQUE (amount) DEFERRABLE INITIALLY DEFERRED"
    external_database.sql(f"ALTER TABLE entries ADD {once}", "stock")
    asyncio.run(coordinator(connections).run(transfer))
    with pytest.raises(psycopg.errors.UniqueViolation):
        asyncio.run(coordinator(connections).run(transfer))
    external_database.sql("ALTER TABLE entries DROP CONSTRAINT once", "stock")
    assert counts(external_database) == [1, 1, 1]
    assert prepared(external_database) == 0


def test_a_commit_whose_answer_is_lost_is_no_error(
    external_database: DebianPostgres, connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = psycopg.AsyncConnection.commit
    calls = 0

    async def cut(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        await done(connection)
        if calls == 1:
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.AsyncConnection, "commit", cut)
    asyncio.run(coordinator(connections).run(transfer))
    assert counts(external_database) == [1, 1, 1]
    assert prepared(external_database) == 0


def test_it_works_through_a_pooler_of_transactions(
    external_database: DebianPostgres, connections: dict[str, Any]
) -> None:
    """Each step is a transaction of its own for the pooler, and may come to the server on another connection."""
    server, port = external_database, free_port()
    lines = ["[databases]", f"* = host=127.0.0.1 port={server.port} user={ROLE} password={PASSWORD}", "[pgbouncer]",
             "listen_addr = 127.0.0.1", f"listen_port = {port}", "auth_type = any", "pool_mode = transaction",
             "default_pool_size = 2", "server_tls_sslmode = require", "unix_socket_dir ="]  # fmt: skip
    (server.root / "data" / "pgbouncer.ini").write_text("\n".join(lines))
    pooler = server.start_program("/usr/sbin/pgbouncer", "/data/pgbouncer.ini")
    pooled = {name: {"host": "127.0.0.1", "port": port, "user": ROLE, "dbname": name} for name in DATABASES}
    try:
        wait_for(lambda: answers(pooled[HOME]), 30, lambda: "the pooler answers")

        async def many() -> None:
            await asyncio.gather(*(coordinator(pooled).run(transfer) for _ in range(2)))

        for _ in range(5):
            asyncio.run(many())
        command = [sys.executable, "-m", "tests.cluster.two_phase_child", "after tpc_commit 1", json.dumps(pooled)]
        subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
        assert recover(pooled) != []
    finally:
        pooler.terminate()
        pooler.communicate(timeout=60)
    assert counts(server) == [11, 11, 11]
    assert prepared(server) == 0


def answers(settings: dict[str, Any]) -> bool:
    try:
        psycopg.connect(**settings).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.req("C2.1", "R10")
@pytest.mark.parametrize(
    ("point", "decision", "outcome"),
    [("after tpc_prepare 2", "undecided", "rolled back"), ("before tpc_commit 1", "commit", "committed")],
)
def test_an_operator_ends_what_is_in_doubt_by_its_decision(
    external_database: DebianPostgres, connections: dict[str, Any], point: str, decision: str, outcome: str
) -> None:
    command = [sys.executable, "-m", "tests.cluster.two_phase_child", point, json.dumps(connections)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    server = external_database

    def opening(database: str) -> AbstractContextManager[OpsConnection]:
        return opened(host=server.host, port=server.port, authority=server.ca, role=ROLE, password=PASSWORD,
                      database=database)  # fmt: skip

    with opening(HOME) as connection:
        found = list(orphans.judge(rows(connection, orphans.PREPARED), opening))
    assert [(it.database, it.home, it.decision) for it in found] == [(name, HOME, decision) for name in DATABASES[1:]]
    ended = [orphans.end(it, orphans.by_psql(server.psql)) for it in found]
    assert {it.outcome for it in ended} == {outcome}
    assert prepared(server) == 0
    assert counts(server) == ([1, 1, 1] if outcome == "committed" else [0, 0, 0])


@pytest.mark.req("C2.1", "R10")
def test_a_decision_that_does_not_come_to_an_end_is_said_and_kept_for_the_next_time(
    external_database: DebianPostgres, connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator's commit at home waits for a synchronous standby, and holds the row of its decision."""
    command = [sys.executable, "-m", "tests.cluster.two_phase_child", "after tpc_prepare 2", json.dumps(connections)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    server = external_database
    monkeypatch.setattr(orphans, "_LOCK_SECONDS", 1)

    def opening(database: str) -> AbstractContextManager[OpsConnection]:
        return opened(host=server.host, port=server.port, authority=server.ca, role=ROLE, password=PASSWORD,
                      database=database)  # fmt: skip

    def ended() -> list[orphans.Orphan]:
        with opening(HOME) as connection:
            found = list(orphans.judge(rows(connection, orphans.PREPARED), opening))
        return [orphans.end(it, orphans.by_psql(server.psql)) for it in found]

    with opening(HOME) as connection:
        number = psycopg.Xid.from_string(rows(connection, orphans.PREPARED)[0]["gid"]).gtrid
    with server.connect(ROLE, PASSWORD, HOME) as deciding, deciding.transaction():
        deciding.execute("INSERT INTO two_phase_decisions (id, committed) VALUES (%s, true)", [number])
        said = [it.outcome for it in ended()]
    assert len(said) == 2
    assert all("its coordinator decides just now, and does not come to an end; ask again" in each for each in said)
    assert {it.outcome for it in ended()} == {"committed"}
    assert prepared(server) == 0


def test_a_database_is_never_read_as_an_address(external_database: DebianPostgres) -> None:
    """Its name may come from that of a transaction, which anybody chooses; psql takes one with `=` for an address."""
    external_database.sql('CREATE DATABASE "host=elsewhere"')
    try:
        orphans.by_psql(external_database.psql)("host=elsewhere", "SELECT 1")
    finally:
        external_database.sql('DROP DATABASE "host=elsewhere"')


def test_what_strangers_prepared_is_left_alone(external_database: DebianPostgres, connections: dict[str, Any]) -> None:
    server = external_database
    server.sql("BEGIN; INSERT INTO entries (amount) VALUES (1); PREPARE TRANSACTION 'of somebody'", "shop")
    (row,) = server.sql("SELECT gid, database, owner::text, 7.0 FROM pg_prepared_xacts")
    found = dict(zip(("gid", "database", "role", "age_seconds"), row, strict=True))

    def never(_: str) -> AbstractContextManager[OpsConnection]:
        raise AssertionError("no home is asked")

    (it,) = orphans.judge([found], never)
    assert (it.home, it.decision) == ("", "unknown")
    assert orphans.end(it, orphans.by_psql(server.psql)).outcome.startswith("left alone")
    assert prepared(server) == 1
    assert recover(connections) == [], "nor does a coordinator touch it"


def test_what_cannot_be_ended_says_why_in_the_servers_words(external_database: DebianPostgres) -> None:
    gone = orphans.Orphan(
        gid=str(psycopg.Xid.from_parts(orphans.FORMAT, "0" * 32, f"{HOME}:0")), database="postgres", role=ROLE,
        age_seconds=70.0, home=HOME, decision="commit",
    )  # fmt: skip
    said = orphans.end(gone, orphans.by_psql(external_database.psql)).outcome
    assert f'prepared transaction with identifier "{gone.gid}" does not exist' in said


def test_while_the_home_is_away_after_the_others_prepared_nobody_claims_to_know(
    external_database: DebianPostgres, connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = coordinator(connections)
    away = False

    async def home() -> Connection:
        if away:
            raise psycopg.OperationalError("connection refused")
        return await made.home()

    async def lost(connection: Connection) -> None:
        nonlocal away
        away = True
        await connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "commit", lost)
        with pytest.raises(InDoubtError):
            asyncio.run(TwoPhase(home_name=HOME, home=home, others=made.others).run(transfer))
    assert prepared(external_database) == 2
    assert {committed for _, committed in recover(connections)} == {False}
    assert counts(external_database) == [0, 0, 0]


def test_a_database_that_dies_while_it_prepares_holds_up_no_other(
    external_database: DebianPostgres, connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = coordinator(connections)
    done = psycopg.AsyncConnection.tpc_prepare
    dead = False

    async def stock() -> Connection:
        if dead:
            raise psycopg.OperationalError("connection refused")
        return await made.others["stock"]()

    async def dies(connection: Connection) -> None:
        nonlocal dead
        if connection.info.dbname == "stock":
            dead = True
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        await done(connection)

    monkeypatch.setattr(psycopg.AsyncConnection, "tpc_prepare", dies)
    others = {"shop": made.others["shop"], "stock": stock}
    with pytest.raises(psycopg.OperationalError, match="server closed"):
        asyncio.run(TwoPhase(home_name=HOME, home=made.home, others=others).run(transfer))
    assert prepared(external_database) == 0
    assert counts(external_database) == [0, 0, 0]


def test_while_a_database_is_away_the_others_are_ended_and_no_decision_is_forgotten(
    external_database: DebianPostgres, connections: dict[str, Any]
) -> None:
    command = [sys.executable, "-m", "tests.cluster.two_phase_child", "before tpc_commit 1", json.dumps(connections)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    external_database.sql("UPDATE two_phase_decisions SET decided_at = now() - interval '2 days'", HOME)
    made = coordinator(connections)

    async def shop() -> Connection:
        raise psycopg.OperationalError("connection refused")

    without_shop = TwoPhase(home_name=HOME, home=made.home, others={"shop": shop, "stock": made.others["stock"]})
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError, match="connection refused"):
            asyncio.run(without_shop.recover(older_than_seconds=0))
        assert counts(external_database) == [1, 0, 1]
    assert {committed for _, committed in recover(connections)} == {True}
    assert counts(external_database) == [1, 1, 1]


def test_the_first_commit_that_fails_is_not_the_last_that_is_tried(
    external_database: DebianPostgres, connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = psycopg.AsyncConnection.tpc_commit

    async def fails(connection: Connection) -> None:
        if connection.info.dbname == "shop":
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        await done(connection)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "tpc_commit", fails)
        asyncio.run(coordinator(connections).run(transfer))
    assert counts(external_database) == [1, 0, 1]
    assert {committed for _, committed in recover(connections)} == {True}
    assert counts(external_database) == [1, 1, 1]


OTHER_ROLE = "two_phase_other"


@pytest.fixture
def other_role(external_database: DebianPostgres, connections: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Another service with the same home and the same database `stock`, and a role of its own."""
    external_database.sql(f"CREATE ROLE {OTHER_ROLE} LOGIN PASSWORD '{PASSWORD}'")
    grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON two_phase_decisions TO {OTHER_ROLE}"
    external_database.sql(grant, HOME)
    yield {name: {**connections[name], "user": OTHER_ROLE} for name in (HOME, "stock")}
    external_database.sql(f"DROP OWNED BY {OTHER_ROLE}", HOME)
    external_database.sql(f"DROP ROLE {OTHER_ROLE}")


def test_what_another_role_left_is_left_to_it_and_is_in_nobodys_way(
    external_database: DebianPostgres, connections: dict[str, Any], other_role: dict[str, Any]
) -> None:
    server = external_database
    mine = {name: connections[name] for name in (HOME, "stock")}
    command = [sys.executable, "-m", "tests.cluster.two_phase_child", "before tpc_commit 1", json.dumps(mine)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    kind = coordinator(other_role).kind
    assert kind == coordinator(mine).kind
    number = f"{kind}{'0' * 24}"
    with server.connect(OTHER_ROLE, PASSWORD, "stock") as connection:
        gid = psycopg.Xid.from_parts(orphans.FORMAT, number, f"{HOME}:0")
        connection.execute("BEGIN")
        connection.execute(f"PREPARE TRANSACTION '{gid}'")
    server.sql(f"INSERT INTO two_phase_decisions VALUES ('{kind}of a year ago', true)", HOME)  # noqa: S608
    server.sql("UPDATE two_phase_decisions SET decided_at = now() - interval '2 days'", HOME)
    assert recover(other_role) == [(number, False)]
    assert prepared(server) == 1
    assert server.sql("SELECT count(*) FROM two_phase_decisions WHERE id LIKE '%ago'", HOME) == [(0,)]
    ((_, committed),) = recover(mine)
    assert committed, "the other one has not forgotten the decision"
    assert counts(server) == [1, 0, 1]


def test_a_decision_that_no_standby_has_ends_nothing(
    external_database: DebianPostgres, connections: dict[str, Any]
) -> None:
    """The home waits for its standbys; the server of the other databases would have none."""
    server = external_database
    for name in DATABASES[1:]:
        server.sql(f"ALTER DATABASE {name} SET synchronous_commit = local")
    command = [sys.executable, "-m", "tests.cluster.two_phase_child", "before tpc_commit 1", json.dumps(connections)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)

    async def impatient() -> None:
        async with asyncio.timeout(3):
            await coordinator(connections).recover(older_than_seconds=0)

    with without_standbys(server):
        with pytest.raises(TimeoutError):
            asyncio.run(impatient())
        assert prepared(server) == 2
    ((_, committed),) = recover(connections)
    assert committed
    assert counts(server) == [1, 1, 1]
