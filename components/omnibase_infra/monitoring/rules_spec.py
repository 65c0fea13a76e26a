"""The manifest of the operator's `PrometheusRule`, pure."""

from collections.abc import Sequence
from typing import Any

from omnibase_infra.alert import Alert
from omnibase_infra.monitoring.args import MonitoringStackArgs
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest


def rules(name: str, args: MonitoringStackArgs, alerts: Sequence[Alert]) -> Manifest:
    """All alerts as one object; groups are evaluated side by side, the rules of one in order."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": labels(name, "monitoring", args["environment"]),
        },
        "spec": {"groups": groups(args, alerts)},
    }


def groups(args: MonitoringStackArgs, alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """Rule groups as Prometheus reads them, one for each name of an alert."""
    named = dict.fromkeys(alert["name"] for alert in alerts)
    return [
        {"name": name, "rules": [_rule(args, alert) for alert in alerts if alert["name"] == name]} for name in named
    ]


def _rule(args: MonitoringStackArgs, alert: Alert) -> dict[str, Any]:
    found: dict[str, Any] = {
        "alert": alert["name"],
        "expr": alert["expr"],
        "labels": {**alert.get("labels", {}), "severity": alert["severity"], "team": args["team"]},
        "annotations": {
            "summary": alert["summary"],
            "runbook_url": f"{args['runbooks']}/{alert['runbook']}.md",
        },
    }
    if alert["for_seconds"]:
        found["for"] = f"{int(alert['for_seconds'])}s"
    return found
