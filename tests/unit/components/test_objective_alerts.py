"""Alerts on objectives and ages, run by promtool on made-up series: they fire in time, say so in words, and clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.config.objectives import SPENT, Objective
from omnibase_infra.monitoring import objective_alerts
from omnibase_infra.monitoring.checks import problems
from omnibase_infra.secrets import credential_alerts

from tests.stacks.support.promtool import Rules, expected, page_problems
from tests.stacks.support.samples import monitoring

PROMISE = Objective(service="reference", availability=0.999, latency_ms=1000, latency_share=0.95)
BURNS = {span: SPENT[span] * 30 * 24 / hours for span, hours in {"1h": 1, "6h": 6, "1d": 24, "3d": 72}.items()}
ALERTS = [*objective_alerts([PROMISE], BURNS, 30), *credential_alerts({"secrets.entries.receipt-key": 600})]
RULES = Rules(monitoring(), ALERTS)

SERVICE = 'job="reference",pod="a",route="/notes"'
PROBE = 'job="reference",pod="a",route="/readyz"'
GOOD, BAD = f'http_requests_total{{{SERVICE},status="200"}}', f'http_requests_total{{{SERVICE},status="503"}}'
TIMED, QUICK = (
    f"http_request_duration_seconds_count{{{SERVICE}}}",
    f'http_request_duration_seconds_bucket{{{SERVICE},le="1.0"}}',
)


def burning(kind: str, severity: str, share: str) -> dict[str, Any]:
    (alert,) = [
        each for each in ALERTS if each.get("labels", {}).get("objective") == kind and each["severity"] == severity
    ]
    summary = alert["summary"].replace("{{ $value | humanizePercentage }}", share)
    return expected(alert, severity, {"service": "reference", "objective": kind}, summary)


def course(directory: Path, series: dict[str, str], moments: dict[str, list[dict[str, Any]]], step: str = "2m") -> str:
    """What promtool says: at each moment exactly these alerts on the objective fire."""
    given = [{"series": name, "values": values} for name, values in series.items()]
    wanted = [
        {"eval_time": moment, "alertname": "ObjectiveBurning", "exp_alerts": firing}
        for moment, firing in moments.items()
    ]
    return RULES.run(directory, [{"interval": step, "input_series": given, "alert_rule_test": wanted}], step)


@pytest.mark.req("C3.9", "C6.4", "R13")
def test_a_budget_that_would_be_gone_within_days_calls_somebody_and_stops_soon_after_its_cause(tmp_path: Path) -> None:
    # 2 % fail from the first hour to the second: 20 times as fast as allowed
    series = {GOOD: "0+98x300", BAD: "0x30 2+2x29 60x240", f'http_requests_total{{{PROBE},status="503"}}': "0+9x300"}
    moments = {
        "54m": [],
        "1h58m": [
            burning("availability", "critical", "1.935%"),
            burning("availability", "warning", "0.9932%"),
        ],
        "2h40m": [burning("availability", "warning", "0.7595%")],
        "9h": [],
    }
    assert course(tmp_path, series, moments) == ""


def test_slow_answers_use_up_a_budget_of_their_own(tmp_path: Path) -> None:
    # from the first hour to the second four of five answers are too slow
    series = {TIMED: "0+100x300", QUICK: "0+100x30 3020+20x29 3700+100x240"}
    moments = {
        "54m": [],
        "1h58m": [burning("latency", "critical", "77.33%"), burning("latency", "warning", "39.32%")],
        "3h30m": [burning("latency", "warning", "22.86%")],
        "9h": [],
    }
    assert course(tmp_path, series, moments) == ""


def test_a_slow_leak_warns_and_calls_nobody(tmp_path: Path) -> None:
    # 0.4 % fail, four times as fast as allowed: over a day a tenth of the budget, in an hour next to nothing.
    series = {GOOD: "0+996x400", BAD: "0+4x400"}
    moments = {"30h": [burning("availability", "warning", "0.4%")]}
    assert course(tmp_path, series, moments, step="10m") == ""


@pytest.mark.parametrize(
    "series",
    [
        # four failures of a quiet night
        {GOOD: "0+1x100", BAD: "0x15 1 2 3 4x80"},
        # as many as the promise allows
        {GOOD: "0+999x100", BAD: "0+1x100"},
        # only probes fail
        {GOOD: "0+10x100", f'http_requests_total{{{PROBE},status="503"}}': "0+10x100"},
        # nobody calls
        {},
    ],
)
def test_what_the_promise_allows_calls_nobody(series: dict[str, str], tmp_path: Path) -> None:
    assert course(tmp_path, series, {"1h": [], "2h": [], "3h": []}) == ""


@pytest.mark.req("C5.5")
def test_a_credential_that_is_too_old_is_told_with_its_name(tmp_path: Path) -> None:
    (alert,) = credential_alerts({"secrets.entries.receipt-key": 600})
    summary = "secrets.entries.receipt-key was due for rotation 10m 0s ago."
    firing = expected(alert, "warning", {"credential": "secrets.entries.receipt-key"}, summary)
    moments = [
        {"eval_time": "9m", "alertname": "CredentialDue", "exp_alerts": []},
        {"eval_time": "20m", "alertname": "CredentialDue", "exp_alerts": [firing]},
    ]
    assert RULES.run(tmp_path, [{"interval": "1m", "input_series": [], "alert_rule_test": moments}], "1m") == ""


def test_ages_that_nobody_knows_make_no_alert() -> None:
    assert credential_alerts({}) == []


def test_times_that_the_store_does_not_keep_are_left_out() -> None:
    one_day = objective_alerts([PROMISE], BURNS, 1)
    assert not any("[3d]" in alert["expr"] for alert in one_day)
    assert any("[1d]" in alert["expr"] for alert in one_day)
    assert len(one_day) == len(objective_alerts([PROMISE], BURNS, 30)) == 4


@pytest.mark.req("R11")
@pytest.mark.parametrize("name", ["ObjectiveBurning", "CredentialDue"])
def test_both_would_be_taken_and_have_runbooks(name: str) -> None:
    assert problems(monitoring(alerts=ALERTS)) == []
    assert page_problems(next(alert for alert in ALERTS if alert["name"] == name)) == []
