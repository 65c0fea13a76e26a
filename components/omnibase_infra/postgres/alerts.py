"""Alerts on the database's volumes and on who cannot reach it, pure. Thresholds: docs/architecture/monitoring.md.

What is measured is what PostgreSQL says of itself against the declared sizes: a volume may be a directory whose size
nobody enforces, and its own file system would tell of the whole disk.
"""

from omnibase_infra.alert import Alert

_GIB = 1 << 30
_RUNBOOK = "database-filling"


def database_alerts(job: str, storage_gib: int, wal_storage_gib: int) -> list[Alert]:
    """Alerts on data and write-ahead log of one cluster that come near the size of their volumes.

    Args:
        job: of the instances' series.
        storage_gib: data volume of each instance.
        wal_storage_gib: volume of its write-ahead log.
    """
    data = f'sum by (pod) (cnpg_pg_database_size_bytes{{job="{job}"}}) / {storage_gib * _GIB}'
    log = f'max by (pod) (cnpg_collector_pg_wal{{job="{job}",value="size"}}) / {wal_storage_gib * _GIB}'
    return [
        _filling(job, data, "critical", 0.9, 300),
        _filling(job, data, "warning", 0.8, 900),
        {
            "name": "DatabaseLogFilling",
            "expr": f"{log} > 0.85",
            "for_seconds": 300,
            "severity": "critical",
            "summary": "The log (WAL) of {{ $labels.pod }} takes {{ $value | humanizePercentage }} of its volume.",
            "runbook": _RUNBOOK,
            "labels": {"database": job},
        },
    ]


def client_alerts() -> list[Alert]:
    """Alerts on services that do not reach their database, whichever it is."""
    return [
        {
            "name": "ServiceWithoutDatabase",
            # what services say themselves, also of a database on somebody else's server
            "expr": 'max by (job) (database_connected{endpoint="rw"}) == 0',
            "for_seconds": 60,
            "severity": "critical",
            "summary": "No copy of {{ $labels.job }} reaches its database.",
            "runbook": "service-without-database",
        },
    ]


def _filling(job: str, share: str, severity: str, limit: float, seconds: int) -> Alert:
    return {
        "name": "DatabaseFilling",
        "expr": f"{share} > {limit}",
        "for_seconds": seconds,
        "severity": severity,
        "summary": "The databases of {{ $labels.pod }} take {{ $value | humanizePercentage }} of their volume.",
        "runbook": _RUNBOOK,
        "labels": {"database": job},
    }
