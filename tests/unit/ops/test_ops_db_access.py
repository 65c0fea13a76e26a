"""Which server `ops db` asks, and what it says when it cannot; tables for people."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from psycopg import Xid
from rich.console import Console
from typer.testing import CliRunner

from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.cli import app
from ops.db import access, explain, orphans, sessions, top
from ops.db.access import Connection, Place, _secret, authority_secret, server

STATUS = {"status": {"currentPrimary": "database-2", "instanceNames": ["database-1", "database-2"]}}


class Answering:
    """A connection that has these rows for every statement."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def execute(self, *_: object) -> Answering:
        return self

    def fetchall(self) -> list[dict[str, Any]]:
        return self.rows


class FakeClient:
    """Answers every request with this, or fails with it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def request(self, _method: str, _path: str) -> Any:  # noqa: ANN401 -- a document
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def asked(answer: object, **place: str) -> str:
    return server(cast(Client, FakeClient(answer)), "omnibase-dev", Place(stack="dev", **place))


def refused(status: int) -> ApiError:
    return ApiError(status, {"message": "no"}, "")


def test_the_primary_is_asked_unless_another_server_is_named() -> None:
    assert asked(STATUS) == "database-2"
    assert asked(STATUS, instance="database-1") == "database-1"


def test_a_server_or_a_cluster_that_is_not_there_is_bad_input_and_says_what_there_is() -> None:
    with pytest.raises(InputError, match="no server 'database-9'") as wrong:
        asked(STATUS, instance="database-9")
    assert wrong.value.hint == "there are: database-1, database-2"
    with pytest.raises(InputError, match="no PostgreSQL cluster 'orders' in omnibase-dev") as nowhere:
        asked(refused(404), cluster="orders")
    assert nowhere.value.hint == "kubectl -n omnibase-dev get clusters.postgresql.cnpg.io; `make up` makes them"


def test_a_cluster_that_is_not_there_is_bad_input_with_those_that_are() -> None:
    class Others:
        def request(self, _method: str, path: str) -> dict[str, Any]:
            if path.endswith("/clusters"):
                return {"items": [{"metadata": {"name": name}} for name in ("orders-database", "database")]}
            raise refused(404)

    with pytest.raises(InputError, match="no PostgreSQL cluster 'shoes'") as wrong:
        server(cast(Client, Others()), "omnibase-dev", Place(stack="dev", cluster="shoes"))
    assert wrong.value.hint.startswith("there are: database, orders-database; ")


def test_the_primary_of_now_is_named_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "cluster_client", lambda *_: FakeClient(STATUS))
    assert access.located(Place(stack="dev")) == Place(stack="dev", instance="database-2")


@pytest.mark.parametrize("answer", [refused(403), UnreachableError("gone"), {"status": {}}])
def test_a_cluster_that_cannot_be_asked_is_no_bad_input(answer: object) -> None:
    with pytest.raises(LocalError) as failed:
        asked(answer)
    assert not isinstance(failed.value, InputError)


@pytest.mark.parametrize(
    ("certificates", "secret"),
    [({}, "database-ca"), ({"serverTLSSecret": "database-tls", "serverCASecret": "platform-ca"}, "platform-ca")],
)
def test_servers_are_known_by_the_authority_that_their_cluster_names(certificates: dict[str, str], secret: str) -> None:
    client = cast(Client, FakeClient({**STATUS, "spec": {"certificates": certificates}}))
    assert authority_secret(client, "omnibase-dev", Place(stack="dev")) == secret


def test_a_secret_that_may_not_be_read_is_named_with_what_to_do() -> None:
    for status, hint in ((404, "`make up` makes it"), (403, "ask for the right to read this one Secret")):
        with pytest.raises(LocalError, match="Secret omnibase-dev/database-role-ops-monitor cannot be read") as failed:
            _secret(cast(Client, FakeClient(refused(status))), "omnibase-dev", "database-role-ops-monitor", "password")
        assert failed.value.hint == hint


SESSION = {
    "pid": 7, "database": "shop", "role": "shop_app", "application": "shop", "client": "10.0.0.1", "state": "active",
    "connected_seconds": 12.0, "transaction_seconds": 3.25, "state_seconds": 1.0, "waits_for": "Lock:tuple",
    "blocked_by": [5, 6], "statement": "/* correlation_id=r-1 */ UPDATE a SET b = 'secret'",
}  # fmt: skip
STATEMENT = {
    "id": "-17", "database": "shop", "role": "shop_app", "calls": 3, "total_seconds": 1.5, "mean_ms": 500.0,
    "max_ms": 900.0, "rows": 3, "blocks_hit": 9, "blocks_moved": 4, "io_seconds": 0.1, "statement": "SELECT $1",
}  # fmt: skip
PREPARED = {"gid": "of somebody", "database": "shop", "role": "shop_app", "age_seconds": 70.0}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Rows that the server gives."""
    rows: list[dict[str, Any]] = []

    @contextmanager
    def connected(*_: object) -> Iterator[None]:
        yield None

    monkeypatch.setattr(sessions, "located", lambda place: replace(place, instance=place.instance or "database-2"))
    for module in (sessions, top, orphans):
        monkeypatch.setattr(module, "connected", connected)
        monkeypatch.setattr(module, "rows", lambda *_, **__: rows)
    return rows


def text_of(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_sessions_are_lines_with_request_and_blockers(found: list[dict[str, Any]]) -> None:
    found.append(SESSION)
    console = Console(file=io.StringIO())
    assert sessions.sessions(Place(stack="dev"), "", as_json=False, console=console) == 0
    assert text_of(console).rstrip("\n").split("\t") == [
        "database-2", "7", "shop", "shop_app", "shop", "active", "12.0 s", "3.2 s", "Lock:tuple", "5, 6", "r-1",
        "UPDATE a SET b = ?",
    ]  # fmt: skip


def test_sessions_name_the_server_whose_pids_they_have_and_a_transaction_that_has_none(
    found: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    found.append({**SESSION, "blocked_by": [0, 5]})
    console = Console(file=io.StringIO())
    assert sessions.sessions(Place(stack="dev"), "", as_json=False, console=console) == 0
    assert "\ta prepared transaction (ops db orphans), 5\t" in text_of(console)
    standby = Place(stack="dev", instance="database-1")
    assert sessions.sessions(standby, "", as_json=True, console=console) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["server"], row["pid"], row["blocked_by"]) == ("database-1", 7, [0, 5])


def test_top_is_lines_with_units(found: list[dict[str, Any]]) -> None:
    found.append(STATEMENT)
    console = Console(file=io.StringIO())
    assert top.top(Place(stack="dev"), "", top.Order.TOTAL, 5, as_json=False, console=console) == 0
    assert text_of(console).rstrip("\n").split("\t") == [
        "-17", "shop", "shop_app", "3", "1.50 s", "500.00 ms", "900.0 ms", "3", "4", "SELECT $1",
    ]  # fmt: skip


def test_what_is_in_doubt_ends_with_1_and_what_is_young_is_at_work(
    found: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    found.append(PREPARED)
    console = Console(file=io.StringIO())
    assert orphans.orphans(Place(stack="dev"), 60, resolve=False, as_json=True, console=console) == 1
    assert '"decision": "unknown"' in capsys.readouterr().out
    assert orphans.orphans(Place(stack="dev"), 71, resolve=False, as_json=False, console=console) == 0
    assert text_of(console) == "no transaction is in doubt\n"


@pytest.mark.req("V14")
def test_a_name_that_carries_sql_is_a_strangers_and_runs_nowhere() -> None:
    trap = str(Xid.from_parts(orphans.FORMAT, "x', false); DROP TABLE notes; --", "shop:0"))

    def never(*_: object) -> AbstractContextManager[Connection]:
        raise AssertionError("nobody is asked, and nothing is run")

    (found,) = orphans.judge([{**PREPARED, "gid": trap}], never)
    assert (found.home, found.decision) == ("", "unknown")
    assert orphans.end(found, lambda *_: None).outcome == "left alone: nobody of ours made it"


@pytest.mark.req("V14")
def test_a_name_with_sql_behind_the_end_of_its_number_is_a_strangers() -> None:
    """What decodes Base64 stops at its padding; what a superuser is given is the whole name."""
    ours = str(Xid.from_parts(orphans.FORMAT, uuid.uuid4().hex, "shop:0"))
    number, _, home = ours.rpartition("_")
    trap = f"{number}'; DROP TABLE notes; --_{home}"
    assert Xid.from_string(trap).gtrid == Xid.from_string(ours).gtrid, "it reads as one of ours"

    def never(*_: object) -> AbstractContextManager[Connection]:
        raise AssertionError("nobody is asked")

    (found,) = orphans.judge([{**PREPARED, "gid": trap}], never)
    assert (found.home, found.decision) == ("", "unknown")


@pytest.mark.req("R10")
def test_one_that_gets_no_answer_is_said_and_the_others_are_ended(
    found: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A commit waits for a synchronous standby as long as there is none."""
    for database in ("hangs", "shop"):
        gid = str(Xid.from_parts(orphans.FORMAT, uuid.uuid4().hex, "bank:0"))
        found.append({**PREPARED, "gid": gid, "database": database})

    def asked(_: object, statement: str, **__: object) -> list[dict[str, Any]]:
        return found if statement == orphans.PREPARED else [{"committed": True}]

    psql = ["sh", "-c", 'case "$*" in *dbname=hangs*) exec sleep 60 ;; esac', "psql"]
    monkeypatch.setattr(orphans, "rows", asked)
    monkeypatch.setattr(orphans, "_SECONDS", 2)
    monkeypatch.setattr(orphans, "_superuser", lambda _: orphans.by_psql(psql))
    assert orphans.orphans(Place(stack="dev"), 60, resolve=True, as_json=True, console=Console()) == 1
    hanging, ended = json.loads(capsys.readouterr().out)
    assert hanging["outcome"].startswith("no answer within 2 s\n  -> where a synchronous standby is missing")
    assert ended["outcome"] == "committed"


def test_a_psql_that_is_not_there_is_said_and_a_database_is_never_read_as_an_address() -> None:
    with pytest.raises(LocalError, match="no-such-kubectl cannot be started"):
        orphans.by_psql(["no-such-kubectl"])("shop", "SELECT 1")
    with pytest.raises(LocalError, match="-d dbname=host=elsewhere options="):
        orphans.by_psql(["sh", "-c", 'echo "$*" >&2; exit 1', "psql"])("host=elsewhere", "SELECT 1")


def test_a_home_that_cannot_be_asked_leaves_its_transaction_alone_and_no_other() -> None:
    gids = [str(Xid.from_parts(orphans.FORMAT, uuid.uuid4().hex, f"{home}:0")) for home in ("elsewhere", "shop")]

    @contextmanager
    def opening(database: str) -> Iterator[Connection]:
        if database == "elsewhere":
            raise LocalError('database "elsewhere" does not exist')
        yield cast(Connection, Answering([{"committed": True}]))

    found = list(orphans.judge([{**PREPARED, "gid": gid} for gid in gids], opening))
    ended = [orphans.end(it, lambda *_: None) for it in found]
    said = 'left alone: its home does not answer: database "elsewhere" does not exist'
    assert [(it.decision, it.outcome) for it in ended] == [("unknown", said), ("commit", "committed")]


@pytest.mark.parametrize("number", ["-3693118227649631885", "17"])
def test_a_number_that_is_negative_is_no_option(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def note(_place: Place, what: str, _database: str, *, as_json: bool) -> int:
        given.append(what)
        return 0 if as_json else 1

    monkeypatch.setattr(explain, "explain", note)
    assert CliRunner().invoke(app, ["db", "explain", number, "--json"]).exit_code == 0
    assert given == [number]


def test_a_statement_without_a_database_is_bad_input() -> None:
    with pytest.raises(InputError, match="in which database"):
        explain.explain(Place(stack="dev"), "SELECT 1", "", as_json=False)


def test_the_group_names_its_commands_and_checks_its_options() -> None:
    shown = CliRunner().invoke(app, ["db", "--help"])
    for command in ("sessions", "top", "explain", "slow", "orphans"):
        assert command in shown.output
    assert CliRunner().invoke(app, ["db", "top", "--by", "nonsense"]).exit_code == 2
