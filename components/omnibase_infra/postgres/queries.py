"""What the operator's exporter reads beside its own 14 queries, pure.

The exporter logs in as a member of `pg_monitor` and pins the search path to `pg_catalog` first. Every answer has a
bound: a label is a database, a table among the worst, a statement among the longest, or a class of waits; never a text
of a statement and never what a client may choose.
"""

from typing import Any

import yaml

from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.postgres import bloat, names
from omnibase_infra.postgres.args import PostgresClusterArgs

KEY = "queries"
STATEMENTS = 20
"""Statements with series of their own."""
TABLES = 10
"""Tables of each database with series of their own."""
_MAINTENANCE = ["postgres"]  # what holds for the whole server is asked where no user can make anything

# The operator's own statements are the same few in each cluster, and would fill the list of one that has little to do.
_OPERATORS = "'postgres', 'cnpg_metrics_exporter', 'streaming_replica', 'cnpg_pooler_pgbouncer'"
_STATEMENTS = f"""
SELECT d.datname, pg_get_userbyid(s.userid) AS usename, s.queryid::text, sum(s.calls) AS calls,
  sum(s.total_exec_time) / 1000 AS seconds, sum(s.rows) AS rows,
  sum(s.shared_blk_read_time + s.shared_blk_write_time + s.temp_blk_read_time + s.temp_blk_write_time) / 1000
    AS io_seconds
FROM public.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE s.queryid IS NOT NULL AND pg_get_userbyid(s.userid) NOT IN ({_OPERATORS})
GROUP BY 1, 2, 3 ORDER BY 5 DESC LIMIT {STATEMENTS}
"""  # noqa: S608  # a number of ours
_STATEMENTS_THERE = "SELECT to_regclass('public.pg_stat_statements') IS NOT NULL"
_TRANSACTIONS = """
SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0) AS oldest_seconds,
  count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle,
  coalesce(max(greatest(age(backend_xid), age(backend_xmin))), 0) AS oldest_xids
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_LOCKS = """
SELECT count(DISTINCT pid) AS waiting, coalesce(max(extract(epoch FROM now() - waitstart)), 0) AS longest_wait_seconds
FROM pg_locks WHERE NOT granted
"""
_WAITS = """
SELECT coalesce(wait_event_type, 'Processor') AS event, count(*) AS sessions
FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid() GROUP BY 1
"""
_PREPARED = """
SELECT d.datname, count(p.gid) AS transactions,
  coalesce(max(extract(epoch FROM now() - p.prepared)), 0) AS oldest_seconds
FROM pg_database d LEFT JOIN pg_prepared_xacts p ON p.database = d.datname WHERE d.datallowconn GROUP BY 1
"""
_SLOTS = """
SELECT slot_name, coalesce(wal_status = 'lost', false)::int AS lost, coalesce(safe_wal_size, -1) AS safe_bytes
FROM pg_replication_slots WHERE NOT temporary
"""
# autovacuum comes when a table has more dead rows than its threshold; what is far above that is not kept up with
_TABLES = f"""
SELECT current_database() AS datname, schemaname, relname, n_live_tup AS live_rows, n_dead_tup AS dead_rows,
  n_dead_tup / (current_setting('autovacuum_vacuum_threshold')::float8
    + current_setting('autovacuum_vacuum_scale_factor')::float8 * n_live_tup) AS vacuum_due,
  pg_table_size(relid) AS bytes
FROM pg_stat_user_tables WHERE NOT {bloat.BUSY.format("relid")} ORDER BY n_dead_tup DESC, relid LIMIT {TABLES}
"""  # noqa: S608
_INDEXES = """
SELECT current_database() AS datname, count(*) AS invalid FROM pg_index i
WHERE NOT i.indisvalid AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
"""


def queries() -> dict[str, Any]:
    """All queries in the operator's form."""
    return {
        "pg_statements": _query(
            _STATEMENTS,
            datname=("LABEL", "Name of the database"),
            usename=("LABEL", "Role that ran it"),
            queryid=("LABEL", "Number of the statement in pg_stat_statements"),
            calls=("COUNTER", "How often it ran"),
            seconds=("COUNTER", "Time in the executor"),
            rows=("COUNTER", "Rows that it returned or changed"),
            io_seconds=("COUNTER", "Time in reading and writing blocks"),
            predicate=_STATEMENTS_THERE,
        ),
        "pg_transactions": _query(
            _TRANSACTIONS,
            oldest_seconds=("GAUGE", "Age of the oldest open transaction of a client"),
            idle=("GAUGE", "Clients that are idle in a transaction"),
            oldest_xids=("GAUGE", "Transactions since the oldest one that a client still sees: vacuum keeps them all"),
        ),
        "pg_lock_waits": _query(
            _LOCKS,
            waiting=("GAUGE", "Sessions that wait for a lock"),
            longest_wait_seconds=("GAUGE", "How long the longest has waited"),
        ),
        "pg_waits": _query(
            _WAITS,
            event=("LABEL", "Class of what is waited for; Processor for nothing"),
            sessions=("GAUGE", "Clients in a statement that wait for it"),
        ),
        "pg_prepared": _query(
            _PREPARED,
            datname=("LABEL", "Name of the database"),
            transactions=("GAUGE", "Prepared transactions that nobody committed or rolled back yet"),
            oldest_seconds=("GAUGE", "Age of the oldest"),
        ),
        "pg_slots": _query(
            _SLOTS,
            slot_name=("LABEL", "Name of the slot"),
            lost=("GAUGE", "1 when the log that it needs is gone"),
            safe_bytes=("GAUGE", "Log that may still be written before it is lost; -1 without a bound"),
        ),
        "pg_tables": _query(
            _TABLES,
            datname=("LABEL", "Name of the database"),
            schemaname=("LABEL", "Name of the schema"),
            relname=("LABEL", "Name of the table"),
            live_rows=("GAUGE", "Rows, estimated"),
            dead_rows=("GAUGE", "Dead rows that take space, estimated"),
            vacuum_due=("GAUGE", "Dead rows as a share of those at which autovacuum comes"),
            bytes=("GAUGE", "Size without indexes"),
            everywhere=True,
        ),
        "pg_indexes": _query(
            _INDEXES,
            datname=("LABEL", "Name of the database"),
            invalid=("GAUGE", "Indexes that no query uses because their making failed"),
            everywhere=True,
        ),
        "pg_table_bloat": _query(bloat.OF_TABLES, **bloat.columns("table"), predicate=bloat.THERE, everywhere=True),
        "pg_index_bloat": _query(bloat.OF_INDEXES, **bloat.columns("index"), predicate=bloat.THERE, everywhere=True),
    }


def _query(statement: str, *, predicate: str = "", everywhere: bool = False, **columns: tuple[str, str]) -> Manifest:
    """One query.

    Args:
        predicate: asked before; the query is left out unless it says true.
        everywhere: in each database, on the primary only: a standby keeps no statistics of tables.
        columns: kind and meaning of each column.
    """
    found: Manifest = {
        "query": statement.strip(),
        "target_databases": ["*"] if everywhere else _MAINTENANCE,
        "metrics": [{name: {"usage": kind, "description": text}} for name, (kind, text) in columns.items()],
    }
    if everywhere:
        found["primary"] = True
    if predicate:
        found["predicate_query"] = predicate
    return found


def config_map(cluster: str, args: PostgresClusterArgs) -> Manifest:
    """The object that the Cluster names; the operator reads it again when it changes."""
    name = names.queries(cluster)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": {**labels(name, "database", args["environment"]), "cnpg.io/reload": ""},
        },
        "data": {KEY: yaml.safe_dump(queries(), sort_keys=False, width=1000)},
    }
