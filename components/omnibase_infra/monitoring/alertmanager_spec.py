"""The manifests around the operator's `Alertmanager`, pure."""

import base64
from typing import Any

import pulumi

from omnibase_infra.monitoring import names, pods_spec
from omnibase_infra.monitoring.args import SEVERITIES, MonitoringStackArgs
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.versions import ALERTMANAGER_VERSION

ROUTES = "routes"
_ADDRESS = "receiver-address"
_KEY = "url"
_PAGER, _NOBODY = "pager", "nobody"
_WATCHDOG_REPEAT = "15m"


def alertmanager(args: MonitoringStackArgs) -> Manifest:
    """The Alertmanager. Its one configuration is global: as one of a namespace it would match that namespace only."""
    cpu, memory = int(args["alertmanager_cpu_request_millis"]), int(args["alertmanager_memory_mib"])
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Alertmanager",
        "metadata": pods_spec.metadata(names.INSTANCE, names.ALERTMANAGER, args),
        "spec": {
            "image": args["alertmanager_image"],
            "version": ALERTMANAGER_VERSION,
            "replicas": int(args["alertmanager_replicas"]),
            "serviceAccountName": names.ALERTMANAGER,
            "automountServiceAccountToken": False,
            "alertmanagerConfiguration": {"name": ROUTES},
            "alertmanagerConfigMatcherStrategy": {"type": "None"},
            "retention": "120h",
            **pods_spec.pod(names.ALERTMANAGER, args, cpu, memory),
            "storage": pods_spec.storage(args, int(args["alertmanager_storage_gib"])),
        },
    }


def address(args: MonitoringStackArgs) -> Manifest:
    """The Secret with the receiver's address."""
    encoded = pulumi.Output.secret(args["receiver_url"]).apply(lambda url: base64.b64encode(url.encode()).decode())
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": _ADDRESS,
            "namespace": args["namespace"],
            "labels": labels(_ADDRESS, "monitoring", args["environment"]),
        },
        "type": "Opaque",
        "data": {_KEY: encoded},
    }


def routes(args: MonitoringStackArgs) -> Manifest:
    """Who hears of what: severities from the lowest wanted one on, and the Watchdog again and again."""
    return {
        "apiVersion": "monitoring.coreos.com/v1alpha1",
        "kind": "AlertmanagerConfig",
        "metadata": {
            "name": ROUTES,
            "namespace": args["namespace"],
            "labels": labels(ROUTES, "monitoring", args["environment"]),
        },
        "spec": {
            "route": _route(args),
            "receivers": [
                {"name": _NOBODY},
                {
                    "name": _PAGER,
                    "webhookConfigs": [{"urlSecret": {"name": _ADDRESS, "key": _KEY}, "sendResolved": True}],
                },
            ],
            "inhibitRules": [
                {
                    "sourceMatch": [_matcher("severity", "critical")],
                    "targetMatch": [_matcher("severity", "warning")],
                    # Absent on both sides counts as equal.
                    "equal": ["alertname", "service", "database", "pod", "mountpoint", "certificate"],
                }
            ],
        },
    }


def _route(args: MonitoringStackArgs) -> dict[str, Any]:
    sent = SEVERITIES[: SEVERITIES.index(args["lowest_severity"]) + 1]
    return {
        "receiver": _NOBODY,
        "groupBy": ["alertname", "service", "database"],
        "groupWait": f"{int(args['group_wait_seconds'])}s",
        "groupInterval": f"{int(args['group_interval_seconds'])}s",
        "repeatInterval": f"{int(args['repeat_hours'])}h",
        "routes": [
            {
                "receiver": _PAGER,
                "matchers": [_matcher("alertname", "Watchdog")],
                "repeatInterval": _WATCHDOG_REPEAT,
            },
            {"receiver": _PAGER, "matchers": [_matcher("severity", "|".join(sent), "=~")]},
        ],
    }


def _matcher(name: str, value: str, kind: str = "=") -> dict[str, str]:
    return {"name": name, "value": value, "matchType": kind}
