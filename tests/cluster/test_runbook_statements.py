"""What runbooks tell people to type into psql is what PostgreSQL takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from omnibase_infra.postgres import bloat

from tests.cluster.postgres_kit import DebianPostgres

_RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
_POOLER = "cnpg_pooler_pgbouncer"
_AT_THE_SERVER = re.compile(r'-c postgres -- (?:timeout \d+ )?psql [^"\n]*-c "(?!\.\.\.)([^"]+)"')


def statements() -> dict[str, list[str]]:
    """Page -> the statements of every `psql -c` at a server, in their order."""
    pages = {page.stem: _AT_THE_SERVER.findall(page.read_text()) for page in sorted(_RUNBOOKS.glob("*.md"))}
    return {page: found for page, found in pages.items() if found}


@pytest.fixture(scope="module")
def server(external_database: DebianPostgres) -> Iterator[DebianPostgres]:
    """A server with what the operator makes, and a table."""
    for statement in (
        f"CREATE ROLE {_POOLER} LOGIN",
        "CREATE TABLE public.notes (id bigserial PRIMARY KEY, body text)",
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
