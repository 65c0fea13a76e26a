"""What a database holds, in a few bytes for each table: number of rows, and a sum over all of them in any order."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""
"""Unlogged tables are empty after every recovery, as PostgreSQL promises."""
_SESSION = (
    "SET TimeZone = 'UTC'", "SET DateStyle = 'ISO, YMD'", "SET IntervalStyle = 'postgres'", "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1", "SET search_path = pg_catalog", "SET xmloption = 'content'", "SET row_security = off",
    "SET statement_timeout = 0", "SET idle_in_transaction_session_timeout = 0", "SET lc_monetary = 'C'",
)  # fmt: skip
"""How values become text; two servers must agree on it. Without row_security a policy would hide rows silently."""


class SlowError(RuntimeError):
    """The time of a drill is over, and not all rows are read."""


@dataclass(frozen=True, order=True)
class Table:
    """One table of one database."""

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.name}"


@dataclass(frozen=True)
class Content:
    """What a table holds."""

    rows: int
    checksum: str


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Make the session's texts comparable; once, before any transaction."""
    for statement in _SESSION:
        connection.execute(statement)


def fingerprints(
    connection: psycopg.Connection[Any], database: str, moving: list[int], end: float
) -> dict[Table, Content]:
    """Every table as the connection's transaction sees it.

    Args:
        connection: prepared.
        database: its name, for the result.
        moving: transactions that were under way at the moment to compare. Rows that they made, changed or took are left
            out: whether they count was not yet decided, and on the other side is not seen the same way.
        end: of the time for it, as `time.monotonic` counts.

    Raises:
        SlowError: it is over.
    """
    found = {}
    for schema, name in connection.execute(_TABLES).fetchall():
        # `t.*` and not `t`, which would be the column of a table that has one of that name
        query = sql.SQL(
            "SELECT count(*), coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0)::text FROM {} AS t "
            "WHERE NOT (t.xmin::text = ANY(%(moving)s) OR t.xmax::text = ANY(%(moving)s))"
        ).format(sql.Identifier(schema, name))
        table = Table(database, schema, name)
        _limit(connection, table, end)
        try:
            row = connection.execute(query, {"moving": [str(each) for each in moving]}).fetchone()
        except errors.QueryCanceled as error:
            raise _slow(table, str(error)) from error
        assert row is not None  # noqa: S101  # an aggregate without GROUP BY has one row
        found[table] = Content(int(row[0]), str(row[1]))
    return found


def _limit(connection: psycopg.Connection[Any], table: Table, end: float) -> None:
    """Have the server stop the next statement at the end."""
    left = int(1000 * (end - time.monotonic()))
    if left <= 0:
        raise _slow(table, "it is over")
    connection.execute("SELECT set_config('statement_timeout', %s, false)", [str(left)])


def _slow(table: Table, why: str) -> SlowError:
    return SlowError(f"table {table} was not read in the time of the drill: {why}")


def differences(living: dict[Table, Content], restored: dict[Table, Content]) -> list[str]:
    """Everything that is not the same, one sentence each."""
    found = [f"table {table} is missing in the restored cluster" for table in living if table not in restored]
    found += [f"table {table} is in the restored cluster only" for table in restored if table not in living]
    for table in sorted(set(living) & set(restored)):
        here, there = living[table], restored[table]
        if here.rows != there.rows:
            found.append(f"table {table} has {there.rows} rows restored and {here.rows} alive")
        elif here.checksum != there.checksum:
            found.append(f"table {table} has the same {here.rows} rows in number, but not in content")
    return sorted(found)
