"""What `ops db report` shows of a PostgreSQL cluster: one line chart for each question, pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Unit = Literal["", "/s", "%", "s", "bytes"]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One chart."""

    title: str
    expression: str
    """PromQL; one line for each of its series."""
    names: tuple[str, ...]
    """Labels that tell its lines apart."""
    unit: Unit = ""
    alert: str = ""
    """Alert that judges the same; its runbook says what to do."""
    limit: float | None = None
    """Where the alert begins."""


def sections(cluster: str) -> dict[str, list[Panel]]:
    """Heading -> charts, of a cluster by the name that its series have as `job`."""
    return {
        "Servers": _servers(f'job="{cluster}"'),
        "Replication": _replication(f'job="{cluster}"'),
        "Poolers": _poolers(f'job="{cluster}-pooler"'),
        "Slow statements": _statements(f'job="{cluster}"'),
        "Bloat": _bloat(f'job="{cluster}"'),
    }


def _servers(job: str) -> list[Panel]:
    most = f'max by (pod) (cnpg_pg_settings_setting{{name="max_connections",{job}}})'
    return [
        Panel(
            title="Transactions committed",
            expression=f"sum by (datname) (rate(cnpg_pg_stat_database_xact_commit{{{job}}}[5m]))",
            names=("datname",),
            unit="/s",
        ),
        Panel(
            title="Connections used",
            expression=f"100 * sum by (pod) (cnpg_backends_total{{{job}}}) / {most}",
            names=("pod",),
            unit="%",
            alert="DatabaseConnectionsHigh",
            limit=80,
        ),
        Panel(
            title="Size of the databases",
            expression=f"max by (datname) (cnpg_pg_database_size_bytes{{{job}}})",
            names=("datname",),
            unit="bytes",
            alert="DatabaseFilling",
        ),
    ]


def _replication(job: str) -> list[Panel]:
    return [
        Panel(
            title="Replay is behind by",
            expression=f"max by (pod) (cnpg_pg_replication_lag{{{job}}})",
            names=("pod",),
            unit="s",
            alert="DatabaseReplicaBehind",
            limit=60,
        ),
        Panel(
            title="Log that slots hold back",
            expression=f"max by (pod, slot_name) (cnpg_pg_replication_slots_pg_wal_lsn_diff{{{job}}})",
            names=("pod", "slot_name"),
            unit="bytes",
            alert="DatabaseSlotBehind",
        ),
        Panel(
            title="Write-ahead log on its volume",
            expression=f'max by (pod) (cnpg_collector_pg_wal{{{job},value="size"}})',
            names=("pod",),
            unit="bytes",
            alert="DatabaseLogFilling",
        ),
    ]


def _poolers(job: str) -> list[Panel]:
    pools = "cnpg_pgbouncer_pools"
    return [
        Panel(
            title="Clients",
            expression=f"sum by (pod) ({pools}_cl_active{{{job}}} + {pools}_cl_waiting{{{job}}})",
            names=("pod",),
            alert="PoolerClientsHigh",
        ),
        Panel(
            title="The longest wait for a server connection",
            expression=f"max by (pod, database) ({pools}_maxwait{{{job}}})",
            names=("pod", "database"),
            unit="s",
            alert="PoolerSaturated",
            limit=10,
        ),
        Panel(
            title="Server connections at work",
            expression=f"sum by (pod, database) ({pools}_sv_active{{{job}}})",
            names=("pod", "database"),
        ),
    ]


def _statements(job: str) -> list[Panel]:
    seconds = f"sum by (datname, queryid) (rate(cnpg_pg_statements_seconds{{{job}}}[5m]))"
    return [
        Panel(
            title="Time of the longest statements, seconds a second",
            expression=f"topk(5, {seconds}) > 0",
            names=("datname", "queryid"),
        ),
        Panel(
            title="The longest wait for a lock",
            expression=f"max by (pod) (cnpg_pg_lock_waits_longest_wait_seconds{{{job}}})",
            names=("pod",),
            unit="s",
            alert="DatabaseLockWait",
            limit=60,
        ),
        Panel(
            title="The oldest open transaction",
            expression=f"max by (pod) (cnpg_pg_transactions_oldest_seconds{{{job}}})",
            names=("pod",),
            unit="s",
            alert="DatabaseTransactionLong",
            limit=900,
        ),
    ]


def _bloat(job: str) -> list[Panel]:
    table = ("datname", "schemaname", "relname")
    return [
        Panel(
            title="Dead rows, in times of what autovacuum waits for",
            expression=f"topk(5, max by ({', '.join(table)}) (cnpg_pg_tables_vacuum_due{{{job}}}))",
            names=table,
            alert="DatabaseVacuumBehind",
            limit=2,
        ),
        Panel(
            title="Size of the tables with most dead rows",
            expression=f"topk(5, max by ({', '.join(table)}) (cnpg_pg_tables_bytes{{{job}}}))",
            names=table,
            unit="bytes",
        ),
        *_empty(job),
        Panel(
            title="Indexes that no query uses because their making failed",
            expression=f"max by (datname) (cnpg_pg_indexes_invalid{{{job}}})",
            names=("datname",),
            alert="DatabaseIndexInvalid",
            limit=0,
        ),
    ]


def _empty(job: str) -> Iterator[Panel]:
    for what, name, title in (("table", "relname", "tables"), ("index", "indexrelname", "indexes")):
        labels = ("datname", "schemaname", name)
        yield Panel(
            title=f"Space of the largest {title} that holds nothing",
            expression=f"topk(5, 100 * max by ({', '.join(labels)}) (cnpg_pg_{what}_bloat_share{{{job}}}))",
            names=labels,
            unit="%",
            alert=f"Database{what.capitalize()}Bloated",
            limit=50,
        )
