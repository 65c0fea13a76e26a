"""Databases on a PostgreSQL server that somebody else runs."""

from omnibase_infra.postgres.managed.args import ManagedPostgresArgs
from omnibase_infra.postgres.managed.component import ManagedPostgres

__all__ = ["ManagedPostgres", "ManagedPostgresArgs"]
