"""What `ops status` makes of Prometheus' answer."""

from __future__ import annotations

import datetime
import io
from typing import Any

from rich.console import Console

from ops.status.alerts import AlertingStatus, alerting_status
from ops.status.engine import engine_status
from ops.status.render import _alerting as render_alerting

NOW = datetime.datetime(2026, 11, 25, 12, 0, 0, tzinfo=datetime.UTC)


def entry(name: str, severity: str = "critical", state: str = "firing", **labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "severity": severity, **labels},
        "annotations": {"summary": f"{name} is bad.", "runbook_url": "docs/runbooks/x.md"},
        "state": state,
        "activeAt": "2026-11-25T11:58:30.123456789Z",
    }


def answer(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"alerts": list(entries)}}


def read(*documents: dict[str, Any]) -> AlertingStatus:
    return alerting_status(documents, asked=True, unavailable="", now=NOW)


def printed(alerting: AlertingStatus) -> str:
    buffer = io.StringIO()
    render_alerting(Console(file=buffer, width=140, highlight=False), alerting)
    return buffer.getvalue()


def test_a_critical_alert_is_a_problem_with_its_runbook_and_a_warning_is_only_shown() -> None:
    found = read(answer(entry("ServiceDown", service="reference"), entry("DiskFilling", "warning", mountpoint="/")))
    assert found.problems == ["alert ServiceDown: ServiceDown is bad. See docs/runbooks/x.md"]
    assert [(item.name, item.about) for item in found.firing] == [("ServiceDown", "reference"), ("DiskFilling", "/")]
    assert found.firing[0].firing_seconds == 89.876544
    assert "DiskFilling" in printed(found)


def test_what_is_pending_does_not_fire() -> None:
    assert read(answer(entry("ServiceDown", state="pending"))).firing == ()


def test_copies_of_prometheus_that_say_the_same_count_once() -> None:
    same = entry("ServiceDown", service="reference")
    assert len(read(answer(same), answer(same)).firing) == 1


def test_the_watchdog_is_a_proof_and_no_alert() -> None:
    alive = read(answer(entry("Watchdog", "none")))
    assert (alive.watchdog, alive.firing, alive.problems) == (True, (), [])
    assert "none firing; the Watchdog fires" in printed(alive)
    assert "does not fire" in printed(read(answer()))


def test_without_prometheus_nothing_is_said_and_one_that_does_not_answer_is_named() -> None:
    assert printed(AlertingStatus()) == ""
    silent = alerting_status([], asked=True, unavailable="space/prometheus-main-0 does not say", now=NOW)
    assert "space/prometheus-main-0 does not say" in printed(silent)
    assert silent.problems == []


def test_what_the_operator_makes_is_declared_by_its_resource() -> None:
    image = "registry.example.test/prometheus:2@sha256:" + "a" * 64
    resource = {
        "type": "kubernetes:monitoring.coreos.com/v1:Prometheus",
        "inputs": {"metadata": {"name": "main", "namespace": "space"}, "spec": {"image": image}},
    }
    found = engine_status("dev", {"deployment": {"resources": [resource]}}, [], NOW)
    assert found.declared == {"space/StatefulSet/prometheus-main": {"prometheus": image}}
