"""The database of an environment: operator, cluster, and what its clients are given."""

from __future__ import annotations

from omnibase_infra.alert import Alert
from omnibase_infra.config import ServiceConfig
from omnibase_infra.platform.room import Room
from omnibase_infra.postgres import OPERATOR, PostgresCluster, PostgresClusterArgs, PostgresOperator, database_alerts
from omnibase_infra.versions import CLOUDNATIVE_PG
from omnibase_infra.workload import HardenedWorkloadArgs

DATABASE = "database"
_PASSWORD_DIRECTORY = "/run/secrets/database"  # noqa: S105  # a directory, not a password
_CA_DIRECTORY = "/run/secrets/database-ca"


def make_database(room: Room, operators: list[PostgresOperator]) -> PostgresCluster:
    """The PostgreSQL cluster, after its operator unless another stack of the Kubernetes cluster has it."""
    return PostgresCluster(DATABASE, _cluster_args(room), room.below(room.environment, *operators))


def make_database_alerts(room: Room) -> list[Alert]:
    """Alerts on volumes that fill."""
    settings = room.config.postgres
    return database_alerts(DATABASE, settings.storage_gib, settings.wal_storage_gib)


def connect(args: HardenedWorkloadArgs, prefix: str, database: PostgresCluster, generation: int) -> None:
    """Give a workload the database: addresses, role, password and certificate as files, a restart on a new password."""
    args.setdefault("env", {}).update({
        f"{prefix}_DATABASE_RW_HOST": database.rw_host,
        f"{prefix}_DATABASE_RO_HOST": database.ro_host,
        f"{prefix}_DATABASE_PORT": database.port.apply(str),
        f"{prefix}_DATABASE_NAME": database.database,
        f"{prefix}_DATABASE_USER": database.user,
        f"{prefix}_DATABASE_PASSWORD_FILE": f"{_PASSWORD_DIRECTORY}/password",
        f"{prefix}_DATABASE_SSLMODE": "verify-full",
        f"{prefix}_DATABASE_CA_FILE": f"{_CA_DIRECTORY}/ca.crt",
    })  # fmt: skip
    args.setdefault("secret_mounts", []).extend([
        {"secret": database.password_secret, "keys": ["password"], "path": _PASSWORD_DIRECTORY},
        {"secret": database.ca_secret, "keys": ["ca.crt"], "path": _CA_DIRECTORY},
    ])  # fmt: skip
    args.setdefault("restart_on", {})["database-password-generation"] = str(generation)


def clients(services: dict[str, ServiceConfig]) -> list[str]:
    """Names of the services that use the database."""
    return [name for name, service in services.items() if service.database]


def make_operators(room: Room) -> list[PostgresOperator]:
    """The PostgreSQL operator, or none where another stack of the Kubernetes cluster has it."""
    settings = room.config.postgres.operator
    if not settings.install:
        return []
    operator = PostgresOperator(
        "postgres-operator",
        {
            "manifest": room.args.manifest(CLOUDNATIVE_PG),
            "image": room.args.images["cloudnative-pg"],
            "replicas": settings.replicas,
            "cpu_request_millis": settings.cpu_request_millis,
            "memory_mib": settings.memory_mib,
            "api_server_cidrs": room.config.cluster.api_server,
            "api_server_ports": room.config.cluster.api_server_ports,
        },
        room.below(),
    )
    return [operator]


def _cluster_args(room: Room) -> PostgresClusterArgs:
    settings, cluster = room.config.postgres, room.config.cluster
    found: PostgresClusterArgs = {
        "namespace": room.namespace,
        "environment": room.tier,
        "image": room.args.images["postgres"],
        "instances": settings.instances,
        "synchronous_standbys": settings.synchronous_standbys,
        "storage_gib": settings.storage_gib,
        "wal_storage_gib": settings.wal_storage_gib,
        "cpu_request_millis": settings.cpu_request_millis,
        "memory_mib": settings.memory_mib,
        "max_connections": settings.max_connections,
        "pooler_instances": settings.pooler.instances,
        "pooler_size": settings.pooler.pool_size,
        "pooler_max_clients": settings.pooler.max_clients,
        "pooler_cpu_request_millis": settings.pooler.cpu_request_millis,
        "pooler_memory_mib": settings.pooler.memory_mib,
        "database": settings.database.name,
        "owner": settings.database.owner,
        "app_role": settings.database.app_role,
        "migrations": dict(room.args.migrations),
        "operator": OPERATOR,
        "clients": [party for name in clients(room.config.services) for party in room.instances(name)],
        "api_server_cidrs": cluster.api_server,
        "api_server_ports": cluster.api_server_ports,
        "priority_class": room.environment.data_priority_class,
        "password_generation": settings.password_generation,
        "fast_failover": cluster.target == "local",
        "protect": room.config.protect,
    }
    if settings.storage_class:
        found["storage_class"] = settings.storage_class
    return found
