"""What may be asked of a PostgreSQL cluster and of its operator."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.network import Party
from omnibase_infra.postgres.backup_args import BackupsArgs, RecoveryArgs
from omnibase_infra.waiver import Waiver


class PostgresMigrationsArgs(TypedDict):
    """The migration set of a database, see docs/architecture/migrations.md. A Job runs it as the owner."""

    files: dict[str, str]
    """File name `NNNN_name.up.sql`, `.down.sql` or `.verify.sql` -> SQL text; at least one."""
    tracking_table: NotRequired[str]
    """Table that records what ran, default schema_migrations."""
    id_prefix: NotRequired[str]
    """What names in that table start with, default nothing."""
    after: NotRequired[list[str]]
    """Databases whose sets must be complete before this one begins."""
    required_tables: NotRequired[list[str]]
    """Tables that must be there when all has run."""
    target_version: NotRequired[int]
    """Version to which it is brought, up or down, default the newest; 0 is the empty database."""


class PostgresDatabaseArgs(TypedDict):
    """One database of a cluster with its roles. No two databases share a role, and each role may enter its own only."""

    owner: str
    """Role that owns the database; cannot log in."""
    app_role: str
    """Role that applications log in as; reads and writes rows."""
    read_only_role: NotRequired[str]
    """Role that reads rows only; default none."""
    extensions: NotRequired[list[str]]
    """Extensions of PostgreSQL's contrib, for example pg_trgm."""
    migrations: NotRequired[PostgresMigrationsArgs]
    """Its schema. With it, the roles get their rights by grants of the owner; default none: they have PostgreSQL's own
    rights on all rows, and nobody changes the schema."""


class PostgresWatchdogArgs(TypedDict):
    """A pod that deletes the pod of a primary that stands still, so that a standby takes over."""

    image: pulumi.Input[str]
    """Of the watchdog, reference with digest."""
    waiver: Waiver
    """Permission for `service-account-token`: without a token it could not delete a pod."""


class PostgresClusterArgs(TypedDict):
    """Plain values decide what exists; only the image and the priority class may come from other resources."""

    namespace: str
    """Where it runs; under default-deny, see Environment."""
    environment: str
    """dev, test, staging or prod. staging and prod demand separate nodes for instances."""
    image: pulumi.Input[str]
    """Server and pooler image with digest; its tag starts with the major version."""
    instances: int
    """PostgreSQL servers, one primary and its standbys, 1..9."""
    synchronous_standbys: int
    """Standbys that must have a commit before it is acknowledged. 1 with 2 or more instances: no acknowledged row is
    lost at failover; 0: some may be."""
    storage_gib: int
    """Data volume of each instance, GiB; can grow, never shrink."""
    wal_storage_gib: int
    """Volume of the write-ahead log, GiB; a full one does not touch the data volume."""
    memory_mib: int
    """Memory request and limit of each instance, MiB; a quarter is shared_buffers."""
    max_connections: int
    """Server connections of each instance."""
    pooler_instances: int
    """Pods of each of the two poolers."""
    pooler_size: int
    """Server connections per pooler pod and database."""
    pooler_max_clients: int
    """Client connections per pooler pod."""
    pooler_memory_mib: int
    """Memory request and limit of a pooler pod, MiB."""
    databases: dict[str, PostgresDatabaseArgs]
    """Name -> database; at least one. They come and go, see `protect`."""
    first_database: str
    """The one that the cluster is made with; it cannot change."""
    operator: Party
    """The pods of the operator."""
    clients: list[Party]
    """Who may connect to the poolers."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server, before and after translation."""
    api_server_ports: list[int]
    """Its ports, before and after translation."""
    migrator_image: NotRequired[pulumi.Input[str]]
    """The migration runner, reference with digest; required if any database has migrations."""
    cpu_request_millis: NotRequired[int]
    """CPU request of each instance, thousandths of a core, default 100; no CPU limit."""
    pooler_cpu_request_millis: NotRequired[int]
    """CPU request of a pooler pod, default 25."""
    storage_class: NotRequired[str]
    """Default: the cluster's default class."""
    tls_secret: NotRequired[pulumi.Input[str]]
    """Secret (kubernetes.io/tls) with the certificate of servers and poolers, for `server_hosts(name, namespace)`;
    default: the operator makes one, by an authority of the cluster's own."""
    ca_secret: NotRequired[pulumi.Input[str]]
    """Secret with the `ca.crt` that clients verify it with; required with `tls_secret`."""
    priority_class: NotRequired[pulumi.Input[str]]
    """PriorityClass of instances and poolers."""
    password_generation: NotRequired[int]
    """Default 1; raise by one for new passwords of all roles that log in."""
    prepared_transactions: NotRequired[int]
    """Most transactions that may be prepared at once, for two-phase commit over two databases. Default 0: none may."""
    fast_failover: NotRequired[bool]
    """Lease of the primary of 3 s instead of 15 s; only where the API server is ours and near. Default False."""
    volumes_expand: NotRequired[bool]
    """Whether the StorageClass makes a volume larger while it is in use. Default True; False refuses larger sizes in
    preview, which the operator would try for ever."""
    hibernate: NotRequired[bool]
    """Stop all instances and poolers and keep the volumes; dev and test only. Default False."""
    watchdog: NotRequired[PostgresWatchdogArgs]
    """Default none: a primary that hangs, and does not crash, is then waited for. Needs a synchronous standby."""
    backups: NotRequired[BackupsArgs]
    """Base backups and the archive of the log; default none. The plugin must be there."""
    recovery: NotRequired[RecoveryArgs]
    """Make it from an archive; default empty."""
    inspectors: NotRequired[dict[str, Party]]
    """Role that reads every row of every database and changes none -> pods that log in as it, directly at the servers;
    for checks of restores. Default none."""
    protect: NotRequired[bool]
    """Refuse to delete; keep the cluster and its volumes if deletion is forced. Default False."""


class PostgresOperatorArgs(TypedDict):
    """All values are plain."""

    manifest: str
    """Path of the pinned manifest of CloudNativePG."""
    image: str
    """Our operator image with digest; database pods pull it too."""
    replicas: int
    """Operator pods; more than one elect a leader and get a disruption budget."""
    cpu_request_millis: int
    """CPU request, thousandths of a core."""
    memory_mib: int
    """Memory request and limit, MiB."""
    plugin_memory_mib: NotRequired[int]
    """Memory of a plugin's pod, for which the quota of its namespace has room; default none."""
    plugin_cpu_request_millis: NotRequired[int]
    """CPU request of that pod, thousandths of a core."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server, before and after translation."""
    api_server_ports: list[int]
    """Its ports, before and after translation."""
