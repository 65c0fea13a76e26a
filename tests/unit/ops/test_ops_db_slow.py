"""The report of slow statements from lines of PostgreSQL's log."""

from __future__ import annotations

from ops.db.access import Place
from ops.db.slow import markdown, report
from ops.db.statements import plain_plan
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
    text = markdown(report([line(PLAN, correlation_id="r-1")]), Place(stack="prod"), "7d")
    assert text.startswith("# Slow statements of database in prod, last 7d\n")
    assert "| 1 | shop | 1 | 1.5 s | 1.50 s | 2026-11-26T10:00:00 |" in text
    assert "```sql\nSELECT * FROM orders WHERE customer = ? AND id > ?\n```" in text
    assert "The longest run of request `r-1`:" in text
    assert "Secret" not in text
    assert "4711" not in text
    assert markdown([], Place(stack="prod"), "7d").endswith("None is in the log.")
