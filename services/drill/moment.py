"""What all databases of a living cluster hold at one position of its log, so that a restore to it can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from services.drill.fingerprint import Content, Table, fingerprints, prepare

Connect = Callable[[str], psycopg.Connection[Any]]
"""Database -> a connection in autocommit."""
_POSITION = "SELECT pg_current_wal_insert_lsn()"
_PAUSE = 0.05
_UNDER_WAY = """
SELECT DISTINCT transactionid::text::bigint FROM pg_locks
WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted ORDER BY 1
"""
"""Transactions that are not over, with their parts. A commit may stand in the log already while a snapshot still takes
its transaction for unfinished, and of those that are newer than the last finished one a snapshot has no list."""
_SNAPSHOT = "SELECT pg_current_snapshot()"


class BusyError(RuntimeError):
    """The cluster wrote at every moment at which it was asked."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A position in the log and what was there."""

    lsn: str
    segment: str
    """File of the log with the record after the position: the last that a restore needs."""
    moving: list[int]
    """Transactions that were under way."""
    contents: dict[Table, Content]


def living(connect: Connect, databases: tuple[str, ...], patience: float, end: float) -> Moment:
    """Read all databases of the primary at one moment.

    A snapshot has no position in the log. Where nothing at all was written between the question for the position before
    and the one after, that position is the snapshot's. Afterwards a message is written, for two reasons: a recovery
    stops only before a record that is there, and a log without news is not archived.

    Args:
        connect: to the primary.
        databases: all that are compared.
        patience: seconds to look for such a moment.
        end: of the time to read in, as `time.monotonic` counts.

    Raises:
        BusyError: there was none.
        SlowError: the time is over.
    """
    with connect(databases[0]) as observer:
        with (
            _snapshots(connect, databases, observer, patience) as (sessions, lsn, moving),
            # A server ends transactions that wait, so all databases are read at once.
            ThreadPoolExecutor(len(sessions)) as pool,
        ):
            work = [pool.submit(fingerprints, session, name, moving, end) for name, session in sessions.items()]
            contents = {table: content for each in work for table, content in each.result().items()}
        segment = _one(observer, "SELECT pg_walfile_name(pg_logical_emit_message(true, 'omnibase-drill', 'moment'))")
    return Moment(lsn=lsn, segment=segment, moving=moving, contents=contents)


@contextmanager
def _snapshots(
    connect: Connect, databases: tuple[str, ...], observer: psycopg.Connection[Any], patience: float
) -> Iterator[tuple[dict[str, psycopg.Connection[Any]], str, list[int]]]:
    with ExitStack() as stack:
        sessions = {name: stack.enter_context(connect(name)) for name in databases}
        for session in sessions.values():
            prepare(session)
        end, calm_end = time.monotonic() + patience, time.monotonic() + patience / 2
        while time.monotonic() < end:
            before = _one(observer, _POSITION)
            moving = [int(row[0]) for row in observer.execute(_UNDER_WAY).fetchall()]
            for session in sessions.values():
                session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                session.execute(_SNAPSHOT).fetchall()
            # at first only a moment without any writer will do; of a locked row's several lockers no number tells
            if _one(observer, _POSITION) == before and (not moving or time.monotonic() > calm_end):
                yield sessions, before, moving
                return
            for session in sessions.values():
                session.execute("ROLLBACK")
            time.sleep(_PAUSE)
    raise BusyError(
        f"the cluster wrote without a pause for {patience:.0f} s, so no moment could be compared; the backups are not "
        "to blame: run the drill when there is less to do"
    )


def _one(connection: psycopg.Connection[Any], query: str) -> str:
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else ""
