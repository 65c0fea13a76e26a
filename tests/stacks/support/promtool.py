"""Alerts run by promtool on made-up series."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibase_infra import MonitoringStackArgs
from omnibase_infra.alert import Alert
from omnibase_infra.monitoring.rules_spec import groups

from local.build import unpacked
from local.paths import Paths
from tests.stacks.support import stacks

PROMTOOL = unpacked("prometheus", Paths.from_environment()) / "usr/bin/promtool"
STEP = "15s"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One course of events; every sample is 15 s after the one before, and 20 are 5 minutes."""

    name: str
    series: dict[str, str]
    fires: str
    """When it fires."""
    labels: dict[str, str]
    summary: str
    """Its words; empty: those of the rule with its labels put in."""
    severities: tuple[str, ...]
    quiet: tuple[str, ...] = ("4m", "24m")
    """When it does not: before, and after everything is good again."""


class Rules:
    """The alerts of one set of arguments."""

    def __init__(self, args: MonitoringStackArgs, alerts: Sequence[Alert]) -> None:
        self._args, self._alerts = args, alerts

    def run(self, directory: Path, tests: list[dict[str, Any]], step: str = STEP) -> str:
        """What promtool says to tests of the rules; empty if all hold.

        It gets the rules that the tests name: for all of them it would take ten times as long.
        """
        rules, file = directory / "rules.yml", directory / "tests.yml"
        named = {moment["alertname"] for test in tests for moment in test["alert_rule_test"]}
        alerts = [alert for alert in self._alerts if alert["name"] in named]
        rules.write_text(json.dumps({"groups": groups(self._args, alerts)}))
        file.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": step, "tests": tests}))
        done = subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def course(self, directory: Path, case: Case) -> str:
        """What promtool says to a whole case: quiet, firing in its words, quiet again."""
        firing = [
            expected(self.rule(case.name, severity), severity, case.labels, self._sentence(case, severity))
            for severity in case.severities
        ]
        moments = [{"eval_time": case.fires, "alertname": case.name, "exp_alerts": firing}]
        moments += [{"eval_time": moment, "alertname": case.name, "exp_alerts": []} for moment in case.quiet]
        series = [{"series": name, "values": values} for name, values in case.series.items()]
        return self.run(directory, [{"interval": STEP, "input_series": series, "alert_rule_test": moments}])

    def quiet(self, directory: Path, name: str, series: dict[str, str]) -> str:
        """What promtool says to series on which an alert must stay quiet, from the 5th to the 14th minute."""
        moments = [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": []} for minute in range(5, 15)]
        given = [{"series": key, "values": values} for key, values in series.items()]
        return self.run(directory, [{"interval": STEP, "input_series": given, "alert_rule_test": moments}])

    def rule(self, name: str, severity: str) -> Alert:
        """One alert."""
        return next(alert for alert in self._alerts if (alert["name"], alert["severity"]) == (name, severity))

    def _sentence(self, case: Case, severity: str) -> str:
        text = case.summary or str(self.rule(case.name, severity)["summary"])
        for label, value in case.labels.items():
            text = text.replace(f"{{{{ $labels.{label} }}}}", value)
        return text


def expected(alert: Alert, severity: str, labels: dict[str, str], summary: str) -> dict[str, Any]:
    """An alert as promtool compares it: all labels, all annotations."""
    return {
        "exp_labels": {**labels, "severity": severity, "team": "platform"},
        "exp_annotations": {"summary": summary, "runbook_url": f"docs/runbooks/{alert['runbook']}.md"},
    }


def page_problems(alert: Alert) -> list[str]:
    """What the runbook of an alert lacks."""
    name, page = alert["name"], alert["runbook"]
    text = (stacks.ROOT / "docs" / "runbooks" / f"{page}.md").read_text()
    headings = ("## How it looks", "## What to do", "## How you see that it is good")
    found = [f"{page}.md lacks {wanted!r}" for wanted in (*headings, name) if wanted not in text]
    if f"({page}.md)" not in (stacks.ROOT / "docs" / "runbooks" / "README.md").read_text():
        found.append(f"README.md does not name {page}.md")
    return found
