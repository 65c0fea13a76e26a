"""What is refused before any resource exists, all of it together."""

import re
from collections import Counter
from urllib.parse import urlsplit

from omnibase_infra.alert import Alert
from omnibase_infra.config.errors import nearest
from omnibase_infra.monitoring.alerts import our_alerts
from omnibase_infra.monitoring.args import SEVERITIES, MonitoringStackArgs
from omnibase_infra.monitoring.docker_hosts import host_problems
from omnibase_infra.naming import dns_label
from omnibase_infra.network import party_problems
from omnibase_infra.scrape import ScrapeTarget

_ALERT = re.compile(r"^[A-Z][A-Za-z0-9]{2,62}$")
_PAGE = re.compile(r"^[a-z][a-z0-9-]{1,62}$")
_PORTS = range(1, 65536)


def problems(args: MonitoringStackArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    hosts = host_problems(args.get("docker_hosts", []))
    return [*_targets(args), *hosts, *_alerts(args), *_sizes(args), *_receiver(args)]


def all_alerts(args: MonitoringStackArgs) -> list[Alert]:
    """Ours and the caller's."""
    return [*our_alerts(args), *args.get("alerts", [])]


def _targets(args: MonitoringStackArgs) -> list[str]:
    counts = Counter(target["name"] for target in args["targets"])
    found = [
        f"targets: the name {name!r} is used {count} times, but it is the job label that tells series apart"
        for name, count in counts.items()
        if count > 1
    ]
    for target in args["targets"]:
        found += [f"target {target['name']!r}: {problem}" for problem in _target(args, target)]
    named = {"services": args["services"], "databases": args.get("databases", [])}
    named |= {field: [str(args[field])] for field in ("nodes", "workloads") if field in args}
    for field, wanted in named.items():
        for name in wanted:
            if name not in counts:
                found.append(f"{field}: {name!r} is not among the targets; {nearest(name, counts)}")
    return found


def _target(args: MonitoringStackArgs, target: ScrapeTarget) -> list[str]:
    found = []
    try:
        dns_label(target["name"])
    except ValueError as error:
        found.append(str(error))
    if int(target["port"]) not in _PORTS:
        found.append(f"port={target['port']} is outside 1..65535")
    if not target["labels"]:
        found.append("labels is empty, which would be every pod of the namespace")
    if not target.get("path", "/metrics").startswith("/"):
        found.append(f"path={target.get('path')!r} must start with '/'")
    if "ca_secret" in target and "server_name" not in target:
        found.append("ca_secret needs server_name, the name that the certificate is checked for")
    if "server_name" in target and "ca_secret" not in target and "trust_secret" not in args:
        found.append("server_name needs a certificate authority: its own ca_secret, or trust_secret for the platform's")
    return found


def _alerts(args: MonitoringStackArgs) -> list[str]:
    least = 2 * int(args["scrape_seconds"])
    alerts = all_alerts(args)
    found = [problem for alert in alerts for problem in _alert(alert, least)]
    counts = Counter((alert["name"], alert["severity"], str(alert.get("labels", {}))) for alert in alerts)
    found += [
        f"alert {name!r}: {severity} is there {count} times"
        for (name, severity, _), count in counts.items()
        if count > 1
    ]
    return found


def _alert(alert: Alert, least: int) -> list[str]:
    who, found = f"alert {alert['name']!r}", []
    if not _ALERT.match(alert["name"]):
        found.append(f"{who}: the name must be in CamelCase")
    if alert["severity"] not in SEVERITIES:
        hint = nearest(alert["severity"], SEVERITIES)
        found.append(f"{who}: severity={alert['severity']!r} must be one of {', '.join(SEVERITIES)}; {hint}")
    if alert["severity"] != "none" and alert["for_seconds"] < least:
        found.append(f"{who}: for_seconds={alert['for_seconds']} must be at least {least}, two readings of a target")
    if not alert["summary"].strip() or not alert["expr"].strip():
        found.append(f"{who}: needs a summary and an expression")
    if not _PAGE.match(alert["runbook"]):
        found.append(f"{who}: runbook={alert['runbook']!r} must be the name of a page, without directory and ending")
    return found


def _sizes(args: MonitoringStackArgs) -> list[str]:
    bounds = {
        "replicas": (args["replicas"], 1, 10),
        "scrape_seconds": (args["scrape_seconds"], 5, 300),
        "retention_days": (args["retention_days"], 1, 3650),
        "storage_gib": (args["storage_gib"], 1, 65_536),
        "memory_mib": (args["memory_mib"], 128, 1_048_576),
        "alertmanager_replicas": (args["alertmanager_replicas"], 1, 10),
        "alertmanager_storage_gib": (args["alertmanager_storage_gib"], 1, 1024),
        "alertmanager_memory_mib": (args["alertmanager_memory_mib"], 32, 65_536),
        "group_wait_seconds": (args["group_wait_seconds"], 1, 3600),
        "group_interval_seconds": (args["group_interval_seconds"], 5, 86_400),
        "repeat_hours": (args["repeat_hours"], 1, 720),
    }
    found = [
        f"{field}={value} is outside {low}..{high}"
        for field, (value, low, high) in bounds.items()
        if not low <= value <= high
    ]
    if args["lowest_severity"] not in SEVERITIES[:2]:
        hint = nearest(args["lowest_severity"], SEVERITIES[:2])
        found.append(f"lowest_severity={args['lowest_severity']!r} must be critical or warning; {hint}")
    if not args["api_server_cidrs"] or not args["api_server_ports"]:
        found.append("api_server_cidrs and api_server_ports are required: Prometheus finds its targets there")
    return found


def _receiver(args: MonitoringStackArgs) -> list[str]:
    found = party_problems("receiver", args["receiver"])
    for number, reader in enumerate(args.get("readers", [])):
        found += party_problems(f"readers[{number}]", reader)
    if int(args["receiver_port"]) not in _PORTS:
        found.append(f"receiver_port={args['receiver_port']} is outside 1..65535")
    url = args["receiver_url"]
    if isinstance(url, str) and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        found.append(
            "receiver_url must be an http(s) address; it is not shown, as such addresses carry their permission"
        )
    return found
