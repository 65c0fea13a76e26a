"""Alerts on what makes a database slow, run by promtool on made-up series."""

from __future__ import annotations

from pathlib import Path

import pytest
from omnibase_infra.monitoring.checks import problems
from omnibase_infra.postgres import performance_alerts, service_pool_alert

from tests.stacks.support import stacks
from tests.stacks.support.promtool import Case, Rules, expected, page_problems
from tests.stacks.support.samples import monitoring

ALERTS = [*performance_alerts("database", 1, 200), service_pool_alert()]
RULES = Rules(monitoring(), ALERTS)
NAMES = list(dict.fromkeys(alert["name"] for alert in ALERTS))
SERVER = 'job="database",pod="d"'
POOLER = 'job="database-pooler",pod="p",database="reference"'
TABLE = f'{SERVER},datname="reference",schemaname="public",relname="notes"'
OF_TABLE = {"database": "database", "datname": "reference", "schemaname": "public", "relname": "notes"}
OF_DATABASE = {"database": "database", "datname": "reference"}
OF_SERVER = {"database": "database", "pod": "d"}

CASES = {
    "a transaction stays open": Case(
        name="DatabaseTransactionLong",
        series={f"cnpg_pg_transactions_oldest_seconds{{{SERVER}}}": "10x19 1200x39 10x60"},
        fires="8m",
        labels=OF_SERVER,
        summary="A transaction on d is open for 20m 0s.",
        severities=("warning",),
    ),
    "a session waits for a lock": Case(
        name="DatabaseLockWait",
        series={f"cnpg_pg_lock_waits_longest_wait_seconds{{{SERVER}}}": "0x19 90x39 0x60"},
        fires="8m",
        labels=OF_SERVER,
        summary="A session on d has waited 1m 30s for a lock.",
        severities=("warning",),
    ),
    "a prepared transaction is forgotten": Case(
        name="DatabaseTransactionInDoubt",
        series={f'cnpg_pg_prepared_oldest_seconds{{{SERVER},datname="reference"}}': "0x19 7200x39 0x60"},
        fires="8m",
        labels=OF_DATABASE,
        summary="A prepared transaction in reference is 2h 0m 0s old.",
        severities=("warning", "critical"),
    ),
    "a coordinator is late": Case(
        name="DatabaseTransactionInDoubt",
        series={f'cnpg_pg_prepared_oldest_seconds{{{SERVER},datname="reference"}}': "0x19 600x39 0x60"},
        fires="8m",
        labels=OF_DATABASE,
        summary="A prepared transaction in reference is 10m 0s old.",
        severities=("warning",),
    ),
    "freezing is far behind": Case(
        name="DatabaseIdsRunningOut",
        series={
            f'cnpg_pg_database_xid_age{{{SERVER},datname="reference"}}': "1000x19 1100000000x59 1000x60",
            f'cnpg_pg_database_mxid_age{{{SERVER},datname="reference"}}': "0x140",
        },
        fires="15m",
        quiet=("4m", "30m"),
        labels=OF_DATABASE,
        summary="reference is 1.1G transactions behind with freezing.",
        severities=("warning", "critical"),
    ),
    "freezing of groups of transactions is behind": Case(
        name="DatabaseIdsRunningOut",
        series={
            f'cnpg_pg_database_xid_age{{{SERVER},datname="reference"}}': "1000x140",
            f'cnpg_pg_database_mxid_age{{{SERVER},datname="reference"}}': "0x19 900000000x59 0x60",
        },
        fires="15m",
        quiet=("4m", "30m"),
        labels=OF_DATABASE,
        summary="reference is 900M transactions behind with freezing.",
        severities=("warning",),
    ),
    "vacuum does not keep up": Case(
        name="DatabaseVacuumBehind",
        series={
            f"cnpg_pg_tables_vacuum_due{{{TABLE}}}": "0.5x19 4x179 0.1x60",
            f"cnpg_pg_tables_dead_rows{{{TABLE}}}": "5000x19 50000x179 10x60",
        },
        fires="45m",
        quiet=("4m", "60m"),
        labels=OF_TABLE,
        summary="reference.public.notes has 4 times the dead rows at which it is vacuumed.",
        severities=("warning",),
    ),
    "an index was not finished": Case(
        name="DatabaseIndexInvalid",
        series={f'cnpg_pg_indexes_invalid{{{SERVER},datname="reference"}}': "0x19 1x59 0x60"},
        fires="15m",
        quiet=("4m", "30m"),
        labels=OF_DATABASE,
        summary="reference has 1 index that is kept up to date and never used.",
        severities=("warning",),
    ),
    "most of a table holds nothing": Case(
        name="DatabaseTableBloated",
        series={
            f"cnpg_pg_table_bloat_share{{{TABLE}}}": "0.1x19 0.75x299 0.02x60",
            f"cnpg_pg_table_bloat_bytes{{{TABLE}}}": "1000x19 900000000x299 1000x60",
        },
        fires="70m",
        quiet=("50m", "90m"),
        labels=OF_TABLE,
        summary="75% of reference.public.notes holds nothing.",
        severities=("warning",),
    ),
    "most of an index holds nothing": Case(
        name="DatabaseIndexBloated",
        series={
            f'cnpg_pg_index_bloat_share{{{TABLE},indexrelname="notes_pkey"}}': "0.1x19 0.75x299 0.02x60",
            f'cnpg_pg_index_bloat_bytes{{{TABLE},indexrelname="notes_pkey"}}': "1000x19 30000000x299 1000x60",
        },
        fires="70m",
        quiet=("50m", "90m"),
        labels={**OF_DATABASE, "schemaname": "public", "indexrelname": "notes_pkey"},
        summary="75% of reference.public.notes_pkey holds nothing.",
        severities=("warning",),
    ),
    "a slot holds half of what it may": Case(
        name="DatabaseSlotBehind",
        series={f'cnpg_pg_replication_slots_pg_wal_lsn_diff{{{SERVER},slot_name="s"}}': "1000x19 300000000x59 1000x60"},
        fires="15m",
        quiet=("4m", "30m"),
        labels={**OF_SERVER, "slot_name": "s"},
        summary="Slot s holds 286.1MiB of log on d.",
        severities=("warning",),
    ),
    "a slot is lost": Case(
        name="DatabaseSlotLost",
        series={f'cnpg_pg_slots_lost{{{SERVER},slot_name="s"}}': "0x19 1x39 0x60"},
        fires="8m",
        labels={**OF_SERVER, "slot_name": "s"},
        summary="The log that slot s on d needs is gone.",
        severities=("critical",),
    ),
    "a pooler has no server connection left for long": Case(
        name="PoolerSaturated",
        series={
            f"cnpg_pgbouncer_pools_maxwait{{{POOLER}}}": "0x19 15x39 0x60",
            f"cnpg_pgbouncer_pools_cl_waiting{{{POOLER}}}": "0x120",
        },
        fires="8m",
        labels={"pod": "p", "database": "reference"},
        summary="Clients of reference wait 15s at p; after 30 s they are turned away.",
        severities=("critical",),
    ),
    "clients queue at a pooler": Case(
        name="PoolerSaturated",
        series={
            f"cnpg_pgbouncer_pools_maxwait{{{POOLER}}}": "0x19 1x39 0x60",
            f"cnpg_pgbouncer_pools_cl_waiting{{{POOLER}}}": "0x19 3x39 0x60",
        },
        fires="8m",
        labels={"pod": "p", "database": "reference"},
        summary="3 clients of reference wait for a server connection at p.",
        severities=("warning",),
    ),
    "a pooler takes hardly any more clients": Case(
        name="PoolerClientsHigh",
        series={
            f"cnpg_pgbouncer_pools_cl_active{{{POOLER}}}": "10x19 150x59 10x60",
            f"cnpg_pgbouncer_pools_cl_waiting{{{POOLER}}}": "0x19 30x59 0x60",
        },
        fires="15m",
        quiet=("4m", "30m"),
        labels={"pod": "p"},
        summary="p has 90% of the clients that it takes.",
        severities=("warning",),
    ),
    "a service does not give its connections back": Case(
        name="ServicePoolFull",
        series={
            'database_pool_connections{job="reference",pod="a",endpoint="rw",state="used"}': "1x19 7x59 1x60",
            'database_pool_connections{job="reference",pod="a",endpoint="rw",state="idle"}': "6x19 0x59 6x60",
            'database_pool_connections{job="reference",pod="b",endpoint="rw",state="used"}': "3x140",
            'database_pool_limit{job="reference",pod="a",endpoint="rw"}': "7x140",
            'database_pool_limit{job="reference",pod="b",endpoint="rw"}': "7x140",
        },
        fires="15m",
        quiet=("4m", "30m"),
        labels={"job": "reference", "pod": "a", "endpoint": "rw"},
        summary="a of reference uses 100% of its connections (rw).",
        severities=("warning",),
    ),
}


@pytest.mark.req("C2.4", "C3.8")
@pytest.mark.parametrize("what", CASES)
def test_an_alert_on_performance_fires_and_clears(what: str, tmp_path: Path) -> None:
    assert RULES.course(tmp_path, CASES[what]) == ""


@pytest.mark.parametrize(
    ("name", "series"),
    [
        # many dead rows of a big table, of which autovacuum will take care
        (
            "DatabaseVacuumBehind",
            {f"cnpg_pg_tables_vacuum_due{{{TABLE}}}": "0.9x240", f"cnpg_pg_tables_dead_rows{{{TABLE}}}": "900000x240"},
        ),
        # a small table that is written all the time
        (
            "DatabaseVacuumBehind",
            {f"cnpg_pg_tables_vacuum_due{{{TABLE}}}": "5x240", f"cnpg_pg_tables_dead_rows{{{TABLE}}}": "400x240"},
        ),
        # a queue that is empty most of the time
        (
            "DatabaseTableBloated",
            {
                f"cnpg_pg_table_bloat_share{{{TABLE}}}": "0.9x400",
                f"cnpg_pg_table_bloat_bytes{{{TABLE}}}": "9000000x400",
            },
        ),
        # autovacuum freezes by force from 200 million on
        ("DatabaseIdsRunningOut", {f'cnpg_pg_database_xid_age{{{SERVER},datname="a"}}': "250000000x60"}),
        # two-phase commit at work: always some, never old
        ("DatabaseTransactionInDoubt", {f'cnpg_pg_prepared_oldest_seconds{{{SERVER},datname="a"}}': "2x60"}),
        # a burst
        ("PoolerSaturated", {f"cnpg_pgbouncer_pools_cl_waiting{{{POOLER}}}": "0x19 9x4 0x40"}),
    ],
)
def test_what_is_usual_calls_nobody(name: str, series: dict[str, str], tmp_path: Path) -> None:
    assert RULES.quiet(tmp_path, name, series) == ""


def test_two_databases_behind_one_pooler_are_two_alerts(tmp_path: Path) -> None:
    rule, names = RULES.rule("PoolerSaturated", "warning"), ("other", "reference")
    series = [
        {"series": f"cnpg_pgbouncer_pools_cl_waiting{{{POOLER.replace('reference', name)}}}", "values": "3x60"}
        for name in names
    ]
    wanted = [
        expected(rule, "warning", {"pod": "p", "database": name},
                 f"3 clients of {name} wait for a server connection at p.")
        for name in names
    ]  # fmt: skip
    moment = {"eval_time": "10m", "alertname": "PoolerSaturated", "exp_alerts": wanted}
    assert RULES.run(tmp_path, [{"interval": "15s", "input_series": series, "alert_rule_test": [moment]}]) == ""


def test_every_alert_on_performance_is_among_the_cases_and_would_be_taken() -> None:
    assert {case.name for case in CASES.values()} == set(NAMES)
    assert problems(monitoring(scrape_seconds=5, alerts=ALERTS)) == []


@pytest.mark.req("R11")
@pytest.mark.parametrize("name", NAMES)
def test_an_alert_on_performance_has_a_runbook(name: str) -> None:
    assert page_problems(next(alert for alert in ALERTS if alert["name"] == name)) == []


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_stack_has_the_alerts_on_performance(stack: str) -> None:
    assert set(NAMES) <= {rule["alert"] for rule in stacks.alert_rules(stack)}
