"""The report of slow statements from lines of PostgreSQL's log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.errors import InputError
from local.plugins.kubernetes.client import ApiError
from ops.db import slow as command
from ops.db.access import Place
from ops.db.slow import Found, markdown, report
from ops.db.statements import plain_plan
from ops.logs import command as logs
from ops.logs.lines import Line

PLAN = """duration: 1500.250 ms  plan:
Query Text: /* correlation_id=r-1 */ SELECT *
  FROM orders WHERE customer = 'Mrs. Secret' AND id > 4711
Sort  (cost=1.02..8.29 rows=17 width=4) (actual rows=5 loops=1)
  Sort Key: ((id * 4711))
  ->  Seq Scan on orders  (cost=0.00..99.00 rows=17 width=4) (actual rows=5 loops=1)
        Filter: ((customer = 'Mrs. Secret'::text) AND (id > 4711))
        Rows Removed by Filter: 4995
        Buffers: shared hit=31"""


def line(message: str, time: str = "2026-11-26T10:00:00.5Z", **fields: str) -> Line:
    return {"_msg": message, "_time": time, "record.database_name": "shop", **fields}


def test_runs_of_one_statement_are_one_entry_whatever_their_values() -> None:
    found = report([
        line("duration: 1200.5 ms  statement: DELETE FROM a WHERE b = 'x'"),
        line("duration: 2000 ms  execute <unnamed>: DELETE FROM a WHERE b = 'y'", "2026-11-26T11:00:00Z"),
        line("duration: 9000 ms  statement: DELETE FROM a WHERE b = 'x'", **{"record.database_name": "other"}),
        line("duration: 77 ms"),
        line("checkpoint complete: duration is long"),
    ])  # fmt: skip
    assert [(each.database, each.runs, each.total_ms, each.longest_ms) for each in found] == [
        ("other", 1, 9000, 9000),
        ("shop", 2, 3200.5, 2000),
    ]
    assert found[1].statement == "DELETE FROM a WHERE b = ?"
    assert found[1].last == "2026-11-26T11:00:00Z"
    assert found[1].plan == ""


def test_a_run_that_is_logged_with_its_plan_and_again_with_its_time_is_one_run() -> None:
    text = "/* correlation_id=r-1 */ SELECT *\n  FROM orders WHERE customer = 'Mrs. Secret' AND id > 4711"
    (found,) = report([line(PLAN, correlation_id="r-1"), line(f"duration: 1500.9 ms  execute <unnamed>: {text}")])
    assert (found.runs, found.total_ms, found.correlation_id) == (1, 1500.25, "r-1")
    assert found.statement == "SELECT * FROM orders WHERE customer = ? AND id > ?"


def test_a_plan_keeps_costs_and_counts_and_loses_what_users_wrote() -> None:
    shown = plain_plan(PLAN.partition("4711\n")[2]).splitlines()
    assert shown == [
        "Sort  (cost=1.02..8.29 rows=17 width=4) (actual rows=5 loops=1)",
        "  Sort Key: ((id * ?))",
        "  ->  Seq Scan on orders  (cost=0.00..99.00 rows=17 width=4) (actual rows=5 loops=1)",
        "        Filter: ((customer = ?::text) AND (id > ?))",
        "        Rows Removed by Filter: 4995",
        "        Buffers: shared hit=31",
    ]


def test_the_report_is_a_table_and_a_section_for_each_statement() -> None:
    statements = report([line(PLAN, correlation_id="r-1")])
    text = markdown(Found(since="7d", counted_since="", statements=statements), Place(stack="prod"))
    assert text.startswith("# Slow statements of database in prod, last 7d\n")
    assert "| 1 | shop | 1 | 1.5 s | 1.50 s | 2026-11-26T10:00:00 |" in text
    assert "```sql\nSELECT * FROM orders WHERE customer = ? AND id > ?\n```" in text
    assert "The longest run of request `r-1`:" in text
    assert "Secret" not in text
    assert "4711" not in text
    empty = Found(since="7d", counted_since="", statements=[])
    assert markdown(empty, Place(stack="prod")).endswith("None is in the log.")
    assert "Only since" not in text


class FakeClient:
    """An API server with one cluster, and a store with these lines."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines

    def request(self, _method: str, path: str) -> dict[str, Any]:
        if path.endswith("/clusters"):
            return {"items": [{"metadata": {"name": "database"}}]}
        if path.endswith("/clusters/database"):
            return {"metadata": {"name": "database"}}
        raise ApiError(404, {"message": "no"}, path)

    def text(self, _path: str) -> str:
        return "\n".join(json.dumps(each) for each in self.lines)


def asked(
    monkeypatch: pytest.MonkeyPatch, lines: list[Line], *, as_json: bool = False, cluster: str = "database"
) -> None:
    monkeypatch.setattr(command, "cluster_client", lambda *_: FakeClient(lines))
    assert command.slow(Place(stack="dev", cluster=cluster), "", "7d", 20, as_json=as_json) == 0


def test_figures_of_a_log_with_more_lines_than_one_answer_say_since_when_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = line("duration: 1200.5 ms  statement: DELETE FROM a", "2026-11-26T09:00:00Z")
    lines = [line("duration: 2000 ms  statement: DELETE FROM a"), first, first]  # a collector sends again what it must
    monkeypatch.setattr(logs, "MOST", 3)
    asked(monkeypatch, lines)
    assert "last 7d\n\n**Only since 2026-11-26T09:00:00Z**" in capsys.readouterr().out
    asked(monkeypatch, lines, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["since"], document["counted_since"]) == ("7d", "2026-11-26T09:00:00Z")
    assert [each["runs"] for each in document["statements"]] == [2]
    monkeypatch.setattr(logs, "MOST", 4)
    asked(monkeypatch, lines, as_json=True)
    assert json.loads(capsys.readouterr().out)["counted_since"] == ""


def test_a_cluster_that_is_not_there_has_no_empty_report(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no PostgreSQL cluster 'shoes' in omnibase-dev") as wrong:
        asked(monkeypatch, [], cluster="shoes")
    assert wrong.value.hint.startswith("there are: database;")
