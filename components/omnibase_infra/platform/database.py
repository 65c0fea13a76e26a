"""The database of an environment: operator, cluster, and what its clients are given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from operator import itemgetter

from omnibase_infra.alert import Alert
from omnibase_infra.config import DatabaseConfig, PostgresConfig, ServiceConfig
from omnibase_infra.config.clusters import MAIN
from omnibase_infra.config.databases import MIGRATOR_IMAGE, MigrationsConfig
from omnibase_infra.config.rules import WATCHDOG_IMAGE
from omnibase_infra.config.services import ServiceDatabaseConfig, prefix
from omnibase_infra.platform.backup import PLUGIN_CPU_MILLIS, PLUGIN_MEMORY_MIB, Backups
from omnibase_infra.platform.certificates import Certificates
from omnibase_infra.platform.cluster_alerts import of_cluster
from omnibase_infra.platform.connections import consumers
from omnibase_infra.platform.room import Room
from omnibase_infra.postgres import (
    OPERATOR,
    PostgresCluster,
    PostgresClusterArgs,
    PostgresDatabaseArgs,
    PostgresMigrationsArgs,
    PostgresOperator,
    PostgresOperatorArgs,
    client_alerts,
    database_alerts,
    performance_alerts,
    server_hosts,
    service_pool_alert,
)
from omnibase_infra.versions import CLOUDNATIVE_PG
from omnibase_infra.workload import HardenedWorkloadArgs

_PASSWORD_DIRECTORY = "/run/secrets/databases"  # noqa: S105  # a directory, not a password
_CA_DIRECTORY = "/run/secrets/database-ca"


def make_databases(
    room: Room, certificates: Certificates, operators: list[PostgresOperator], backups: Backups | None
) -> dict[str, PostgresCluster]:
    """The PostgreSQL clusters by name, the main one first; after their operator, unless another stack of the Kubernetes
    cluster has it."""
    made = {}
    before = [room.environment, *operators, *(backups.before if backups else [])]
    for name, settings in room.config.postgres.by_cluster.items():
        args = _cluster_args(room, name, settings)
        if backups is not None:
            backups.give(args, name, room.namespace)
        if settings.authority == "environment":
            hosts = server_hosts(name, room.namespace)
            server = certificates.server(f"{name}-tls", namespace=room.namespace, hosts=hosts)
            args["tls_secret"], args["ca_secret"] = server.secret, certificates.trust(room.namespace)
        made[name] = PostgresCluster(name, args, room.below(*before))
    return made


def make_database_alerts(room: Room) -> list[Alert]:
    """Alerts on volumes that fill, on services that do not reach their database, and on what makes it slow."""
    filling, slow = list[Alert](), list[Alert]()
    for name, each in room.config.postgres.by_cluster.items():
        filling += of_cluster(name, database_alerts(name, each.storage_gib, each.wal_storage_gib))
        slow += of_cluster(name, performance_alerts(name, each.wal_storage_gib, each.pooler.max_clients))
    return [*filling, *client_alerts(), *slow, service_pool_alert()]


def connect(
    args: HardenedWorkloadArgs,
    uses: Mapping[str, ServiceDatabaseConfig],
    room: Room,
    clusters: Mapping[str, PostgresCluster],
) -> list[PostgresCluster]:
    """Give a workload its databases: addresses, role, password and certificate as files, a restart on new passwords.

    Returns:
        The clusters that it uses.
    """
    mounts = args.setdefault("secret_mounts", [])
    for name, use in uses.items():
        cluster = room.config.postgres.cluster_of(name)
        it, authority = clusters[cluster], _authority(cluster)
        role, directory = _role(room, name, use.role), f"{_PASSWORD_DIRECTORY}/{name}"
        args.setdefault("env", {}).update({
            f"{prefix(name)}_DATABASE_RW_HOST": it.rw_host,
            f"{prefix(name)}_DATABASE_RO_HOST": it.ro_host,
            f"{prefix(name)}_DATABASE_PORT": it.port.apply(str),
            f"{prefix(name)}_DATABASE_NAME": name,
            f"{prefix(name)}_DATABASE_USER": role,
            f"{prefix(name)}_DATABASE_PASSWORD_FILE": f"{directory}/password",
            f"{prefix(name)}_DATABASE_SSLMODE": "verify-full",
            f"{prefix(name)}_DATABASE_CA_FILE": f"{authority}/ca.crt",
        })  # fmt: skip
        secret = it.role_secrets.apply(itemgetter(role))
        mounts.append({"secret": secret, "keys": ["password"], "path": directory})
    used = {room.config.postgres.cluster_of(name): None for name in uses}
    for cluster in used:
        mounts.append({"secret": clusters[cluster].ca_secret, "keys": ["ca.crt"], "path": _authority(cluster)})
    args.setdefault("restart_on", {})["database-password-generation"] = str(room.config.postgres.password_generation)
    return [clusters[cluster] for cluster in used]


def _authority(cluster: str) -> str:
    """Directory of the certificate that signs those of a cluster."""
    return _CA_DIRECTORY if cluster == MAIN else f"{_CA_DIRECTORY}-{cluster}"


def _role(room: Room, database: str, use: str) -> str:
    """The role of an `app` or `read_only` user; the rules have seen that there is one."""
    settings = room.config.postgres.databases[database]
    return settings.read_only_role if use == "read_only" and settings.read_only_role else settings.app_role


def clients(services: dict[str, ServiceConfig], databases: Collection[str]) -> list[str]:
    """Names of the services that use any of these databases."""
    return [name for name, service in services.items() if any(key in databases for key in service.databases)]


def make_operators(room: Room) -> list[PostgresOperator]:
    """The PostgreSQL operator, or none where another stack of the Kubernetes cluster has it."""
    settings = room.config.postgres.operator
    if not settings.install:
        return []
    args: PostgresOperatorArgs = {
        "manifest": room.args.manifest(CLOUDNATIVE_PG),
        "image": room.args.images["cloudnative-pg"],
        "replicas": settings.replicas,
        "cpu_request_millis": settings.cpu_request_millis,
        "memory_mib": settings.memory_mib,
        "api_server_cidrs": room.config.cluster.api_server,
        "api_server_ports": room.config.cluster.api_server_ports,
    }
    if room.config.backup.enabled:
        args |= {"plugin_memory_mib": PLUGIN_MEMORY_MIB, "plugin_cpu_request_millis": PLUGIN_CPU_MILLIS}
    return [PostgresOperator("postgres-operator", args, room.below())]


def _database(settings: DatabaseConfig, files: Mapping[str, str]) -> PostgresDatabaseArgs:
    found: PostgresDatabaseArgs = {"owner": settings.owner, "app_role": settings.app_role}
    if settings.read_only_role:
        found["read_only_role"] = settings.read_only_role
    if settings.extensions:
        found["extensions"] = list(settings.extensions)
    if settings.migrations:
        found["migrations"] = _migrations(settings.migrations, files)
    return found


def _migrations(settings: MigrationsConfig, files: Mapping[str, str]) -> PostgresMigrationsArgs:
    found: PostgresMigrationsArgs = {
        "files": dict(files),
        "tracking_table": settings.tracking_table,
        "id_prefix": settings.id_prefix,
        "after": list(settings.after),
        "required_tables": list(settings.required_tables),
    }
    if settings.target_version is not None:
        found["target_version"] = settings.target_version
    return found


def _cluster_args(room: Room, name: str, settings: PostgresConfig) -> PostgresClusterArgs:
    cluster = room.config.cluster
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
        "databases": {
            name: _database(each, room.args.migrations.get(name, {})) for name, each in settings.databases.items()
        },
        "first_database": settings.first,
        "operator": OPERATOR,
        "clients": [
            *(party for service in clients(room.services, settings.databases) for party in room.instances(service)),
            *consumers(room, settings),
        ],
        "api_server_cidrs": cluster.api_server,
        "api_server_ports": cluster.api_server_ports,
        "priority_class": room.environment.data_priority_class,
        "password_generation": settings.password_generation,
        "prepared_transactions": settings.prepared_transactions,
        "fast_failover": cluster.target == "local",
        "volumes_expand": cluster.target != "local" if settings.volumes_expand is None else settings.volumes_expand,
        "hibernate": settings.hibernate,
        "protect": room.config.protect,
    }
    if settings.watchdog.enabled:
        image = room.args.images[WATCHDOG_IMAGE]
        found["watchdog"] = {"image": image, "waiver": settings.watchdog.permission}
        room.waivers.append(settings.watchdog.permission)
    if MIGRATOR_IMAGE in room.args.images:
        found["migrator_image"] = room.args.images[MIGRATOR_IMAGE]
    if settings.storage_class:
        found["storage_class"] = settings.storage_class
    return found
