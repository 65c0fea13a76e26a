"""Alerts of backups, run by promtool on made-up series; they are where backups are made."""

from __future__ import annotations

from pathlib import Path

import pytest
from omnibase_infra.backup import backup_alerts, drill_alerts
from omnibase_infra.monitoring.checks import problems

from tests.stacks.support import stacks
from tests.stacks.support.promtool import Case, Rules, page_problems
from tests.stacks.support.samples import monitoring

ALERTS = [*backup_alerts("database", 60), *drill_alerts("restore-drill-report")]
RULES = Rules(monitoring(), ALERTS)
NAMES = [alert["name"] for alert in ALERTS]
NEWEST = 'barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{job="database",pod="database-1"}'
ARCHIVED = 'cnpg_pg_stat_archiver_last_archived_time{job="database",pod="database-1"}'
FAILED = 'cnpg_pg_stat_archiver_last_failed_time{job="database",pod="database-1"}'
DRILL = 'job="restore-drill-report",pod="r",archive="database-1"'
DATABASE, ARCHIVE = {"job": "database"}, {"job": "restore-drill-report", "archive": "database-1", "pod": "r"}

CASES = {
    "no base backup is made for two intervals and an hour": Case(
        name="BackupTooOld",
        series={NEWEST: "0x339 4800+15x100"},
        fires="79m",
        quiet=("60m", "90m"),
        labels=DATABASE,
        summary="The newest base backup of database is 1h 19m 0s old.",
        severities=("critical",),
    ),
    "the log is not archived until the store is back": Case(
        name="WALArchiveFailing",
        series={ARCHIVED: "0+15x20 300x39 900+15x60", FAILED: "-1x20 315+15x38 885x100"},
        fires="14m",
        quiet=("4m", "24m"),
        labels=DATABASE,
        summary="The log of database has not been archived for 9m 0s.",
        severities=("critical",),
    ),
    "a drill is bad and the next one good": Case(
        name="RestoreDrillFailed",
        series={
            f"restore_drill_good{{{DRILL}}}": "1x19 0x39 1x60",
            f"restore_drill_last_timestamp_seconds{{{DRILL}}}": "10x19 300x39 900x60",
            f"restore_drill_busy{{{DRILL}}}": "0x120",
        },
        fires="12m",
        labels=ARCHIVE,
        summary="The newest restore drill of database-1 did not bring back what was there.",
        severities=("critical",),
    ),
    "a drill finds no quiet moment and the next one does": Case(
        name="RestoreDrillUndecided",
        series={
            f"restore_drill_good{{{DRILL}}}": "1x19 0x39 1x60",
            f"restore_drill_last_timestamp_seconds{{{DRILL}}}": "10x19 300x39 900x60",
            f"restore_drill_busy{{{DRILL}}}": "0x19 1x39 0x60",
        },
        fires="12m",
        labels=ARCHIVE,
        summary="The newest restore drill of database-1 compared nothing: writing never paused.",
        severities=("warning",),
    ),
    "no drill is good for longer than it may be": Case(
        name="RestoreDrillTooOld",
        series={
            f"restore_drill_last_good_timestamp_seconds{{{DRILL}}}": "0x539 8100x100",
            f"restore_drill_every_seconds{{{DRILL}}}": "3600x700",
        },
        fires="125m",
        quiet=("70m", "140m"),
        labels=ARCHIVE,
        summary="The last good restore drill of database-1 is 2h 5m 0s old.",
        severities=("warning",),
    ),
}


@pytest.mark.req("R11", "P19")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_alert_fires_while_it_is_true_and_says_so_in_its_words(case: Case, tmp_path: Path) -> None:
    assert RULES.course(tmp_path, case) == ""


@pytest.mark.parametrize(
    ("name", "series"),
    [
        # a try that failed before the newest good one is over
        ("WALArchiveFailing", {ARCHIVED: "100x100", FAILED: "50x100"}),
        ("WALArchiveFailing", {ARCHIVED: "100x100", FAILED: "-1x100"}),
        # it says nothing of the backups
        (
            "RestoreDrillFailed",
            {
                f"restore_drill_good{{{DRILL}}}": "0x100",
                f"restore_drill_last_timestamp_seconds{{{DRILL}}}": "300x100",
                f"restore_drill_busy{{{DRILL}}}": "1x100",
            },
        ),
        # there was no drill yet: that is told by its age
        (
            "RestoreDrillFailed",
            {
                f"restore_drill_good{{{DRILL}}}": "0x100",
                f"restore_drill_last_timestamp_seconds{{{DRILL}}}": "0x100",
            },
        ),
    ],
)
def test_nobody_is_called_for_what_is_usual(name: str, series: dict[str, str], tmp_path: Path) -> None:
    assert RULES.quiet(tmp_path, name, series) == ""


def test_every_alert_is_among_the_cases_and_would_be_taken() -> None:
    assert sorted(case.name for case in CASES.values()) == sorted(NAMES)
    assert problems(monitoring(alerts=ALERTS)) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_runbook(name: str) -> None:
    assert page_problems(next(alert for alert in ALERTS if alert["name"] == name)) == []


@pytest.mark.req("P19")
@pytest.mark.parametrize(("stack", "there"), [("staging", True), ("prod", True), ("dev", False), ("test", False)])
def test_a_stack_with_backups_has_their_alerts(stack: str, there: bool) -> None:
    assert (set(NAMES) <= {rule["alert"] for rule in stacks.alert_rules(stack)}) is there
