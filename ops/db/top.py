"""`ops db top`: which statements take the time."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import LiteralString

from omnibase_infra.config.databases import MONITOR_ROLE
from rich.console import Console

from ops.db.access import Connection, Place, Row, connected, rows
from ops.db.statements import plain
from ops.rows import print_rows


class Order(StrEnum):
    """By what statements are compared."""

    TOTAL = "total"
    """Time of all calls: what the server is busy with."""
    MEAN = "mean"
    """Time of one call: what users wait for."""
    CALLS = "calls"
    IO = "io"
    """Blocks that were read or written beyond the cache."""


_TOP = """
SELECT s.queryid::text AS id, d.datname AS database, pg_get_userbyid(s.userid) AS role, sum(s.calls)::int8 AS calls,
  sum(s.total_exec_time) / 1000 AS total_seconds, sum(s.total_exec_time) / greatest(sum(s.calls), 1) AS mean_ms,
  max(s.max_exec_time) AS max_ms, sum(s.rows)::int8 AS rows, sum(s.shared_blks_hit)::int8 AS blocks_hit,
  sum(s.shared_blks_read + s.local_blks_read + s.temp_blks_read + s.temp_blks_written)::int8 AS blocks_moved,
  sum(s.shared_blk_read_time + s.shared_blk_write_time + s.temp_blk_read_time + s.temp_blk_write_time) / 1000
    AS io_seconds,
  min(s.query) AS statement
FROM public.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE s.queryid IS NOT NULL AND (%(database)s = '' OR d.datname = %(database)s)
GROUP BY 1, 2, 3
"""
_COLUMN: dict[Order, LiteralString] = {
    Order.TOTAL: "ORDER BY total_seconds DESC LIMIT %(most)s",
    Order.MEAN: "ORDER BY mean_ms DESC LIMIT %(most)s",
    Order.CALLS: "ORDER BY calls DESC LIMIT %(most)s",
    Order.IO: "ORDER BY blocks_moved DESC, io_seconds DESC LIMIT %(most)s",
}
_WIDE = 100


def top(place: Place, database: str, order: Order, most: int, *, as_json: bool, console: Console) -> int:
    """Print the statements that cost most since the server's statistics were reset.

    Args:
        database: only of this one; empty for all.
        most: how many.

    Raises:
        InputError: no such stack or server.
        LocalError: the server cannot be asked.
    """
    with connected(place, MONITOR_ROLE) as connection:
        found = read_top(connection, database, order, most)
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    names = ("id", "database", "role", "calls", "total", "mean", "longest", "rows", "blocks", "statement")
    print_rows(names, [_shown(row) for row in found], console)
    return 0


def read_top(connection: Connection, database: str, order: Order, most: int) -> list[Row]:
    """Statements with what they cost, without what users wrote in them."""
    found = rows(connection, _TOP + _COLUMN[order], database=database, most=most)
    return [{**row, "statement": plain(row["statement"])} for row in found]


def _shown(row: Row) -> tuple[str, ...]:
    return (
        row["id"],
        row["database"],
        row["role"] or "",
        str(row["calls"]),
        f"{row['total_seconds']:.2f} s",
        f"{row['mean_ms']:.2f} ms",
        f"{row['max_ms']:.1f} ms",
        str(row["rows"]),
        str(row["blocks_moved"]),
        row["statement"][:_WIDE],
    )
