"""One `PodMonitor` per target, pure."""

from typing import Any

from omnibase_infra.monitoring import names
from omnibase_infra.monitoring.args import MonitoringStackArgs
from omnibase_infra.naming import dns_label, labels
from omnibase_infra.network import Party
from omnibase_infra.objects import Manifest
from omnibase_infra.scrape import ScrapeTarget


def monitor(args: MonitoringStackArgs, target: ScrapeTarget) -> Manifest:
    """The monitor of a target. It stands beside Prometheus, or beside the Secret that its TLS needs."""
    name, space = monitor_name(args, target), home(args, target)
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {
            "name": name,
            "namespace": space,
            "labels": labels(target["name"], "monitoring", args["environment"]),
        },
        "spec": {
            "namespaceSelector": {"matchNames": [target["namespace"]]},
            "selector": {"matchLabels": dict(target["labels"])},
            "podMetricsEndpoints": [_endpoint(args, target)],
        },
    }


def monitor_name(args: MonitoringStackArgs, target: ScrapeTarget) -> str:
    """Name of the monitor; in a namespace of somebody else it says whose it is."""
    return (
        dns_label(target["name"], "metrics")
        if home(args, target) == args["namespace"]
        else dns_label(args["namespace"], target["name"])
    )


def home(args: MonitoringStackArgs, target: ScrapeTarget) -> str:
    """Namespace of the monitor: a monitor can only name Secrets of its own namespace."""
    return target["namespace"] if "ca_secret" in target else args["namespace"]


def party(target: ScrapeTarget) -> Party:
    """The target's pods as one end of an arrow."""
    found: Party = {"name": target["name"], "namespace": target["namespace"], "labels": dict(target["labels"])}
    if target.get("unmanaged"):
        found["unmanaged"] = True
    return found


def own_targets(namespace: str) -> list[ScrapeTarget]:
    """Prometheus, Alertmanager and the operator watch each other and themselves."""
    ports = {
        names.PROMETHEUS: names.PROMETHEUS_PORT,
        names.ALERTMANAGER: names.ALERTMANAGER_PORT,
        names.CONTROLLER: names.OPERATOR_PORT,
    }
    return [
        {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/name": name}, "port": port}
        for name, port in ports.items()
    ]


def _endpoint(args: MonitoringStackArgs, target: ScrapeTarget) -> dict[str, Any]:
    found: dict[str, Any] = {
        "portNumber": int(target["port"]),
        "path": target.get("path", "/metrics"),
        "relabelings": [{"targetLabel": "job", "replacement": target["name"], "action": "replace"}],
    }
    if target.get("own_labels"):
        found["honorLabels"] = True
    if "server_name" in target:
        secret = target.get("ca_secret") or args["trust_secret"]
        found["scheme"] = "https"
        found["tlsConfig"] = {
            "serverName": target["server_name"],
            "ca": {"secret": {"name": secret, "key": "ca.crt"}},
        }
    return found
