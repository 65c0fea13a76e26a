"""What runbooks tell people to type into psql is what PostgreSQL takes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from omnibase_infra.postgres import bloat

from tests.cluster.postgres_kit import DebianPostgres

_RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
_POOLER = "cnpg_pooler_pgbouncer"
_AT_THE_SERVER = re.compile(r'-c postgres -- (?:timeout \d+ )?psql [^"\n]*-c "(?!\.\.\.)([^"]+)"')
_BETWEEN = re.compile(r"^ *(sed .*) table\.sql \|", re.MULTILINE)
"""What is done with the dump of a table on its way."""


def statements() -> dict[str, list[str]]:
    """Page -> the statements of every `psql -c` at a server, in their order."""
    pages = {page.stem: _AT_THE_SERVER.findall(page.read_text()) for page in sorted(_RUNBOOKS.glob("*.md"))}
    return {page: found for page, found in pages.items() if found}


@pytest.fixture(scope="module")
def server(external_database: DebianPostgres) -> Iterator[DebianPostgres]:
    """A server with what the operator makes, and a table."""
    for statement in (
        f"CREATE ROLE {_POOLER} LOGIN",
        "CREATE TABLE public.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)",
        "INSERT INTO public.notes (body) VALUES ('a row')",
        f"CREATE EXTENSION {bloat.EXTENSION['name']} SCHEMA {bloat.EXTENSION['schema']}",
    ):
        external_database.sql(statement)
    yield external_database
    for statement in (
        "DROP SCHEMA IF EXISTS rescue CASCADE",
        "DROP TABLE public.notes",
        f"DROP EXTENSION {bloat.EXTENSION['name']}",
        f"REVOKE CONNECT ON DATABASE postgres FROM {_POOLER}",
        f"DROP ROLE {_POOLER}",
    ):
        external_database.sql(statement)


def program(server: DebianPostgres, name: str, *words: str, given: str = "") -> str:
    """What a program beside the server prints, as a superuser."""
    command = [word.removesuffix("psql") + name if word.endswith("/psql") else word for word in server.psql]
    done = subprocess.run([*command, *words], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_many_runbooks_have_statements() -> None:
    assert len(statements()) >= 10


@pytest.mark.req("R10")
@pytest.mark.parametrize(("page", "found"), statements().items(), ids=list(statements()))
def test_the_statements_of_a_runbook_run_one_after_the_other(
    server: DebianPostgres, page: str, found: list[str]
) -> None:
    for statement in found:
        known = statement.replace("PID", "0").replace("TABLE_NAME", "notes").replace("INDEX_NAME", "notes_pkey")
        server.sql(known)


@pytest.mark.req("R10")
def test_the_rows_of_a_backup_come_back_and_the_numbers_of_the_living_table_go_on(server: DebianPostgres) -> None:
    _, beside, *rest = (each.replace("TABLE_NAME", "notes") for each in statements()["restore-table"])
    (change,) = _BETWEEN.findall((_RUNBOOKS / "restore-table.md").read_text())
    server.sql("DROP SCHEMA IF EXISTS rescue CASCADE")
    server.sql("TRUNCATE public.notes RESTART IDENTITY")
    server.sql("INSERT INTO public.notes (body) VALUES ('kept'), ('lost')")
    dump = program(server, "pg_dump", "--data-only", "--table", "public.notes")
    server.sql("DELETE FROM public.notes WHERE body = 'lost'")
    server.sql("INSERT INTO public.notes (body) VALUES ('since')")
    number = "SELECT last_value FROM public.notes_id_seq"
    before = server.sql(number)

    server.sql(beside)
    changed = subprocess.run(["sh", "-c", change], input=dump, capture_output=True, text=True, check=True).stdout
    program(server, "psql", "-v", "ON_ERROR_STOP=1", given=changed)
    assert server.sql(number) == before == [(3,)]
    server.sql("INSERT INTO public.notes (body) VALUES ('meanwhile')")
    for statement in rest:
        server.sql(statement)
    server.sql("INSERT INTO public.notes (body) VALUES ('afterwards')")

    found = [body for (body,) in server.sql("SELECT body FROM public.notes ORDER BY id")]
    assert found == ["kept", "lost", "since", "meanwhile", "afterwards"]
    assert server.sql("SELECT to_regnamespace('rescue')") == [(None,)]
