"""PostgreSQL: cluster, poolers, roles, grants."""

from omnibase_infra.postgres.alerts import database_alerts
from omnibase_infra.postgres.args import (
    PostgresClusterArgs,
    PostgresDatabaseArgs,
    PostgresMigrationsArgs,
    PostgresOperatorArgs,
)
from omnibase_infra.postgres.component import PostgresCluster
from omnibase_infra.postgres.names import OPERATOR, endpoint, poolers
from omnibase_infra.postgres.operator import PostgresOperator
from omnibase_infra.postgres.performance_alerts import performance_alerts

__all__ = [
    "OPERATOR",
    "PostgresCluster",
    "PostgresClusterArgs",
    "PostgresDatabaseArgs",
    "PostgresMigrationsArgs",
    "PostgresOperator",
    "PostgresOperatorArgs",
    "database_alerts",
    "endpoint",
    "performance_alerts",
    "poolers",
]
