"""`ops db slow`: which statements were slow, how often, and with which plans, from PostgreSQL's log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from omnibase_infra.naming import stack_namespace

from local import stack as stacks
from ops.db.access import Place, declared
from ops.db.statements import plain, plain_plan
from ops.logs import MOST, asker, cut
from ops.logs.lines import Line, read_lines
from ops.logs.query import question
from ops.markdown import table
from ops.status.cluster import cluster_client

ROOT = Path(__file__).resolve().parents[2]
_DURATION = re.compile(
    r"duration: (?P<ms>[0-9.]+) ms  (?P<kind>plan|statement|execute|fetch)[^:\n]*:\s*(?P<text>.*)", re.DOTALL
)
_PLAN = re.compile(r"Query Text: (?P<statement>.*?)\n(?P<plan>[A-Z][^\n]*\(cost=.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Slow:
    """One statement that was slow, with all its slow runs."""

    database: str
    statement: str
    """Without what users wrote."""
    runs: int
    total_ms: float
    longest_ms: float
    last: str
    """When the last of them ended, RFC 3339."""
    correlation_id: str
    """Of the request of the longest run; empty if it had none."""
    plan: str
    """Of the longest run; empty for a statement without one."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was slow, of how far back."""

    since: str
    """How far back was asked for."""
    counted_since: str
    """Time of the oldest line that was counted, RFC 3339, where the store has more than it gives; else empty."""
    statements: list[Slow]


@dataclass(frozen=True, kw_only=True)
class _Run:
    database: str
    statement: str
    ms: float
    time: str
    correlation_id: str
    plan: str


def slow(place: Place, database: str, since: str, most: int, *, as_json: bool) -> int:
    """Print the report, as Markdown or JSON.

    Args:
        database: only of this one; empty for all.
        since: how far back: a number and s, m, h, d or w.
        most: how many statements.

    Raises:
        InputError: no such stack or cluster, or a time that is none.
        LocalError: the log store cannot be asked, or there is none.
    """
    asked = replace(question("", (place.cluster,), since), phrase="duration")
    client = cluster_client(stacks.paths_of(ROOT, place.stack), stacks.load(ROOT, place.stack))
    declared(client, stack_namespace(place.stack), place)
    answer = asker(client, place.stack)(asked)
    lines = read_lines(answer)
    statements = [each for each in report(lines) if database in ("", each.database)][:most]
    counted_since = lines[0].get("_time", "") if cut(answer) else ""
    found = Found(since=since, counted_since=counted_since, statements=statements)
    print(json.dumps(asdict(found), indent=2) if as_json else markdown(found, place))
    return 0


def report(lines: Iterable[Line]) -> list[Slow]:
    """Slow statements of log lines, those first that took most time altogether."""
    groups: dict[tuple[str, str], list[_Run]] = {}
    for line in lines:
        for run in _runs(line):
            groups.setdefault((run.database, run.statement), []).append(run)
    return sorted((_group(runs) for runs in groups.values()), key=lambda each: -each.total_ms)


def _runs(line: Line) -> Iterator[_Run]:
    match = _DURATION.search(line.get("_msg", ""))
    if match is None:
        return
    plan = _PLAN.match(match["text"]) if match["kind"] == "plan" else None
    yield _Run(
        database=line.get("record.database_name", ""),
        statement=plain(plan["statement"] if plan else match["text"]),
        ms=float(match["ms"]),
        time=line.get("_time", ""),
        correlation_id=line.get("correlation_id", ""),
        plan=plain_plan(plan["plan"]) if plan else "",
    )


def _group(runs: list[_Run]) -> Slow:
    """A run may be in the log twice: with its plan, and with its time only. The first tells more, and is counted."""
    counted = [run for run in runs if run.plan] or runs
    longest = max(counted, key=lambda run: run.ms)
    return Slow(
        database=longest.database,
        statement=longest.statement,
        runs=len(counted),
        total_ms=sum(run.ms for run in counted),
        longest_ms=longest.ms,
        last=max(run.time for run in counted),
        correlation_id=longest.correlation_id,
        plan=longest.plan,
    )


def markdown(found: Found, place: Place) -> str:
    """The report for people: a table, then each statement with the plan of its longest run."""
    title = f"# Slow statements of {place.cluster} in {place.stack}, last {found.since}"
    if found.counted_since:
        since = f"**Only since {found.counted_since}**"
        title += f"\n\n{since}, the newest {MOST} lines: the log has more than one answer holds."
    if not found.statements:
        return f"{title}\n\nNone is in the log."
    head = ("", "database", "runs", "total", "longest", "last (UTC)")
    cells = [
        (str(number), each.database, str(each.runs), f"{each.total_ms / 1000:.1f} s", f"{each.longest_ms / 1000:.2f} s",
         each.last[:19])
        for number, each in enumerate(found.statements, start=1)
    ]  # fmt: skip
    parts = [_section(number, each) for number, each in enumerate(found.statements, start=1)]
    return "\n".join([title, "", *table(head, cells), *parts]).rstrip()


def _section(number: int, it: Slow) -> str:
    request = f" of request `{it.correlation_id}`" if it.correlation_id else ""
    plan = f"\nThe longest run{request}:\n\n```\n{it.plan}\n```\n" if it.plan else ""
    return f"## {number}\n\n```sql\n{it.statement}\n```\n{plan}"
