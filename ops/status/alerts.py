"""Alerts that fire, as Prometheus itself tells: they are seen here also when nobody could be called."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from ops.status.documents import Document, age_seconds, dig

_WATCHDOG = "Watchdog"
_ORDER = {"critical": 0, "warning": 1}
_ABOUT = (
    "topic", "service", "database", "docker_host", "certificate", "mountpoint", "deployment", "statefulset",
    "daemonset", "job_name", "persistentvolumeclaim", "networkpolicy", "job", "pod", "namespace",
)  # fmt: skip
"""Labels that say what an alert is about, the most telling first."""


@dataclass(frozen=True, kw_only=True)
class AlertStatus:
    """One alert that fires."""

    name: str
    severity: str
    about: str
    """What it is about, for example `reference`; empty where its labels do not say."""
    summary: str
    runbook: str
    firing_seconds: float | None
    """Since when its expression is true."""


@dataclass(frozen=True, kw_only=True)
class AlertingStatus:
    """What Prometheus says."""

    asked: bool = False
    """False where there is no Prometheus to ask."""
    unavailable: str = ""
    """Why it could not be asked."""
    watchdog: bool = False
    """True if the alert that always fires does."""
    firing: tuple[AlertStatus, ...] = ()
    """The worst first."""

    @property
    def problems(self) -> list[str]:
        """Critical alerts; warnings are shown and make nothing unhealthy."""
        found = [alert for alert in self.firing if alert.severity == "critical"]
        return [f"alert {alert.name}: {alert.summary} See {alert.runbook}" for alert in found]


def alerting_status(
    documents: Iterable[Document], *, asked: bool, unavailable: str, now: datetime.datetime
) -> AlertingStatus:
    """Read the answers of `/api/v1/alerts`; replicas of Prometheus say the same, so that equal alerts count once.

    Args:
        documents: one answer per Prometheus that could be asked.
        asked: whether there is a Prometheus at all.
        unavailable: why none of them answered.
    """
    entries = [entry for document in documents for entry in dig(document, "data", "alerts") or []]
    firing = [entry for entry in entries if entry.get("state") == "firing"]
    found = {(alert.name, alert.severity, alert.about): alert for alert in (_alert(entry, now) for entry in firing)}
    return AlertingStatus(
        asked=asked,
        unavailable=unavailable,
        watchdog=any(alert.name == _WATCHDOG for alert in found.values()),
        firing=tuple(
            sorted(
                (alert for alert in found.values() if alert.name != _WATCHDOG),
                key=lambda alert: (_ORDER.get(alert.severity, 2), alert.name, alert.about),
            )
        ),
    )


def _alert(entry: Document, now: datetime.datetime) -> AlertStatus:
    labels = dig(entry, "labels") or {}
    return AlertStatus(
        name=str(labels.get("alertname", "")),
        severity=str(labels.get("severity", "")),
        about=next((str(labels[key]) for key in _ABOUT if labels.get(key)), ""),
        summary=str(dig(entry, "annotations", "summary") or ""),
        runbook=str(dig(entry, "annotations", "runbook_url") or ""),
        firing_seconds=age_seconds(entry.get("activeAt"), now),
    )
