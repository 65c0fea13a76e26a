"""PostgreSQL: cluster, poolers, roles, grants."""

from omnibase_infra.postgres.alerts import client_alerts, database_alerts
from omnibase_infra.postgres.args import (
    PostgresClusterArgs,
    PostgresDatabaseArgs,
    PostgresMigrationsArgs,
    PostgresOperatorArgs,
)
from omnibase_infra.postgres.component import PostgresCluster
from omnibase_infra.postgres.connection import Connection, connection_document, connection_files, connection_secret
from omnibase_infra.postgres.names import OPERATOR, endpoint, poolers, server_hosts
from omnibase_infra.postgres.names import pooler as pooler_name
from omnibase_infra.postgres.operator import PostgresOperator
from omnibase_infra.postgres.performance_alerts import performance_alerts

__all__ = [
    "OPERATOR",
    "Connection",
    "PostgresCluster",
    "PostgresClusterArgs",
    "PostgresDatabaseArgs",
    "PostgresMigrationsArgs",
    "PostgresOperator",
    "PostgresOperatorArgs",
    "client_alerts",
    "connection_document",
    "connection_files",
    "connection_secret",
    "database_alerts",
    "endpoint",
    "performance_alerts",
    "pooler_name",
    "poolers",
    "server_hosts",
]
