"""Alerts on what makes a database slow, or stops it days later, pure. Thresholds: docs/architecture/monitoring.md."""

from collections.abc import Iterator

from omnibase_infra.alert import Alert
from omnibase_infra.postgres.sizing import wal_parameters

_MIB = 1 << 20
_XIDS = {"warning": 400_000_000, "critical": 1_000_000_000}
_BLOAT = {"table": 256, "index": 16}
"""MiB that hold nothing, from which on it is worth the work."""
_MULTIXACTS = {"warning": 800_000_000, "critical": 1_200_000_000}


def performance_alerts(job: str, wal_storage_gib: int, pooler_clients: int) -> list[Alert]:
    """Alerts on transactions, locks, vacuum, slots and poolers.

    Args:
        job: of the instances' series; the poolers' is `<job>-pooler`.
        wal_storage_gib: volume of an instance's write-ahead log, of which a slot may hold back a part.
        pooler_clients: client connections that each pod of a pooler takes.
    """
    kept = int(wal_parameters(wal_storage_gib)["max_slot_wal_keep_size"].removesuffix("MB")) * _MIB
    servers = [*_sessions(job), *_prepared(job), *_ids(job), *_vacuum(job), *_bloat(job), *_slots(job, kept)]
    for alert in servers:
        alert["labels"] = {"database": job}
    # the others have a label of their own that says which database
    return [*servers, *_poolers(f"{job}-pooler", pooler_clients)]


def _sessions(job: str) -> Iterator[Alert]:
    yield {
        "name": "DatabaseTransactionLong",
        "expr": f'max by (pod) (cnpg_pg_transactions_oldest_seconds{{job="{job}"}}) > 900',
        "for_seconds": 60,
        "severity": "warning",
        "summary": "A transaction on {{ $labels.pod }} is open for {{ $value | humanizeDuration }}.",
        "runbook": "database-sessions-in-the-way",
    }
    yield {
        "name": "DatabaseLockWait",
        "expr": f'max by (pod) (cnpg_pg_lock_waits_longest_wait_seconds{{job="{job}"}}) > 60',
        "for_seconds": 60,
        "severity": "warning",
        "summary": "A session on {{ $labels.pod }} has waited {{ $value | humanizeDuration }} for a lock.",
        "runbook": "database-sessions-in-the-way",
    }


def _prepared(job: str) -> Iterator[Alert]:
    for severity, seconds in (("warning", 300), ("critical", 3600)):
        yield {
            "name": "DatabaseTransactionInDoubt",
            "expr": f'max by (datname) (cnpg_pg_prepared_oldest_seconds{{job="{job}"}}) > {seconds}',
            "for_seconds": 60,
            "severity": severity,
            "summary": "A prepared transaction in {{ $labels.datname }} is {{ $value | humanizeDuration }} old.",
            "runbook": "database-transaction-in-doubt",
        }


def _ids(job: str) -> Iterator[Alert]:
    for severity in ("critical", "warning"):
        xids = f'max by (datname) (cnpg_pg_database_xid_age{{job="{job}"}})'
        members = f'max by (datname) (cnpg_pg_database_mxid_age{{job="{job}"}})'
        yield {
            "name": "DatabaseIdsRunningOut",
            "expr": f"{xids} > {_XIDS[severity]} or {members} > {_MULTIXACTS[severity]}",
            "for_seconds": 300,
            "severity": severity,
            "summary": "{{ $labels.datname }} is {{ $value | humanize }} transactions behind with freezing.",
            "runbook": "database-ids-running-out",
        }


def _vacuum(job: str) -> Iterator[Alert]:
    yield {
        "name": "DatabaseVacuumBehind",
        "expr": f'max by (datname, schemaname, relname) (cnpg_pg_tables_vacuum_due{{job="{job}"}}) > 2 '
        f'and max by (datname, schemaname, relname) (cnpg_pg_tables_dead_rows{{job="{job}"}}) > 10000',
        "for_seconds": 1800,
        "severity": "warning",
        "summary": "{{ $labels.datname }}.{{ $labels.schemaname }}.{{ $labels.relname }} has "
        "{{ $value | humanize }} times the dead rows at which it is vacuumed.",
        "runbook": "database-vacuum-behind",
    }
    yield {
        "name": "DatabaseIndexInvalid",
        "expr": f'max by (datname) (cnpg_pg_indexes_invalid{{job="{job}"}}) > 0',
        "for_seconds": 300,
        "severity": "warning",
        "summary": "{{ $labels.datname }} has {{ $value }} index that is kept up to date and never used.",
        "runbook": "database-index-invalid",
    }


def _bloat(job: str) -> Iterator[Alert]:
    for what, name in (("table", "relname"), ("index", "indexrelname")):
        share, empty = (f'max by (datname, schemaname, {name}) (cnpg_pg_{what}_bloat_{each}{{job="{job}"}})'
                        for each in ("share", "bytes"))  # fmt: skip
        yield {
            "name": f"Database{what.capitalize()}Bloated",
            "expr": f"{share} > 0.5 and {empty} > {_BLOAT[what] * _MIB}",
            "for_seconds": 3600,
            "severity": "warning",
            "summary": "{{ $value | humanizePercentage }} of {{ $labels.datname }}.{{ $labels.schemaname }}."
            f"{{{{ $labels.{name} }}}} holds nothing.",
            "runbook": "database-bloated",
        }


def _slots(job: str, kept: int) -> Iterator[Alert]:
    yield {
        "name": "DatabaseSlotBehind",
        "expr": f'max by (pod, slot_name) (cnpg_pg_replication_slots_pg_wal_lsn_diff{{job="{job}"}}) > {kept // 2}',
        "for_seconds": 300,
        "severity": "warning",
        "summary": "Slot {{ $labels.slot_name }} holds {{ $value | humanize1024 }}B of log on {{ $labels.pod }}.",
        "runbook": "database-slot-behind",
    }
    yield {
        "name": "DatabaseSlotLost",
        "expr": f'max by (pod, slot_name) (cnpg_pg_slots_lost{{job="{job}"}}) == 1',
        "for_seconds": 60,
        "severity": "critical",
        "summary": "The log that slot {{ $labels.slot_name }} on {{ $labels.pod }} needs is gone.",
        "runbook": "database-slot-behind",
    }


def _poolers(job: str, clients: int) -> Iterator[Alert]:
    series = "cnpg_pgbouncer_pools"
    yield {
        "name": "PoolerSaturated",
        "expr": f'max by (pod, database) ({series}_maxwait{{job="{job}"}}) > 10',
        "for_seconds": 30,
        "severity": "critical",
        "summary": "Clients of {{ $labels.database }} wait {{ $value | humanizeDuration }} at {{ $labels.pod }}; "
        "after 30 s they are turned away.",
        "runbook": "pooler-saturated",
    }
    yield {
        "name": "PoolerSaturated",
        "expr": f'max by (pod, database) ({series}_cl_waiting{{job="{job}"}}) > 0',
        "for_seconds": 120,
        "severity": "warning",
        "summary": "{{ $value }} clients of {{ $labels.database }} wait for a server connection at {{ $labels.pod }}.",
        "runbook": "pooler-saturated",
    }
    connected = f'{series}_cl_active{{job="{job}"}} + {series}_cl_waiting{{job="{job}"}}'
    yield {
        "name": "PoolerClientsHigh",
        "expr": f"sum by (pod) ({connected}) / {clients} > 0.8",
        "for_seconds": 300,
        "severity": "warning",
        "summary": "{{ $labels.pod }} has {{ $value | humanizePercentage }} of the clients that it takes.",
        "runbook": "pooler-saturated",
    }


def service_pool_alert() -> Alert:
    """What services say of their own pools, whichever cluster these lead to: connections that are not given back, or a
    pool that is too small."""
    used = 'max by (job, pod, endpoint) (database_pool_connections{state="used"})'
    return {
        "name": "ServicePoolFull",
        "expr": f"{used} / max by (job, pod, endpoint) (database_pool_limit) >= 0.8",
        "for_seconds": 300,
        "severity": "warning",
        "summary": "{{ $labels.pod }} of {{ $labels.job }} uses {{ $value | humanizePercentage }} of its connections "
        "({{ $labels.endpoint }}).",
        "runbook": "service-pool-full",
    }
