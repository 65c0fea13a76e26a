"""How much of tables and B-trees holds nothing, as the exporter asks for it; pure. Decision 0057 says why so.

What `VACUUM` leaves inside a file is free for new rows, and is read and kept in memory all the same. The functions of
`pgstattuple` count it; PostgreSQL lets the members of `pg_monitor` run them, and they show no row. Of a table they read
only pages that vacuum has not seen since they were written, of an index all: both have a bound.
"""

EXTENSION = {"name": "pgstattuple", "schema": "pg_catalog"}
"""In every database. Of that schema everybody may use what he may run, and no one else can put anything there."""
THERE = "SELECT to_regprocedure('pg_catalog.pgstattuple_approx(regclass)') IS NOT NULL"
TABLES, INDEXES = 10, 5
"""Of each database with series of their own: the largest."""
TABLE_PAGES = 4096
"""Most pages that are read of a table: 32 MiB. Of one with more that vacuum has not seen there is no answer."""
INDEX_PAGES = 8192
"""Largest index that is read: 64 MiB."""
_LEAST_PAGES = 128  # below 1 MiB there is nothing to gain
_TABLE_FILL, _INDEX_FILL = 100, 90  # PostgreSQL's own fillfactors

BUSY = """EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
      WHERE d.datname = current_database() AND l.mode = 'AccessExclusiveLock' AND l.relation IN ({}))"""
"""Whether somebody rewrites one of these relations: whoever asks for its size waits for him, and the scrape too."""
_RELATIONS = """
  SELECT c.oid, n.nspname, c.relname, c.relallvisible, current_setting('block_size')::int AS page,
    coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor')::float8,
      {fill}) / 100 AS fill, {columns}
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam {join}
  WHERE a.amname = '{method}' AND c.relpersistence <> 't' AND n.nspname !~ '^(pg_|information_schema$)'
    AND c.relpages >= {least} AND {condition}
    AND NOT {busy}
  ORDER BY c.relpages DESC, c.oid LIMIT {most}
"""
_TABLES = _RELATIONS.format(
    fill=_TABLE_FILL,
    columns="c.relkind",
    join="",
    method="heap",
    least=_LEAST_PAGES,
    condition=f"c.relkind IN ('r', 'm') AND c.relpages - c.relallvisible <= {TABLE_PAGES}",
    busy=BUSY.format("c.oid"),
    most=TABLES,
)
_INDEXES = _RELATIONS.format(
    fill=_INDEX_FILL,
    columns="t.relname AS table",
    join="JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON t.oid = i.indrelid",
    method="btree",
    least=_LEAST_PAGES,
    condition=f"c.relkind = 'i' AND i.indisvalid AND c.relpages <= {INDEX_PAGES}",
    busy=BUSY.format("c.oid, t.oid"),
    most=INDEXES,
)
OF_TABLES = f"""
WITH largest AS MATERIALIZED ({_TABLES}), measured AS (
  SELECT nspname, relname, s.table_len AS bytes,
    greatest(0, s.dead_tuple_len + s.approx_free_space - s.table_len * (1 - fill)) AS empty
  FROM largest, pgstattuple_approx(oid) s WHERE pg_relation_size(oid) / page - relallvisible <= {TABLE_PAGES})
SELECT current_database() AS datname, nspname AS schemaname, relname, empty AS bytes,
  coalesce(empty / nullif(bytes, 0), 0) AS share
FROM measured
"""  # noqa: S608  # numbers and words of ours
OF_INDEXES = f"""
WITH largest AS MATERIALIZED ({_INDEXES}), measured AS (
  SELECT nspname, "table", relname, s.index_size AS bytes, greatest(0, s.index_size - page * (1 + s.internal_pages
    + s.leaf_pages * least(1, coalesce(nullif(s.avg_leaf_density, 'NaN'), 0) / 100 / fill))) AS empty
  FROM largest, pgstatindex(oid::regclass) s WHERE pg_relation_size(oid) / page <= {INDEX_PAGES})
SELECT current_database() AS datname, nspname AS schemaname, "table" AS relname, relname AS indexrelname,
  empty AS bytes, coalesce(empty / nullif(bytes, 0), 0) AS share
FROM measured
"""  # noqa: S608


def columns(what: str) -> dict[str, tuple[str, str]]:
    """Kind and meaning of the columns of both answers.

    Args:
        what: `table` or `index`.
    """
    index = {"indexrelname": ("LABEL", "Name of the index")} if what == "index" else {}
    return {
        "datname": ("LABEL", "Name of the database"),
        "schemaname": ("LABEL", "Name of the schema"),
        "relname": ("LABEL", "Name of the table"),
        **index,
        "bytes": ("GAUGE", f"Space of the {what} that holds nothing, beyond what its fillfactor keeps free"),
        "share": ("GAUGE", f"The same as a share of the {what}"),
    }
