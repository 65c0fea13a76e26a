"""Backups of an environment's database: where to, by what, and the drill that proves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from omnibase_infra.alert import Alert
from omnibase_infra.backup import (
    ACCESS_KEY,
    PLUGIN_NAMESPACE,
    REGION,
    SECRET_KEY,
    BarmanPlugin,
    ObjectStoreServer,
    RestoreDrill,
    backup_alerts,
    drill_alerts,
    drill_party,
    plugin_hosts,
    report_name,
    store_hosts,
    store_party,
    store_url,
)
from omnibase_infra.config.backup import (
    DRILL_IMAGE,
    PLUGIN_IMAGE,
    REPORT_MEMORY_MIB,
    SIDECAR_IMAGE,
    STORE_IMAGE,
    STORE_MEMORY_MIB,
    BackupConfig,
    BackupTargetConfig,
    drill_name,
)
from omnibase_infra.config.role_names import DRILL_ROLE
from omnibase_infra.config.timetable import longest_gap
from omnibase_infra.platform.certificates import Certificates
from omnibase_infra.platform.cluster_alerts import of_cluster
from omnibase_infra.platform.room import Room
from omnibase_infra.platform.secrets import entry
from omnibase_infra.postgres import (
    OPERATOR,
    BackupsArgs,
    ObjectStoreArgs,
    PostgresCluster,
    PostgresClusterArgs,
    PostgresOperator,
    RecoveryArgs,
    archive,
)
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.secrets import SecretSet, SecretSetArgs
from omnibase_infra.versions import BARMAN_PLUGIN_CRDS

PLUGIN_MEMORY_MIB, PLUGIN_CPU_MILLIS = 96, 10
_KEYS = "backup-keys"
_STORE = "backup-store"
_BUCKET = "backups"
_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Backups:
    """What the database is given, and what it has to wait for."""

    settings: BackupConfig
    store: ObjectStoreArgs
    before: list[pulumi.Resource] = field(default_factory=list)

    def args(self, cluster: str) -> BackupsArgs:
        """Of a cluster."""
        settings = self.settings
        return {
            "store": self.store,
            "schedule": settings.schedule,
            "retention_days": -(-settings.retention.seconds // _DAY),
            "generation": settings.of_cluster(cluster).generation or 1,
            "archive_seconds": settings.archive_after.seconds,
            "sidecar_memory_mib": settings.sidecar_memory_mib,
        }

    def give(self, args: PostgresClusterArgs, cluster: str, namespace: str) -> None:
        """Add them to what a cluster is made of."""
        args["backups"] = self.args(cluster)
        if self.settings.drill.enabled:
            args["inspectors"] = {DRILL_ROLE: drill_party(drill_name(cluster), namespace)}
        recovery = self.settings.of_cluster(cluster).recovery
        if recovery is not None:
            found: RecoveryArgs = {"source": recovery.source}
            if recovery.time:
                found["target_time"] = recovery.time
            if recovery.lsn:
                found["target_lsn"] = recovery.lsn
            args["recovery"] = found


def make_backups(room: Room, certificates: Certificates, operators: Sequence[PostgresOperator]) -> Backups | None:
    """The plugin and the way to the store, before the database; nothing where no backups are made."""
    settings = room.config.backup
    if not settings.enabled:
        return None
    plugin = [_plugin(room, certificates, each) for each in operators]
    if settings.target is not None:
        store = _outside(room, settings.target)
        return Backups(settings=settings, store=store, before=[*plugin])
    server, store = _inside(room, certificates)
    return Backups(settings=settings, store=store, before=[*plugin, server])


def make_drills(room: Room, backups: Backups | None, clusters: Mapping[str, PostgresCluster]) -> list[ScrapeTarget]:
    """A drill for each cluster, after it; where their metrics are."""
    if backups is None or not backups.settings.drill.enabled:
        return []
    return [target for name, it in clusters.items() for target in _drill(room, backups, name, it).scrape_targets]


def _drill(room: Room, backups: Backups, cluster: str, it: PostgresCluster) -> RestoreDrill:
    settings, postgres = backups.settings, room.config.postgres.by_cluster[cluster]
    return RestoreDrill(
        drill_name(cluster),
        {
            "namespace": room.namespace,
            "environment": room.tier,
            "image": room.args.images[DRILL_IMAGE],
            "postgres_version": postgres.version,
            "schedule": settings.drill.schedule,
            "every_days": -(-settings.restore_every.seconds // _DAY),
            "store": backups.store,
            "archive": archive(cluster, backups.args(cluster)),
            "host": it.direct_host,
            "user": DRILL_ROLE,
            "password_secret": it.role_secrets.apply(lambda secrets: secrets[DRILL_ROLE]),
            "ca_secret": it.ca_secret,
            "databases": list(postgres.databases),
            "scratch_gib": settings.of_cluster(cluster).drill_scratch_gib or postgres.storage_gib + 1,
            "memory_mib": settings.drill.memory_mib,
            "deadline_seconds": settings.drill_seconds(cluster, postgres.storage_gib),
            "report_memory_mib": REPORT_MEMORY_MIB,
            "priority_class": room.environment.service_priority_class,
        },
        room.below(room.environment, *backups.before),
    )


def make_backup_alerts(room: Room) -> list[Alert]:
    """Alerts on the backups of each cluster; none where none are made."""
    settings = room.config.backup
    if not settings.enabled:
        return []
    found, gap = list[Alert](), longest_gap(settings.schedule)
    for cluster in room.config.postgres.by_cluster:
        found += of_cluster(cluster, backup_alerts(cluster, gap))
        if settings.drill.enabled:
            found += of_cluster(cluster, drill_alerts(report_name(drill_name(cluster))))
    return found


def _plugin(room: Room, certificates: Certificates, operator: PostgresOperator) -> BarmanPlugin:
    own = certificates.server("backup-plugin", namespace=PLUGIN_NAMESPACE, hosts=plugin_hosts(), depends_on=[operator])
    client = certificates.server(
        "backup-plugin-client",
        namespace=PLUGIN_NAMESPACE,
        hosts=["backup-plugin-client"],
        depends_on=[operator],
        also_client=True,
    )
    return BarmanPlugin(
        "backup-plugin",
        {
            "environment": room.tier,
            "definitions": room.args.manifest(BARMAN_PLUGIN_CRDS),
            "image": room.args.images[PLUGIN_IMAGE],
            "sidecar_image": room.args.images[SIDECAR_IMAGE],
            "tls_secret": own.secret,
            "client_secret": client.secret,
            "trust": certificates.bundle,
            "api_server_cidrs": room.config.cluster.api_server,
            "api_server_ports": room.config.cluster.api_server_ports,
            "operator": OPERATOR,
            "cpu_request_millis": PLUGIN_CPU_MILLIS,
            "memory_mib": PLUGIN_MEMORY_MIB,
        },
        room.below(operator),
    )


def _outside(room: Room, target: BackupTargetConfig) -> ObjectStoreArgs:
    """The rules have seen that everything is there."""
    access_key, secret_key = str(target.access_key), str(target.secret_key)
    external = [key for key in (access_key, secret_key) if room.config.secrets.entries[key].source == "external"]
    args: SecretSetArgs = {
        "namespace": room.namespace,
        "environment": room.tier,
        "entries": {key: entry(room, key, room.config.secrets.entries[key]) for key in (access_key, secret_key)},
        "consumers": {"database": {"keys": [access_key, secret_key]}},
    }
    if room.config.secrets.store:
        args["store"] = {"name": room.config.secrets.store.name, "kind": room.config.secrets.store.kind}
    keys = SecretSet(_KEYS, args, room.below(room.environment))
    secret = keys.external_secrets.apply(lambda names: names["database"]) if external else keys.secret("database")
    found: ObjectStoreArgs = {
        "destination": target.bucket,
        "endpoint": str(target.endpoint),
        "region": target.region,
        "secret": secret,
        "access_key": access_key,
        "secret_key": secret_key,
        "party": {"name": "backup store", "cidrs": list(target.cidrs)},
    }
    if target.encryption:
        found["encryption"] = target.encryption
    return found


def _inside(room: Room, certificates: Certificates) -> tuple[ObjectStoreServer, ObjectStoreArgs]:
    keys = SecretSet(
        _KEYS,
        {
            "namespace": room.namespace,
            "environment": room.tier,
            "entries": {key: {"source": "generated", "alphabet": "alphanumeric"} for key in (ACCESS_KEY, SECRET_KEY)},
            "consumers": {"database": {"keys": [ACCESS_KEY, SECRET_KEY]}},
        },
        room.below(room.environment),
    )
    own = certificates.server(f"{_STORE}-tls", namespace=room.namespace, hosts=store_hosts(_STORE, room.namespace))
    server = ObjectStoreServer(
        _STORE,
        {
            "namespace": room.namespace,
            "environment": room.tier,
            "image": room.args.images[STORE_IMAGE],
            "bucket": _BUCKET,
            "storage_gib": room.config.backup.local_store_gib,
            "key_secret": keys.secret("database"),
            "tls_secret": own.secret,
            "memory_mib": STORE_MEMORY_MIB,
            "priority_class": room.environment.service_priority_class,
        },
        room.below(room.environment),
    )
    return server, {
        "destination": f"s3://{_BUCKET}/postgres",
        "endpoint": store_url(_STORE, room.namespace),
        "region": REGION,
        "secret": keys.secret("database"),
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "ca_secret": certificates.trust(room.namespace),
        "party": store_party(_STORE, room.namespace),
    }
