"""Names, ports and paths of the logging stack, pure."""

from __future__ import annotations

from omnibase_infra.naming import service_host
from omnibase_infra.network import Party

STORE_PORT = 9428
HEALTH_PORT = 13133
METRICS_PORT = 8888
LOGS = "/var/log/pods"
"""Where the collector finds the node's log files in its container; names are read from the paths below."""
DATA = "/data"
"""Positions and buffer in the collector's container; the store's volume in the store's."""
NODE_VARIABLE = "NODE_NAME"
INSERT_PATH = "/insert/opentelemetry/v1/logs"


def store(name: str) -> str:
    """StatefulSet and Service of the store."""
    return f"{name}-store"


def collector(name: str) -> str:
    """DaemonSet of the collectors."""
    return f"{name}-collector"


def store_url(name: str, namespace: str) -> str:
    """Address of the store inside the cluster."""
    return f"http://{service_host(store(name), namespace)}:{STORE_PORT}"


def collectors(name: str, namespace: str) -> Party:
    """The collectors as one end of an arrow."""
    return {
        "name": "log collectors",
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": collector(name)},
    }
