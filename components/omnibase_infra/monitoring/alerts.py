"""Our alerts, pure: from what is monitored to alerts. Thresholds and their sources: docs/architecture/monitoring.md.

Few symptoms call a person (critical), causes are looked at in working hours (warning). Only series that are really
scraped are used; tests/cluster asks a running Prometheus for every one of them.
"""

from collections.abc import Sequence

from omnibase_infra.alert import Alert
from omnibase_infra.monitoring import names
from omnibase_infra.monitoring.args import MonitoringStackArgs
from omnibase_infra.monitoring.docker_hosts import docker_alerts
from omnibase_infra.monitoring.workload_alerts import workload_alerts

_QUIET = (
    'route!~"/healthz|/readyz|/metrics"'  # probes would dilute the share of errors, and a 503 of /readyz is no error
)
_LEAST_ERRORS = 5  # in five minutes: below that a share means nothing
_DAY = 86_400


def our_alerts(args: MonitoringStackArgs) -> list[Alert]:
    """All alerts of ours for what the arguments name, with `for` at least two readings long."""
    found = [
        *(alert for service in args["services"] for alert in _service(service)),
        *(alert for database in args.get("databases", []) for alert in _database(database)),
        *(_nodes(args["nodes"]) if "nodes" in args else []),
        *(workload_alerts(args["workloads"]) if "workloads" in args else []),
        *(_certificates() if args.get("certificates") else []),
        *docker_alerts(args.get("docker_hosts", [])),
        *_targets(args),
        *_ourselves(),
    ]
    return [*patient(found, int(args["scrape_seconds"])), _watchdog()]


def patient(alerts: Sequence[Alert], scrape_seconds: int) -> list[Alert]:
    """The same alerts, each waiting for at least two readings: one lost reading calls nobody."""
    return [{**alert, "for_seconds": max(alert["for_seconds"], 2 * scrape_seconds)} for alert in alerts]


def _service(name: str) -> list[Alert]:
    down: Alert = {
        "name": "ServiceDown",
        "expr": f'absent(up{{job="{name}"}} == 1)',
        "for_seconds": 30,
        "severity": "critical",
        "summary": f"No copy of {name} answers.",
        "runbook": "service-down",
        "labels": {"service": name},
    }
    errors = [_errors(name, "critical", 0.1, 60), _errors(name, "warning", 0.01, 180)]
    return [down, *errors, _slow(name, "critical", 5, 120), _slow(name, "warning", 1, 300)]


def _errors(name: str, severity: str, share: float, seconds: int) -> Alert:
    all_requests = f'http_requests_total{{job="{name}",{_QUIET}}}'
    failed = f'http_requests_total{{job="{name}",{_QUIET},status=~"5.."}}'
    return {
        "name": "ServiceErrors",
        "expr": (
            f"sum(rate({failed}[2m])) / sum(rate({all_requests}[2m])) > {share} "
            f"and sum(increase({failed}[5m])) >= {_LEAST_ERRORS}"
        ),
        "for_seconds": seconds,
        "severity": severity,
        "summary": f"{{{{ $value | humanizePercentage }}}} of the requests to {name} fail.",
        "runbook": "service-errors",
        "labels": {"service": name},
    }


def _slow(name: str, severity: str, limit: int, seconds: int) -> Alert:
    buckets = f'http_request_duration_seconds_bucket{{job="{name}",{_QUIET}}}'
    return {
        "name": "ServiceSlow",
        "expr": f"histogram_quantile(0.95, sum by (le) (rate({buckets}[5m]))) > {limit}",
        "for_seconds": seconds,
        "severity": severity,
        "summary": f"One request to {name} in twenty takes longer than {{{{ $value | humanizeDuration }}}}.",
        "runbook": "service-slow",
        "labels": {"service": name},
    }


def _database(job: str) -> list[Alert]:
    recovery, receiving = f'cnpg_pg_replication_in_recovery{{job="{job}"}}', "cnpg_pg_replication_is_wal_receiver_up"
    used = f'sum by (pod) (cnpg_backends_total{{job="{job}"}})'
    most = f'max by (pod) (cnpg_pg_settings_setting{{job="{job}",name="max_connections"}})'
    return [
        {
            "name": "DatabasePrimaryMissing",
            "expr": f"absent({recovery} == 0)",
            "for_seconds": 60,
            "severity": "critical",
            "summary": f"No instance of {job} takes writes.",
            "runbook": "database-primary-missing",
            "labels": {"database": job},
        },
        {
            "name": "DatabaseFailedOver",
            "expr": f"max by (pod) ({recovery}) == 0 and max by (pod) (max_over_time({recovery}[5m])) == 1",
            "for_seconds": 10,
            "severity": "warning",
            "summary": f"{{{{ $labels.pod }}}} became the primary of {job} within the last five minutes.",
            "runbook": "primary-lost",
            "labels": {"database": job},
        },
        {
            "name": "DatabaseReplicaBehind",
            "expr": (
                f'max by (pod) (cnpg_pg_replication_lag{{job="{job}"}}) > 60 '
                f'or max by (pod) ({receiving}{{job="{job}"}}) == 0 and on (pod) {recovery} == 1'
            ),
            "for_seconds": 120,
            "severity": "warning",
            "summary": "Replica {{ $labels.pod }} is not, or not closely, behind its primary.",
            "runbook": "database-replica-behind",
            "labels": {"database": job},
        },
        {
            "name": "DatabaseConnectionsHigh",
            "expr": f"{used} / {most} > 0.8",
            "for_seconds": 300,
            "severity": "warning",
            "summary": "{{ $labels.pod }} uses {{ $value | humanizePercentage }} of its connections.",
            "runbook": "database-connections-high",
            "labels": {"database": job},
        },
    ]


def _nodes(job: str) -> list[Alert]:
    free, size, kept = (
        f'node_filesystem_{field}_bytes{{job="{job}",fstype!="tmpfs"}}' for field in ("avail", "size", "free")
    )
    share = f"{free} / ({size} - {kept} + {free})"  # as `df` counts: what is reserved for root is no room
    return [
        {
            "name": "DiskFilling",
            "expr": f"{share} < 0.05 or {share} < 0.2 and predict_linear({free}[1h], 4 * 3600) < 0",
            "for_seconds": 300,
            "severity": "critical",
            "summary": "{{ $labels.mountpoint }} of {{ $labels.instance }} is full, or will be within four hours.",
            "runbook": "disk-filling",
        },
        {
            "name": "DiskFilling",
            "expr": f"{share} < 0.2 or {share} < 0.4 and predict_linear({free}[6h], 24 * 3600) < 0",
            "for_seconds": 900,
            "severity": "warning",
            "summary": "{{ $labels.mountpoint }} of {{ $labels.instance }} is 80 % full, or will be full tomorrow.",
            "runbook": "disk-filling",
        },
    ]


def _certificates() -> list[Alert]:
    known = "certificate {{ $labels.certificate }} of {{ $labels.exported_namespace }}"
    return [
        {
            "name": "CertificateExpiring",
            "expr": f"omnibase_certificate_not_after_timestamp_seconds - time() < {3 * _DAY}",
            "for_seconds": 60,
            "severity": "critical",
            "summary": f"The {known} ends in {{{{ $value | humanizeDuration }}}}.",
            "runbook": "certificate-expiring",
        },
        {
            "name": "CertificateExpiring",
            "expr": "time() > omnibase_certificate_renew_after_timestamp_seconds",
            "for_seconds": 300,
            "severity": "warning",
            "summary": f"The {known} is due for renewal.",
            "runbook": "certificate-expiring",
        },
    ]


def _targets(args: MonitoringStackArgs) -> list[Alert]:
    # A service that is gone as a whole is a page of its own.
    others = sorted(target["name"] for target in args["targets"] if target["name"] not in args["services"])
    missing = "".join(f' or absent(up{{job="{name}"}})' for name in others)
    who = "{{ $labels.job }}{{ with $labels.pod }} {{ . }}{{ end }}"
    return [
        {
            "name": "TargetDown",
            "expr": f"up == 0{missing}",
            "for_seconds": 120,
            "severity": "warning",
            "summary": f"{who} gives no metrics: its alerts are blind.",
            "runbook": "target-down",
        },
        {
            "name": "ProcessRestarting",
            "expr": "changes(process_start_time_seconds[10m]) > 2",
            "for_seconds": 30,
            "severity": "warning",
            "summary": who + " started {{ $value }} times in ten minutes.",
            "runbook": "process-restarting",
        },
    ]


def _ourselves() -> list[Alert]:
    sending = f'alertmanager_notification_requests_failed_total{{job="{names.ALERTMANAGER}"}}'
    knows = f'prometheus_notifications_alertmanagers_discovered{{job="{names.PROMETHEUS}"}}'
    return [
        {
            "name": "NotificationsFailing",
            "expr": f"sum by (integration) (rate({sending}[5m])) > 0 or min by (pod) ({knows}) < 1",
            "for_seconds": 60,
            "severity": "critical",
            "summary": "Alerts do not reach their receiver.",
            "runbook": "notifications-failing",
        }
    ]


def _watchdog() -> Alert:
    """Always firing: whoever does not hear of it any more knows that alerting is dead."""
    return {
        "name": "Watchdog",
        "expr": "vector(1)",
        "for_seconds": 0,
        "severity": "none",
        "summary": "Alerting works; the absence of this one is the alarm.",
        "runbook": "watchdog",
    }
