"""Alerts of several PostgreSQL clusters beside each other."""

from __future__ import annotations

from collections.abc import Iterable

from omnibase_infra.alert import Alert
from omnibase_infra.config.clusters import MAIN


def of_cluster(cluster: str, alerts: Iterable[Alert]) -> list[Alert]:
    """The alerts of one cluster. Those of further clusters name theirs: not all series of a cluster have a label that
    tells it from others, and no two alerts may have the same name and labels."""
    if cluster == MAIN:
        return list(alerts)
    return [{**alert, "labels": {"cluster": cluster, **alert.get("labels", {})}} for alert in alerts]
