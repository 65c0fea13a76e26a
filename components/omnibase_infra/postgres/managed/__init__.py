"""Databases on a PostgreSQL server that somebody else runs."""

from omnibase_infra.postgres.managed.args import ManagedDatabaseArgs, ManagedPostgresArgs
from omnibase_infra.postgres.managed.component import ManagedPostgres

__all__ = ["ManagedDatabaseArgs", "ManagedPostgres", "ManagedPostgresArgs"]
