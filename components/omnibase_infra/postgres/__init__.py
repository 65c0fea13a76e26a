"""PostgreSQL: cluster, poolers, roles, grants."""

from omnibase_infra.postgres.alerts import client_alerts, database_alerts
from omnibase_infra.postgres.args import (
    PostgresClusterArgs,
    PostgresDatabaseArgs,
    PostgresMigrationsArgs,
    PostgresOperatorArgs,
)
from omnibase_infra.postgres.backup_args import BackupsArgs, ObjectStoreArgs, RecoveryArgs
from omnibase_infra.postgres.backups import PLUGIN as BACKUP_PLUGIN
from omnibase_infra.postgres.backups import archive, sidecar_memory, store_environment
from omnibase_infra.postgres.component import PostgresCluster
from omnibase_infra.postgres.connection import Connection, connection_document, connection_files, connection_secret
from omnibase_infra.postgres.names import OPERATOR, endpoint, poolers, server_hosts
from omnibase_infra.postgres.names import pooler as pooler_name
from omnibase_infra.postgres.operator import PostgresOperator
from omnibase_infra.postgres.performance_alerts import performance_alerts, service_pool_alert

__all__ = [
    "BACKUP_PLUGIN",
    "OPERATOR",
    "BackupsArgs",
    "Connection",
    "ObjectStoreArgs",
    "PostgresCluster",
    "PostgresClusterArgs",
    "PostgresDatabaseArgs",
    "PostgresMigrationsArgs",
    "PostgresOperator",
    "PostgresOperatorArgs",
    "RecoveryArgs",
    "archive",
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
    "service_pool_alert",
    "sidecar_memory",
    "store_environment",
]
