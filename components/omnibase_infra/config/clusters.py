"""Settings of further PostgreSQL clusters of a stack, and of those outside of it who use its databases."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omnibase_infra.config.section import Section
from omnibase_infra.config.units import AbsolutePath, CpuMillis, Identifier, Label, MemoryMib, ObjectName

MAIN = "database"
"""Name of the cluster that every stack has, and of its objects."""


def cluster_name(key: str) -> str:
    """Name of an entry of `postgres.clusters` among the objects of Kubernetes."""
    return f"{key}-{MAIN}"


class FurtherPoolerConfig(Section):
    """Both connection poolers of a further cluster, where they differ from those of `postgres.pooler`."""

    instances: Annotated[int, Field(ge=1, le=20)] | None = None
    """Pods of each pooler."""
    pool_size: Annotated[int, Field(ge=1, le=500)] | None = None
    """Server connections per pooler pod and database."""
    max_clients: Annotated[int, Field(ge=10, le=20_000)] | None = None
    """Client connections per pooler pod."""
    cpu_request_millis: CpuMillis | None = None
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: MemoryMib | None = None
    """Memory request and limit of a pod, in MiB."""


class FurtherClusterConfig(Section):
    """A PostgreSQL cluster beside the main one: servers, poolers, authority and passwords of its own. What it does not
    say is as in `postgres`."""

    instances: Annotated[int, Field(ge=1, le=9)] | None = None
    """PostgreSQL servers: one primary and its standbys. At least 3 in staging and prod."""
    synchronous_standbys: Annotated[int, Field(ge=0, le=4)] | None = None
    """Standbys that must have a commit before it is acknowledged; 0 allows loss at failover."""
    storage_gib: Annotated[int, Field(ge=1, le=16_384)] | None = None
    """Data volume of each instance, in GiB; can grow, never shrink."""
    wal_storage_gib: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Volume of each instance's write-ahead log, in GiB."""
    storage_class: ObjectName | None = None
    """StorageClass of the volumes."""
    cpu_request_millis: CpuMillis | None = None
    """CPU request of each instance, in thousandths of a core; there is no CPU limit."""
    memory_mib: Annotated[int, Field(ge=256, le=524_288)] | None = None
    """Memory request and limit of each instance, in MiB; a quarter is shared_buffers."""
    max_connections: Annotated[int, Field(ge=20, le=5000)] | None = None
    """Server connections of each instance; the poolers must fit below it."""
    pooler: FurtherPoolerConfig = FurtherPoolerConfig()
    """Both connection poolers."""
    first_database: Identifier | None = None
    """The database that the cluster is made with; it can never change. Default: the only one."""


class ConsumerDatabaseConfig(Section):
    """How a consumer uses one database."""

    role: Literal["app", "read_only"] = "app"
    """`app` reads and writes rows; `read_only` reads, and must be declared by the database."""
    endpoints: Annotated[list[Literal["rw", "ro"]], Field(min_length=1, max_length=2)] = ["rw"]
    """`rw`: the primary, through its pooler; `ro`: the standbys, a moment behind. The first is the default one."""
    pool_max: Annotated[int, Field(ge=1, le=1000)] = 10
    """Most connections that all its pods together open."""


class DatabaseConsumerConfig(Section):
    """Somebody who is no service of this stack, such as a program of another team. It gets a Secret for each database
    with all that a client needs, and an arrow to the poolers."""

    namespace: Label | None = None
    """Where its pods are, default the namespace of the stack. It must be there already."""
    labels: dict[str, str] = {}
    """Labels of its pods, default `app.kubernetes.io/name` with the consumer's name."""
    directory: AbsolutePath = "/run/secrets/databases"
    """Where its pods mount the Secrets, each below in a directory called like the database: paths in the documents."""
    databases: Annotated[dict[Identifier, ConsumerDatabaseConfig], Field(min_length=1)]
    """Database of this stack -> how it is used."""
