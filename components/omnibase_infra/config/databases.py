"""Settings of the PostgreSQL cluster: servers, poolers, databases with their roles and migrations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from omnibase_infra.config.clusters import MAIN, DatabaseConsumerConfig, FurtherClusterConfig, cluster_name
from omnibase_infra.config.monitoring import TokenWaiverConfig
from omnibase_infra.config.section import Section
from omnibase_infra.config.units import CpuMillis, Identifier, Label, MemoryMib, ObjectName, ProjectPath
from omnibase_infra.waiver import Waiver

WATCHDOG_MEMORY_MIB = 32
WATCHDOG_CPU_MILLIS = 10
MIGRATOR_IMAGE = "migrator"
MIGRATOR_MEMORY_MIB = 96
"""Memory request and limit of the Job that migrates."""
MIGRATOR_CPU_MILLIS = 25

Extension = Literal["btree_gin", "pg_stat_statements", "pg_trgm", "pgcrypto", "uuid-ossp"]
"""What the image of the server holds, as contrib of PostgreSQL."""

MONITOR_ROLE = "ops_monitor"
"""Role of `ops db` that sees statistics, sessions and texts of statements, and no row."""
EXPLAIN_ROLE = "ops_explain"
"""Role of `ops db explain`: the planner asks for the right to read what a statement reads."""
OPS_ROLES = (MONITOR_ROLE, EXPLAIN_ROLE)
"""No other role can have their names."""


class PoolerConfig(Section):
    """One connection pooler; a cluster has a read-write and a read-only one of this shape."""

    instances: Annotated[int, Field(ge=1, le=20)]
    """Pods of each pooler."""
    pool_size: Annotated[int, Field(ge=1, le=500)]
    """Server connections per pooler pod and database."""
    max_clients: Annotated[int, Field(ge=10, le=20_000)]
    """Client connections per pooler pod."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod, in MiB."""


class MigrationsConfig(Section):
    """The migration set of a database. A Job runs it before any service that uses a database of the stack changes."""

    directory: ProjectPath
    """Directory of `NNNN_name.up.sql`, `.down.sql` and `.verify.sql`, relative to the project."""
    tracking_table: Identifier = "schema_migrations"
    """Table that records what ran, with checksums."""
    id_prefix: Annotated[str, Field(pattern=r"^[a-z0-9:/_-]*$", max_length=40)] = ""
    """What an id in the tracking table starts with, before the file's name; for databases that are older than this
    project."""
    after: list[Identifier] = []
    """Databases whose migrations must be complete before these start."""
    required_tables: list[Identifier] = []
    """Tables that must be there when all have run."""
    target_version: Annotated[int, Field(ge=0, le=9999)] | None = None
    """Version to which the database is brought, up or down; default the newest. 0 takes everything back."""


class DatabaseConfig(Section):
    """One database, its owner (who cannot log in) and the roles that services log in as."""

    owner: Identifier
    """Role that owns the schema and runs migrations; cannot log in."""
    app_role: Identifier
    """Role that services log in as; reads and writes rows."""
    read_only_role: Identifier | None = None
    """Role of services that only read; default none."""
    extensions: list[Extension] = []
    """Extensions that it has, made before any migration."""
    migrations: MigrationsConfig | None = None
    """Its migration set; default none."""
    cluster: Label | None = None
    """Entry of `postgres.clusters` that it is in, default the main cluster. Another one is another, empty database."""

    @property
    def roles(self) -> list[str]:
        """Roles that log in."""
        return [self.app_role, *([self.read_only_role] if self.read_only_role else [])]


class OperatorConfig(Section):
    """The PostgreSQL operator."""

    install: bool = True
    """False where another stack of the same cluster installs it."""
    replicas: Annotated[int, Field(ge=1, le=5)]
    """Operator pods; they elect a leader."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod, in MiB."""


class DatabaseWatchdogConfig(Section):
    """A pod that marks a new primary at once and ends one that stands still, both of which the operator waits for."""

    enabled: bool
    """Needs a synchronous standby, its image, and where the policies are mandatory waivers of theirs for
    `Deployment/<namespace>/database-watchdog`, as staging and prod have them. Without it a primary that hangs is waited
    for, and every change of the primary takes 2 to 4 s longer."""
    waiver: TokenWaiverConfig = TokenWaiverConfig()
    """The dated permission for its API token."""

    @property
    def permission(self) -> Waiver:
        """The waiver as components and the stack's outputs have it."""
        return {
            "setting": "service-account-token",
            "reason": "the watchdog reads one database cluster, marks its primary and deletes one that stands still",
            "owner": self.waiver.owner,
            "until": self.waiver.until,
        }


class PostgresConfig(Section):
    """The PostgreSQL cluster."""

    version: Annotated[int, Field(ge=17, le=18)] = 17
    """Major version; the image's tag must start with it. 17 is the first with the built-in locale provider."""
    instances: Annotated[int, Field(ge=1, le=9)]
    """PostgreSQL servers: one primary and its standbys. At least 3 in staging and prod."""
    synchronous_standbys: Annotated[int, Field(ge=0, le=4)] = 1
    """Standbys that must have a commit before it is acknowledged; 0 allows loss at failover."""
    storage_gib: Annotated[int, Field(ge=1, le=16_384)]
    """Data volume of each instance, in GiB; can grow, never shrink."""
    wal_storage_gib: Annotated[int, Field(ge=1, le=4096)]
    """Volume of each instance's write-ahead log, in GiB."""
    storage_class: ObjectName | None = None
    """StorageClass of the volumes; default the cluster's own default."""
    volumes_expand: bool | None = None
    """Whether the StorageClass makes volumes larger while they are in use. Default: false for target `local`, whose
    volumes are directories, true for `existing`. Where it is false, a preview refuses larger sizes."""
    hibernate: bool = False
    """Stop all instances and poolers and keep their volumes, until it is false again. In dev and test only."""
    cpu_request_millis: CpuMillis
    """CPU request of each instance, in thousandths of a core; there is no CPU limit."""
    memory_mib: Annotated[int, Field(ge=256, le=524_288)]
    """Memory request and limit of each instance, in MiB; a quarter is shared_buffers."""
    max_connections: Annotated[int, Field(ge=20, le=5000)]
    """Server connections of each instance; the poolers must fit below it."""
    prepared_transactions: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Most transactions that may be prepared at once, for two-phase commit over two databases; 0: none may."""
    password_generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Raise by one to make new passwords of all roles that log in."""
    pooler: PoolerConfig
    """Both connection poolers."""
    databases: Annotated[dict[Identifier, DatabaseConfig], Field(min_length=1)]
    """Name -> database. One that only services name which are not deployed is left out."""
    first_database: Identifier | None = None
    """The database that the cluster is made with; it can never change. Default: the only one."""
    watchdog: DatabaseWatchdogConfig
    """Who ends a primary that hangs."""
    operator: OperatorConfig
    """The operator that runs the clusters."""
    authority: Literal["operator", "environment"] = "operator"
    """Who signs the servers' certificates: the operator, with an authority for each cluster that is known inside its
    namespace only; or the authority of the environment (section `certificates`), which others can be told of."""
    clusters: dict[Label, FurtherClusterConfig] = {}
    """Name -> cluster beside the main one, for databases that must not share servers with others."""
    consumers: dict[Label, DatabaseConsumerConfig] = {}
    """Name -> user of databases that is no service of this stack."""

    @property
    def first(self) -> str:
        """Name of the database that the cluster is made with."""
        return self.first_database or next(iter(self.databases))

    @property
    def by_cluster(self) -> dict[str, PostgresConfig]:
        """Name of each cluster -> what holds for it, with its databases alone; the main one comes first."""
        found = {MAIN: self._cluster(None, {"first_database": self.first_database})}
        for key, further in self.clusters.items():
            given = further.model_dump(exclude_none=True, exclude={"pooler"})
            pooler = self.pooler.model_copy(update=further.pooler.model_dump(exclude_none=True))
            settings = {**given, "pooler": pooler, "first_database": further.first_database}
            found[cluster_name(key)] = self._cluster(key, settings)
        return found

    def _cluster(self, key: str | None, settings: dict[str, object]) -> PostgresConfig:
        databases = {name: each for name, each in self.databases.items() if each.cluster == key}
        return self.model_copy(update={**settings, "databases": databases})

    def cluster_of(self, database: str) -> str:
        """Name of the cluster that a database is in."""
        key = self.databases[database].cluster
        return cluster_name(key) if key else MAIN


def migrator_role(database: str) -> str:
    """Role that the migrations of a database log in as; it may become the owner, and nothing else."""
    return f"{database}_migrator"


def migrations_job(cluster: str) -> str:
    """Name of the Job that runs the migrations of all databases of a cluster, and of its pods."""
    return f"{cluster}-migrations"


def migrated(databases: Mapping[str, Any]) -> list[str]:
    """Names of the databases that have a migration set."""
    return [name for name, each in databases.items() if each.migrations]
