"""`ops db explain`: how the server would answer a statement, without running it.

Four things keep it from changing anything, each enough alone: EXPLAIN without ANALYZE plans only; the role has no right
to write; the transaction is read-only; and the server parsed it as one statement, so nothing can follow.
"""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
from omnibase_infra.config.databases import EXPLAIN_ROLE, MONITOR_ROLE
from psycopg.pq import ExecStatus

from local.errors import InputError, LocalError
from ops.db.access import Connection, Place, Row, connected, rows
from ops.db.statements import plain

_ID = re.compile(r"-?\d{1,20}")
_READS = ("select", "with", "values", "table")
_LONGEST = 100_000
_FIND = """
SELECT d.datname AS database, s.query AS statement FROM public.pg_stat_statements s
JOIN pg_database d ON d.oid = s.dbid
WHERE s.queryid = %(id)s::int8 AND (%(database)s = '' OR d.datname = %(database)s)
ORDER BY s.total_exec_time DESC LIMIT 1
"""
_WRITES_HINT = "the plan of a statement that writes is in the log when it was slow: `ops db slow`"


def explain(place: Place, what: str, database: str, *, as_json: bool) -> int:
    """Print the plan of a statement.

    Args:
        what: its number in `ops db top`, or a statement that reads.
        database: where; with a number, empty for the one in which it took most time.

    Raises:
        InputError: no such stack, server or statement, or one that writes.
        LocalError: the server cannot be asked, or cannot plan it.
    """
    if _ID.fullmatch(what):
        with connected(place, MONITOR_ROLE) as connection:
            found = find(connection, what, database)
    else:
        found = {"database": _named(database), "statement": what}
    statement = checked(str(found["statement"]))
    with connected(place, EXPLAIN_ROLE, found["database"]) as connection:
        plan = read_plan(connection, statement, as_json=as_json)
    if as_json:
        print(json.dumps({"database": found["database"], "statement": plain(statement), "plan": plan}, indent=2))
    else:
        print(f"{plain(statement)}\n\n{plan}")
    return 0


def find(connection: Connection, number: str, database: str) -> Row:
    """Database and text of a statement that was recorded.

    Raises:
        InputError: none has this number.
    """
    found = rows(connection, _FIND, id=number, database=database)
    if not found:
        where = f" in {database}" if database else ""
        raise InputError(f"no statement {number}{where} is recorded on this server", hint="`ops db top` shows numbers")
    return found[0]


def checked(statement: str) -> str:
    """The statement, if it can be one that reads.

    Raises:
        InputError: it begins with another word, or is longer than anybody writes.
    """
    words = plain(statement).lower().lstrip("( ").split()
    if not words or words[0] not in _READS:
        raise InputError(f"a statement that begins with {words[0] if words else 'nothing'!r} is not explained",
                         hint=_WRITES_HINT)  # fmt: skip
    if len(statement) > _LONGEST:
        raise InputError(f"the statement has {len(statement)} characters, at most {_LONGEST} are taken")
    return statement


def read_plan(connection: Connection, statement: str, *, as_json: bool) -> Any:  # noqa: ANN401 -- a text or a document
    """The plan with parameters left open, as text or as PostgreSQL's JSON.

    Raises:
        InputError: it would write, or is not one statement.
        LocalError: the server cannot plan it.
    """
    form = "JSON" if as_json else "TEXT"
    text = f"EXPLAIN (GENERIC_PLAN, SETTINGS, FORMAT {form}) {statement}"
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION READ ONLY")
            _parse(connection, statement)
            found = connection.execute(text).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise InputError(f"it may not be planned: {error.diag.message_primary}", hint=_WRITES_HINT) from error
    except psycopg.errors.SyntaxError as error:
        hint = "a number's text has $1 where values were; some places take no parameter: give the statement with values"
        raise InputError(f"it is not one statement that can be planned: {error.diag.message_primary}",
                         hint=hint) from error  # fmt: skip
    except psycopg.Error as error:
        raise LocalError(f"it cannot be planned: {error.diag.message_primary or error}") from error
    lines = [next(iter(row.values())) for row in found]
    return lines[0] if as_json else "\n".join(lines)


def _parse(connection: Connection, statement: str) -> None:
    """Have the server parse it in the protocol that takes one statement: what is explained is sent in the other one,
    as only that leaves parameters open."""
    result = connection.pgconn.prepare(b"", statement.encode())
    if result.status != ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)


def _named(database: str) -> str:
    if not database:
        raise InputError("in which database? give --database", hint="`ops status` and `ops db top` name them")
    return database
