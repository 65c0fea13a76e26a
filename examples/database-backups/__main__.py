"""A PostgreSQL cluster with backups in an object store, a drill, and a restore to a moment beside it."""

import pulumi
import pulumi_kubernetes as kubernetes
from omnibase_infra import (
    BarmanPlugin,
    CertificateAuthority,
    Environment,
    ObjectStoreServer,
    PostgresCluster,
    PostgresClusterArgs,
    PostgresOperator,
    RestoreDrill,
    SecretSet,
    ServerCertificate,
    TrustBundle,
)
from omnibase_infra.backup import ACCESS_KEY, SECRET_KEY, drill_party, plugin_hosts, store_hosts, store_party, store_url
from omnibase_infra.postgres import OPERATOR, BackupsArgs, ObjectStoreArgs, RecoveryArgs, archive

config = pulumi.Config()
images = config.require_object("images")
space = config.get("namespace") or "backups-of-orders"
storage_gib = config.get_int("storage_gib") or 1
api_cidrs, api_ports = config.require_object("api"), [443, 6443]
context = config.require("context")
cluster = kubernetes.Provider("cluster", context=context, cluster_identifier=context)


def after(*before: pulumi.Resource) -> pulumi.ResourceOptions:
    """Options of what waits for others."""
    return pulumi.ResourceOptions(providers=[cluster], depends_on=list(before))


def certificate(
    name: str, namespace: str, hosts: list[str], *before: pulumi.Resource, also_client: bool = False
) -> pulumi.Output[str]:
    """Name of the Secret of a certificate."""
    made = ServerCertificate(
        name,
        {
            "authority": authority.signer,
            "authority_generation": 1,
            "namespace": namespace,
            "environment": "test",
            "hosts": hosts,
            "validity_days": 10,
            "also_client": also_client,
        },
        after(*before),
    )
    return made.secret


def database() -> PostgresClusterArgs:
    """A small cluster of one server."""
    return {
        "namespace": space,
        "environment": "test",
        "image": images["postgres"],
        "instances": 1,
        "synchronous_standbys": 0,
        "storage_gib": storage_gib,
        "wal_storage_gib": storage_gib,
        "memory_mib": 320,
        "cpu_request_millis": 50,
        "max_connections": 40,
        "pooler_instances": 1,
        "pooler_size": 3,
        "pooler_max_clients": 20,
        "pooler_memory_mib": 48,
        "databases": {"shop": {"owner": "shop_owner", "app_role": "shop_app"}},
        "first_database": "shop",
        "operator": OPERATOR,
        "clients": [],
        "fast_failover": True,
        "api_server_cidrs": api_cidrs,
        "api_server_ports": api_ports,
        "backups": backups,
    }


room = Environment(
    "room",
    {
        "namespace": space,
        "environment": "test",
        "cpu_request_millis": 2000,
        "memory_mib": 4096,
        "pods": 30,
        "storage_gib": 20 * storage_gib,
    },
    after(),
)
operators: list[pulumi.Resource] = []
if config.get("operator"):
    operators.append(
        PostgresOperator(
            "operator",
            {
                "manifest": config.require("operator"),
                "image": images["cloudnative-pg"],
                "replicas": 1,
                "cpu_request_millis": 20,
                "memory_mib": 160,
                "plugin_memory_mib": 96,
                "plugin_cpu_request_millis": 10,
                "api_server_cidrs": api_cidrs,
                "api_server_ports": api_ports,
            },
            after(),
        )
    )
authority = CertificateAuthority("authority", {"common_name": "backups", "validity_days": 30}, after())
plugin = BarmanPlugin(
    "plugin",
    {
        "environment": "test",
        "definitions": config.require("definitions"),
        "image": images["plugin-barman-cloud"],
        "sidecar_image": images["barman-cloud-sidecar"],
        "tls_secret": certificate("plugin-tls", "cnpg-system", plugin_hosts(), *operators),
        "client_secret": certificate("plugin-client", "cnpg-system", ["client"], *operators, also_client=True),
        "trust": authority.bundle,
        "operator": OPERATOR,
        "api_server_cidrs": api_cidrs,
        "api_server_ports": api_ports,
    },
    after(*operators),
)
trust = TrustBundle(
    "trust",
    {"namespace": space, "environment": "test", "secret": "store-ca", "bundle": authority.bundle},
    after(room),
)
keys = SecretSet(
    "keys",
    {
        "namespace": space,
        "environment": "test",
        "entries": {key: {"source": "generated", "alphabet": "alphanumeric"} for key in (ACCESS_KEY, SECRET_KEY)},
        "consumers": {"store": {"keys": [ACCESS_KEY, SECRET_KEY]}},
    },
    after(room),
)
server = ObjectStoreServer(
    "store",
    {
        "namespace": space,
        "environment": "test",
        "image": images["versitygw"],
        "bucket": "backups",
        "storage_gib": storage_gib,
        "key_secret": keys.secret("store"),
        "tls_secret": certificate("store-tls", space, store_hosts("store", space), room),
    },
    after(room),
)
store: ObjectStoreArgs = {
    "destination": "s3://backups/test",
    "endpoint": store_url("store", space),
    "secret": keys.secret("store"),
    "access_key": ACCESS_KEY,
    "secret_key": SECRET_KEY,
    "ca_secret": trust.secret,
    "party": store_party("store", space),
}
backups: BackupsArgs = {
    "store": store,
    "schedule": "15 * * * *",
    "retention_days": 1,
    "archive_seconds": 20,
    "sidecar_memory_mib": config.get_int("sidecar_memory_mib") or 192,
}
before = after(room, plugin, server)
orders = PostgresCluster("orders", {**database(), "inspectors": {"drill": drill_party("orders-drill", space)}}, before)
RestoreDrill(
    "orders-drill",
    {
        "namespace": space,
        "environment": "test",
        "image": images["drill"],
        "postgres_version": 17,
        "schedule": "40 3 1 1 *",
        "every_days": 7,
        "store": store,
        "archive": archive("orders", backups),
        "host": orders.direct_host,
        "user": "drill",
        "password_secret": orders.role_secrets.apply(lambda secrets: secrets["drill"]),
        "ca_secret": orders.ca_secret,
        "databases": ["shop"],
        "scratch_gib": storage_gib,
        "deadline_seconds": 600,
    },
    before,
)
if config.get("moment"):
    to_moment: RecoveryArgs = {"source": archive("orders", backups), "target_time": config.require("moment")}
    PostgresCluster("orders-again", {**database(), "recovery": to_moment}, before)
if config.get("position"):
    to_position: RecoveryArgs = {"source": archive("orders", backups), "target_lsn": config.require("position")}
    PostgresCluster("orders-at", {**database(), "recovery": to_position}, before)
