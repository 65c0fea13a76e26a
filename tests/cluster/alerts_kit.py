"""What Prometheus of the deployed environment says, through the API server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import wait_for
from tests.cluster.platform_kit import NAMESPACE

SPACE = f"{NAMESPACE}-monitoring"


def prometheus(kubectl: Kubectl, path: str) -> Any:  # noqa: ANN401 -- a JSON value
    """Prometheus' answer to a path of its API; empty while it does not answer."""
    raw = f"/api/v1/namespaces/{SPACE}/pods/prometheus-main-0:9090/proxy/api/v1/{path}"
    answer = kubectl.raw(raw, check=False)
    return json.loads(answer).get("data", {}) if answer.startswith("{") else {}


def query(kubectl: Kubectl, expression: str) -> list[dict[str, Any]]:
    """Result of an instant query."""
    found: list[dict[str, Any]] = prometheus(kubectl, f"query?query={quote(expression)}").get("result", [])
    return found


def alerts(kubectl: Kubectl, name: str, **labels: str) -> list[dict[str, Any]]:
    """Alerts of a name that are pending or firing, each of whose labels begins as given."""
    found = prometheus(kubectl, "alerts").get("alerts", [])
    wanted = {"alertname": name, **labels}
    return [each for each in found if all(each["labels"].get(key, "").startswith(wanted[key]) for key in wanted)]


def alert_states(kubectl: Kubectl) -> dict[str, str]:
    """State by name of the alert; an alert that is not there is neither pending nor firing."""
    return {entry["labels"]["alertname"]: entry["state"] for entry in prometheus(kubectl, "alerts").get("alerts", [])}


def rule(kubectl: Kubectl, name: str) -> str:
    """The expression of an alert as Prometheus has it."""
    groups = prometheus(kubectl, "rules")["groups"]
    (found,) = [each["query"] for group in groups for each in group["rules"] if each["name"] == name]
    return str(found)


def holds(kubectl: Kubectl, name: str, windows: Mapping[str, str], seconds: float = 60) -> float:
    """Wait until an alert's expression is true when it looks back for a shorter time; returns the seconds it took.

    For alerts that look back for minutes, so that a test need not keep the fault up for as long.

    Args:
        windows: a window of the expression (`10m`) -> the one to ask with.
    """
    expression = rule(kubectl, name)
    for long, short in windows.items():
        assert f"[{long}]" in expression, expression
        expression = expression.replace(f"[{long}]", f"[{short}]")
    return wait_for(lambda: bool(query(kubectl, expression)), seconds, f"{name} holds: {expression}")


def noticed(kubectl: Kubectl, name: str, seconds: float = 90, **labels: str) -> float:
    """Wait until an alert, about whom the labels say, is pending or firing: its expression holds. Returns the seconds
    it took."""
    return wait_for(
        lambda: bool(alerts(kubectl, name, **labels)),
        seconds,
        lambda: f"{name} notices {labels or ''}, but {alert_states(kubectl)}",
    )
