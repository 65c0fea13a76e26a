"""`ops db orphans`: prepared transactions that nobody ended, what was decided of them, and their end by that."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from omnibase_infra.config.databases import EXPLAIN_ROLE, MONITOR_ROLE
from omnibase_infra.naming import stack_namespace
from psycopg import Xid
from psycopg.conninfo import make_conninfo
from rich.console import Console

from local import stack as stacks
from local.errors import LocalError
from ops.db.access import Connection, Place, Row, connected, rows, server
from ops.rotate.served import Kubectl, not_started
from ops.rows import print_rows
from ops.status.cluster import cluster_client

ROOT = Path(__file__).resolve().parents[2]
FORMAT = 42
"""Number of our coordinators, services/shared/two_phase.py."""
_NUMBER = re.compile(r"[0-9a-f]{32}")
"""How they call a transaction. Anybody may prepare one under any name, and it becomes part of what a superuser runs: so
only a name that is written as they write it is one of theirs. Base64 may carry anything behind its end."""
PREPARED = """
SELECT gid, database, owner AS role, extract(epoch FROM now() - prepared)::float8 AS age_seconds
FROM pg_prepared_xacts ORDER BY prepared
"""
_DECISION = "SELECT committed FROM public.two_phase_decisions WHERE id = %(id)s"
# A coordinator may have decided since the decision was read; one that decides now is waited for.
_GIVE_UP = """DO $$ BEGIN
  INSERT INTO public.two_phase_decisions (id, committed) VALUES ('{number}', false) ON CONFLICT DO NOTHING;
  IF (SELECT committed FROM public.two_phase_decisions WHERE id = '{number}') THEN
    RAISE EXCEPTION 'it was committed meanwhile; ask again';
  END IF;
EXCEPTION WHEN lock_not_available THEN
  RAISE EXCEPTION 'its coordinator decides just now, and does not come to an end; ask again';
END $$"""
_SECONDS = 60
"""A commit waits for a synchronous standby for as long as there is none."""
_LOCK_SECONDS = 10

Sql = Callable[[str, str], None]
"""Runs statements in a database as superuser: database, statements."""


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """One prepared transaction."""

    gid: str
    database: str
    role: str
    age_seconds: float
    home: str
    """Database with the decision; empty if no coordinator of ours made it."""
    decision: str
    """commit, roll back, undecided (it is rolled back by whoever looks first), or unknown."""
    outcome: str = ""
    """What was done: committed, rolled back, or why not; empty where neither is so."""


def orphans(place: Place, older: float, *, resolve: bool, as_json: bool, console: Console) -> int:
    """Print prepared transactions, and end them if asked to; 1 if any is left.

    Args:
        older: only those that are older, in seconds; younger ones have a coordinator at work.
        resolve: commit or roll back by the decision; those of strangers stay.

    Raises:
        InputError: no such stack or server.
        LocalError: the server cannot be asked.
    """
    with connected(place, MONITOR_ROLE) as connection:
        found = [row for row in rows(connection, PREPARED) if row["age_seconds"] >= older]
    judged = list(judge(found, lambda database: connected(place, EXPLAIN_ROLE, database)))
    if resolve:
        run = _superuser(place)
        judged = [end(orphan, run) for orphan in judged]
    if as_json:
        print(json.dumps([asdict(orphan) for orphan in judged], indent=2))
    else:
        _print(judged, console)
    return 1 if any(orphan.outcome not in ("committed", "rolled back") for orphan in judged) else 0


def judge(found: list[Row], opening: Callable[[str], AbstractContextManager[Connection]]) -> Iterator[Orphan]:
    """Each with its decision, which its home is asked for.

    Args:
        opening: a connection to a database that may read its decisions.
    """
    for row in found:
        xid = Xid.from_string(row["gid"])
        ours = xid.format_id == FORMAT and _NUMBER.fullmatch(xid.gtrid) and str(xid) == row["gid"]
        home = (xid.bqual or "").rpartition(":")[0] if ours else ""
        decision, outcome = "unknown", ""
        if home:
            try:
                with opening(home) as connection:
                    decision = _decided(rows(connection, _DECISION, id=xid.gtrid))
            except LocalError as error:
                outcome = f"left alone: its home does not answer: {error}"
        yield Orphan(home=home, decision=decision, outcome=outcome, **row)


def end(it: Orphan, run: Sql) -> Orphan:
    """Do what was decided. What was not is given up first, so that a coordinator that still lives gives up too."""
    if it.decision == "unknown":
        return it if it.outcome else _with(it, "left alone: nobody of ours made it")
    number = Xid.from_string(it.gid).gtrid
    try:
        if it.decision == "undecided":
            run(it.home, _GIVE_UP.format(number=number))
        verb = "COMMIT" if it.decision == "commit" else "ROLLBACK"
        run(it.database, f"{verb} PREPARED '{it.gid}'")
    except LocalError as error:
        return _with(it, str(error))
    return _with(it, "committed" if it.decision == "commit" else "rolled back")


def _decided(found: list[Row]) -> str:
    if not found:
        return "undecided"
    return "commit" if found[0]["committed"] else "roll back"


def _with(it: Orphan, outcome: str) -> Orphan:
    return Orphan(**{**asdict(it), "outcome": outcome})


def _superuser(place: Place) -> Sql:
    """Only who prepared a transaction may end it, or a superuser: a shell in the primary's pod is one."""
    paths, stack = stacks.paths_of(ROOT, place.stack), stacks.load(ROOT, place.stack)
    space = stack_namespace(place.stack)
    pod = server(cluster_client(paths, stack), space, Place(stack=place.stack, cluster=place.cluster))
    return by_psql([*Kubectl.of(paths, stack).command, "exec", "-n", space, pod, "-c", "postgres", "--", "psql"])


def by_psql(command: Sequence[str]) -> Sql:
    """Statements by a psql that this command starts."""

    def run(database: str, statements: str) -> None:
        place = make_conninfo(dbname=database, options=f"-c lock_timeout={_LOCK_SECONDS}s")
        try:
            ended = subprocess.run(
                [*command, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", place, "-c", statements],
                capture_output=True, text=True, check=False, timeout=_SECONDS,
            )  # fmt: skip
        except OSError as error:
            raise not_started(command[0], error) from error
        except subprocess.TimeoutExpired as error:
            hint = "where a synchronous standby is missing commits wait for it; `ops status` says so. Then ask again"
            raise LocalError(f"no answer within {_SECONDS:g} s", hint=hint) from error
        if ended.returncode != 0:
            raise LocalError(ended.stderr.strip() or f"psql ended with {ended.returncode}")

    return run


def _print(found: list[Orphan], console: Console) -> None:
    if not found:
        console.print("no transaction is in doubt")
        return
    names = ("transaction", "database", "role", "age", "home", "decided", "done")
    cells = [
        (it.gid, it.database, it.role, f"{it.age_seconds:.0f} s", it.home, it.decision, it.outcome) for it in found
    ]
    print_rows(names, cells, console)
