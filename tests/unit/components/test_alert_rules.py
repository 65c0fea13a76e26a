"""Every alert of ours, run by promtool on made-up series: it fires when it should, says so in words, and clears."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.monitoring.alerts import our_alerts
from omnibase_infra.monitoring.checks import all_alerts, problems
from omnibase_infra.monitoring.workload_alerts import workload_alerts

from tests.stacks.support import stacks
from tests.stacks.support.promtool import PROMTOOL, STEP, Case, Rules, expected, page_problems
from tests.stacks.support.samples import monitoring

ARGS = monitoring()
ALERTS = all_alerts(ARGS)
RULES = Rules(ARGS, ALERTS)
NAMES = list(dict.fromkeys(alert["name"] for alert in ALERTS))

JOB = 'job="reference",pod="a"'
RAMP = "0x19 10+10x19 200x80"  # still for 5 minutes, 10 more every reading for 5 minutes, still again
DISK = '{job="node-exporter",instance="n",mountpoint="/"}'


CASES = {
    "the last copy of a service is gone": Case(
        name="ServiceDown",
        series={f"up{{{JOB}}}": "1x19 stale _x39 1x60"},
        fires="6m",
        labels={"service": "reference"},
        summary="No copy of reference answers.",
        severities=("critical",),
    ),
    "every copy of a service fails to answer": Case(
        name="ServiceDown",
        series={f"up{{{JOB}}}": "1x19 0x39 1x60"},
        fires="6m",
        labels={"service": "reference"},
        summary="No copy of reference answers.",
        severities=("critical",),
    ),
    "half of the requests fail": Case(
        name="ServiceErrors",
        series={
            f'http_requests_total{{{JOB},route="/notes",status="200"}}': "0+10x120",
            f'http_requests_total{{{JOB},route="/notes",status="503"}}': RAMP,
        },
        fires="9m30s",
        labels={"service": "reference"},
        summary="50% of the requests to reference fail.",
        severities=("critical", "warning"),
    ),
    "three of a hundred requests fail": Case(
        name="ServiceErrors",
        series={
            f'http_requests_total{{{JOB},route="/notes",status="200"}}': "0+97x120",
            f'http_requests_total{{{JOB},route="/notes",status="500"}}': "0x19 3+3x19 60x80",
        },
        fires="9m30s",
        labels={"service": "reference"},
        summary="3% of the requests to reference fail.",
        severities=("warning",),
    ),
    "one request in twenty takes two seconds": Case(
        name="ServiceSlow",
        series={
            f'http_request_duration_seconds_bucket{{{JOB},route="/notes",le="1.0"}}': "0x120",
            f'http_request_duration_seconds_bucket{{{JOB},route="/notes",le="2.5"}}': "0x19 10+10x39 400x80",
            f'http_request_duration_seconds_bucket{{{JOB},route="/notes",le="+Inf"}}': "0x19 10+10x39 400x80",
        },
        fires="14m",
        labels={"service": "reference"},
        summary="One request to reference in twenty takes longer than 2.425s.",
        severities=("warning",),
    ),
    "one request in twenty takes ten seconds": Case(
        name="ServiceSlow",
        series={
            f'http_request_duration_seconds_bucket{{{JOB},route="/notes",le="5.0"}}': "0x120",
            f'http_request_duration_seconds_bucket{{{JOB},route="/notes",le="10.0"}}': "0x19 10+10x39 400x80",
            f'http_request_duration_seconds_bucket{{{JOB},route="/notes",le="+Inf"}}': "0x19 10+10x39 400x80",
        },
        fires="14m",
        labels={"service": "reference"},
        summary="One request to reference in twenty takes longer than 9.75s.",
        severities=("critical", "warning"),
    ),
    "the primary becomes a replica and no other takes over": Case(
        name="DatabasePrimaryMissing",
        series={
            'cnpg_pg_replication_in_recovery{job="database",pod="database-1"}': "0x19 1x39 0x60",
            'cnpg_pg_replication_in_recovery{job="database",pod="database-2"}': "1x120",
        },
        fires="7m",
        labels={"database": "database"},
        summary="No instance of database takes writes.",
        severities=("critical",),
    ),
    "a replica replays late": Case(
        name="DatabaseReplicaBehind",
        series={'cnpg_pg_replication_lag{job="database",pod="database-2"}': "0x19 90x39 0x60"},
        fires="8m",
        labels={"database": "database", "pod": "database-2"},
        summary="Replica database-2 is not, or not closely, behind its primary.",
        severities=("warning",),
    ),
    "a replica receives nothing": Case(
        name="DatabaseReplicaBehind",
        series={
            'cnpg_pg_replication_in_recovery{job="database",pod="database-1"}': "0x120",
            'cnpg_pg_replication_is_wal_receiver_up{job="database",pod="database-1"}': "0x120",
            'cnpg_pg_replication_in_recovery{job="database",pod="database-2"}': "1x120",
            'cnpg_pg_replication_is_wal_receiver_up{job="database",pod="database-2"}': "1x19 0x39 1x60",
        },
        fires="8m",
        labels={"database": "database", "pod": "database-2"},
        summary="Replica database-2 is not, or not closely, behind its primary.",
        severities=("warning",),
    ),
    "connections run out": Case(
        name="DatabaseConnectionsHigh",
        series={
            'cnpg_backends_total{job="database",pod="database-1",usename="a"}': "10x19 45x39 10x60",
            'cnpg_backends_total{job="database",pod="database-1",usename="b"}': "10x120",
            'cnpg_pg_settings_setting{job="database",pod="database-1",name="max_connections"}': "60x120",
        },
        fires="12m",
        labels={"database": "database", "pod": "database-1"},
        summary="database-1 uses 91.67% of its connections.",
        severities=("warning",),
    ),
    "a disk is full": Case(
        name="DiskFilling",
        series={
            f"node_filesystem_avail_bytes{DISK}": "60x19 4x79 60x120",
            f"node_filesystem_free_bytes{DISK}": "60x19 4x79 60x120",
            f"node_filesystem_size_bytes{DISK}": "100x220",
        },
        fires="24m",
        quiet=("4m", "50m"),
        labels={"job": "node-exporter", "instance": "n", "mountpoint": "/"},
        summary="",
        severities=("critical", "warning"),
    ),
    "a replica becomes the primary": Case(
        name="DatabaseFailedOver",
        series={
            'cnpg_pg_replication_in_recovery{job="database",pod="d-1"}': "0x19 _x9 1x100",
            'cnpg_pg_replication_in_recovery{job="database",pod="d-2"}': "1x21 0x120",
        },
        fires="7m",
        labels={"database": "database", "pod": "d-2"},
        summary="d-2 became the primary of database within the last five minutes.",
        severities=("warning",),
    ),
    "a disk fills quickly": Case(
        name="DiskFilling",
        series={
            f"node_filesystem_avail_bytes{DISK}": "60x19 18-0.1x79 60x400",
            f"node_filesystem_free_bytes{DISK}": "60x19 18-0.1x79 60x400",
            f"node_filesystem_size_bytes{DISK}": "100x500",
        },
        fires="24m",
        quiet=("4m", "90m"),
        labels={"job": "node-exporter", "instance": "n", "mountpoint": "/"},
        summary="",
        severities=("critical", "warning"),
    ),
    "a certificate ends in three days": Case(
        name="CertificateExpiring",
        series={
            'omnibase_certificate_not_after_timestamp_seconds{certificate="gateway",exported_namespace="edge"}': (
                "259800x59 9999999x60"
            )
        },
        fires="12m",
        labels={"certificate": "gateway", "exported_namespace": "edge"},
        summary="The certificate gateway of edge ends in 2d 23h 58m 0s.",
        severities=("critical",),
    ),
    "a certificate is due for renewal": Case(
        name="CertificateExpiring",
        series={
            'omnibase_certificate_renew_after_timestamp_seconds{certificate="gateway",exported_namespace="edge"}': (
                "600x99 9999999x60"
            )
        },
        fires="20m",
        quiet=("4m", "30m"),
        labels={"certificate": "gateway", "exported_namespace": "edge"},
        summary="The certificate gateway of edge is due for renewal.",
        severities=("warning",),
    ),
    "a process starts again and again": Case(
        name="ProcessRestarting",
        series={'process_start_time_seconds{job="reference",pod="a"}': "100x19 200x3 300x3 400x100"},
        fires="9m",
        labels={"job": "reference", "pod": "a"},
        summary="reference a started 3 times in ten minutes.",
        severities=("warning",),
    ),
    "the receiver takes no alert": Case(
        name="NotificationsFailing",
        series={
            'alertmanager_notification_requests_failed_total{job="alertmanager",integration="webhook",pod="m"}': (
                "0x19 1+1x19 20x60"
            )
        },
        fires="7m",
        labels={"integration": "webhook"},
        summary="Alerts do not reach their receiver.",
        severities=("critical",),
    ),
    "Prometheus knows no Alertmanager": Case(
        name="NotificationsFailing",
        series={'prometheus_notifications_alertmanagers_discovered{job="prometheus",pod="p"}': "1x19 0x39 1x60"},
        fires="7m",
        labels={"pod": "p"},
        summary="Alerts do not reach their receiver.",
        severities=("critical",),
    ),
}


@pytest.mark.req("C3.8", "R11")
@pytest.mark.parametrize("what", CASES)
def test_an_alert_fires_and_clears(what: str, tmp_path: Path) -> None:
    assert RULES.course(tmp_path, CASES[what]) == ""


def test_a_target_that_fails_and_one_that_is_gone_are_both_told(tmp_path: Path) -> None:
    others = [name for name in json.loads(json.dumps([t["name"] for t in ARGS["targets"]])) if name != "node-exporter"]
    alert = RULES.rule("TargetDown", "warning")
    up = {f'up{{job="{name}",pod="x"}}': "1x120" for name in others}
    for values, labels, who in (
        ("1x19 0x39 1x60", {"job": "node-exporter", "pod": "x"}, "node-exporter x"),
        ("1x19 stale _x39 1x60", {"job": "node-exporter"}, "node-exporter"),
    ):
        series = {**up, 'up{job="node-exporter",pod="x"}': values}
        firing = [expected(alert, "warning", labels, f"{who} gives no metrics: its alerts are blind.")]
        moments = [{"eval_time": "8m", "alertname": "TargetDown", "exp_alerts": firing}]
        moments += [{"eval_time": at, "alertname": "TargetDown", "exp_alerts": []} for at in ("4m", "24m")]
        given_series = [{"series": name, "values": text} for name, text in series.items()]
        tests = [{"interval": STEP, "input_series": given_series, "alert_rule_test": moments}]
        assert RULES.run(tmp_path, tests) == ""


def test_the_watchdog_always_fires(tmp_path: Path) -> None:
    alert = RULES.rule("Watchdog", "none")
    firing = [expected(alert, "none", {}, "Alerting works; the absence of this one is the alarm.")]
    moments = [{"eval_time": at, "alertname": "Watchdog", "exp_alerts": firing} for at in ("1m", "30m")]
    assert RULES.run(tmp_path, [{"interval": STEP, "input_series": [], "alert_rule_test": moments}]) == ""


@pytest.mark.parametrize(
    ("name", "series"),
    [
        # an unready copy answers its probes with 503, and probes are not people
        ("ServiceErrors", {f'http_requests_total{{{JOB},route="/readyz",status="503"}}': "0+10x60"}),
        # one of three requests of a quiet night
        (
            "ServiceErrors",
            {
                f'http_requests_total{{{JOB},route="/notes",status="500"}}': "0x19 1x60",
                f'http_requests_total{{{JOB},route="/notes",status="200"}}': "0x19 2x60",
            },
        ),
        ("ServiceDown", {f"up{{{JOB}}}": "1x60", 'up{job="reference",pod="b"}': "0x60"}),
        ("ProcessRestarting", {'process_start_time_seconds{job="reference",pod="a"}': "100x19 200x40"}),
        # reserved for root: `df` says 50 %
        (
            "DiskFilling",
            {
                f"node_filesystem_avail_bytes{DISK}": "18x80",
                f"node_filesystem_free_bytes{DISK}": "82x80",
                f"node_filesystem_size_bytes{DISK}": "100x80",
            },
        ),
    ],
)
def test_nobody_is_called_for_what_is_usual(name: str, series: dict[str, str], tmp_path: Path) -> None:
    assert RULES.quiet(tmp_path, name, series) == ""


def test_every_alert_is_among_the_cases() -> None:
    elsewhere = {alert["name"] for alert in workload_alerts("kube-state-metrics")}  # test_alert_rules_of_parts.py
    assert {case.name for case in CASES.values()} | {"TargetDown", "Watchdog"} | elsewhere == set(NAMES)
    assert len(NAMES) >= 10


@pytest.mark.req("R11")
@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_runbook_that_says_how_it_looks_what_to_do_and_when_it_is_good(name: str) -> None:
    assert page_problems(next(alert for alert in ALERTS if alert["name"] == name)) == []


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_the_rules_of_every_stack_are_valid_and_complete(stack: str, tmp_path: Path) -> None:
    for number, found in enumerate(stacks.of_kind(stack, "PrometheusRule")):
        file = tmp_path / f"rules-{number}.yml"
        file.write_text(json.dumps(found.inputs["spec"]))
        done = subprocess.run([PROMTOOL, "check", "rules", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    for each in stacks.alert_rules(stack):
        assert {"severity", "team"} <= set(each["labels"])
        assert set(each["annotations"]) == {"summary", "runbook_url"}


@given(st.integers(min_value=5, max_value=300))
def test_no_alert_hangs_on_a_single_lost_reading(seconds: int) -> None:
    args = monitoring(scrape_seconds=seconds)
    assert problems(args) == []
    for alert in our_alerts(args):
        assert alert["for_seconds"] >= 2 * seconds or alert["severity"] == "none"
