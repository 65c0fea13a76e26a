"""The table that records what ran."""

from __future__ import annotations


def tracking_sql(table: str) -> str:
    """Makes the table where it is missing. The name is a plain identifier, which is checked where it is given."""
    return f"""CREATE TABLE IF NOT EXISTS {table} (
  version integer PRIMARY KEY,
  name text NOT NULL UNIQUE,
  sha256_up text NOT NULL,
  sha256_down text NOT NULL,
  state text NOT NULL DEFAULT 'applied' CHECK (state IN ('applied', 'applying', 'reverting')),
  applied_at timestamptz NOT NULL DEFAULT now(),
  applied_by text NOT NULL DEFAULT session_user,
  duration_ms integer NOT NULL
);"""
