"""Alerts on logging, pure. Thresholds and their sources: docs/architecture/logging.md."""

from omnibase_infra.alert import Alert
from omnibase_infra.logging import names

_NEAR = 0.9
_GIB = 1 << 30


def logging_alerts(name: str, size_cap_gib: int) -> list[Alert]:
    """Alerts on the store (away, full, nothing new, near its cap) and on collectors (behind, stuck).

    Args:
        name: of the LoggingStack.
        size_cap_gib: size at which the store drops its oldest days, in GiB.
    """
    store, collector = names.store(name), names.collector(name)
    return [*_store(store, size_cap_gib), *_collectors(collector)]


def _store(job: str, size_cap_gib: int) -> list[Alert]:
    return [
        {
            "name": "LogStoreDown",
            "expr": f'absent(up{{job="{job}"}} == 1)',
            "for_seconds": 60,
            "severity": "warning",
            "summary": "The log store does not answer; collectors keep the lines for now.",
            "runbook": "log-store-down",
            "labels": {"service": job},
        },
        {
            "name": "LogStoreFull",
            "expr": f'max by (pod) (vl_storage_is_read_only{{job="{job}"}}) == 1',
            "for_seconds": 60,
            "severity": "critical",
            "summary": "The log store takes no more lines: its volume is full.",
            "runbook": "log-store-full",
            "labels": {"service": job},
        },
        {
            "name": "LogStoreNearCap",
            "expr": f'sum by (pod) (vl_data_size_bytes{{job="{job}"}}) > {int(_NEAR * size_cap_gib * _GIB)}',
            "for_seconds": 900,
            "severity": "warning",
            "summary": "Logs use {{ $value | humanize1024 }}B; at the cap the oldest days go before their time.",
            "runbook": "log-store-full",
            "labels": {"service": job},
        },
        {
            "name": "LogsNotArriving",
            "expr": f'sum by (pod) (rate(vl_rows_ingested_total{{job="{job}"}}[10m])) == 0',
            "for_seconds": 300,
            "severity": "warning",
            "summary": "The log store has got no line for ten minutes.",
            "runbook": "logs-not-arriving",
            "labels": {"service": job},
        },
    ]


def _collectors(job: str) -> list[Alert]:
    used, room = (f'max by (pod) (otelcol_exporter_queue_{field}{{job="{job}"}})' for field in ("size", "capacity"))
    taken, handed = (
        f'sum by (pod) (rate({series}{{job="{job}"}}[5m]))'
        for series in ("otelcol_receiver_accepted_log_records_total", "otelcol_exporter_sent_log_records_total")
    )
    return [
        {
            "name": "LogCollectorBehind",
            "expr": f"{used} / {room} > 0.5",
            "for_seconds": 300,
            "severity": "warning",
            "summary": "The buffer of collector {{ $labels.pod }} is {{ $value | humanizePercentage }} full.",
            "runbook": "log-collector-behind",
        },
        {
            "name": "LogCollectorStuck",
            "expr": f"{handed} == 0 and {taken} > 0",
            "for_seconds": 120,
            "severity": "warning",
            "summary": "Collector {{ $labels.pod }} reads lines and hands none over.",
            "runbook": "log-collector-behind",
        },
    ]
