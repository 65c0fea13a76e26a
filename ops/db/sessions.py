"""`ops db sessions`: who is connected, since when, for which request, and what each waits for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from omnibase_infra.config.databases import MONITOR_ROLE
from rich.console import Console

from ops.db.access import Connection, Place, Row, connected, located, rows
from ops.db.statements import correlation_id, plain
from ops.rows import print_rows

_SESSIONS = """
SELECT pid, datname AS database, usename AS role, application_name AS application, host(client_addr) AS client, state,
  extract(epoch FROM now() - backend_start)::float8 AS connected_seconds,
  extract(epoch FROM now() - xact_start)::float8 AS transaction_seconds,
  extract(epoch FROM now() - state_change)::float8 AS state_seconds,
  nullif(concat_ws(':', wait_event_type, wait_event), '') AS waits_for,
  pg_blocking_pids(pid) AS blocked_by, query AS statement
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND (%(database)s = '' OR datname = %(database)s)
ORDER BY xact_start NULLS LAST, backend_start
"""
_WIDE = 80
_PREPARED = 0
"""In the place of a PID: a prepared transaction has no session any more."""


def sessions(place: Place, database: str, *, as_json: bool, console: Console) -> int:
    """Print the sessions of a server.

    Args:
        database: only of this one; empty for all.

    Raises:
        InputError: no such stack or server.
        LocalError: the server cannot be asked.
    """
    place = located(place)
    with connected(place, MONITOR_ROLE) as connection:
        found = [{"server": place.instance, **row} for row in read_sessions(connection, database)]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print_rows(
        ("server", "pid", "database", "role", "application", "state", "connected", "transaction", "waits for",
         "blocked by", "correlation id", "statement"),
        [_shown(row) for row in found],
        console,
    )  # fmt: skip
    return 0


def read_sessions(connection: Connection, database: str = "") -> list[Row]:
    """Sessions of clients, the oldest open transaction first. A statement is shown without what users wrote in it."""
    found = rows(connection, _SESSIONS, database=database)
    return [
        {**row, "correlation_id": correlation_id(row["statement"]), "statement": plain(row["statement"])}
        for row in found
    ]


def _shown(row: Row) -> tuple[str, ...]:
    blockers: Sequence[int] = row["blocked_by"]
    return (
        row["server"],
        str(row["pid"]),
        row["database"] or "",
        row["role"] or "",
        row["application"] or "",
        row["state"] or "",
        _seconds(row["connected_seconds"]),
        _seconds(row["transaction_seconds"]),
        row["waits_for"] or "",
        ", ".join(map(_blocker, blockers)),
        row["correlation_id"],
        row["statement"][:_WIDE],
    )


def _blocker(pid: int) -> str:
    return "a prepared transaction (ops db orphans)" if pid == _PREPARED else str(pid)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
