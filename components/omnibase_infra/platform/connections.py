"""Who uses databases from outside of the stack: what it is given, and what other stacks are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from omnibase_infra.config import PostgresConfig
from omnibase_infra.config.clusters import MAIN, ConsumerDatabaseConfig, DatabaseConsumerConfig
from omnibase_infra.naming import service_host
from omnibase_infra.network import Party
from omnibase_infra.objects import child
from omnibase_infra.platform.certificates import Certificates
from omnibase_infra.platform.room import Room
from omnibase_infra.postgres import (
    Connection,
    PostgresCluster,
    connection_document,
    connection_secret,
    endpoint,
    pooler_name,
)


def consumers(room: Room, cluster: PostgresConfig) -> Iterator[Party]:
    """The pods of those who may connect to the poolers of a cluster. A namespace of others has its own rules: a policy
    of ours on the way out would refuse whatever else these pods do."""
    for name, consumer in room.config.postgres.consumers.items():
        if any(key in cluster.databases for key in consumer.databases):
            space = _space(room, consumer)
            yield {
                "name": name,
                "namespace": space,
                "labels": dict(consumer.labels) or {"app.kubernetes.io/name": name},
                "unmanaged": space != room.namespace,
            }


def database_outputs(
    room: Room, clusters: Mapping[str, PostgresCluster], certificates: Certificates
) -> dict[str, pulumi.Input[Any]]:
    """Outputs about further clusters and consumers, none where the stack has none; the consumers' Secrets are made."""
    found: dict[str, pulumi.Input[Any]] = {}
    further = {name: it for name, it in clusters.items() if name != MAIN}
    if further:
        found["database_clusters"] = {name: _cluster(room, name, it) for name, it in further.items()}
    if room.config.postgres.consumers:
        found["database_connections"] = {
            name: {key: _give(room, name, key, clusters, certificates) for key in consumer.databases}
            for name, consumer in room.config.postgres.consumers.items()
        }
    return found


def _cluster(room: Room, name: str, it: PostgresCluster) -> dict[str, pulumi.Input[Any]]:
    return {
        "rw_endpoint": endpoint(name, room.namespace, "rw"),
        "ro_endpoint": endpoint(name, room.namespace, "ro"),
        "databases": list(room.config.postgres.by_cluster[name].databases),
        "role_secrets": it.role_secrets,
        "ca_secret": it.ca_secret,
    }


def _give(
    room: Room, name: str, database: str, clusters: Mapping[str, PostgresCluster], certificates: Certificates
) -> dict[str, pulumi.Input[Any]]:
    """Make the Secret of one consumer for one database.

    Returns:
        What a stack that deploys the consumer needs: no secret, but the name of one.
    """
    settings = room.config.postgres
    consumer, cluster = settings.consumers[name], settings.cluster_of(database)
    it = _connection(room, cluster, database, consumer.databases[database], str(consumer.directory))
    manifest = connection_secret(
        it,
        name,
        namespace=_space(room, consumer),
        environment=room.tier,
        password=clusters[cluster].passwords[it.user],
        generation=settings.password_generation,
        authority=certificates.bundle,
    )
    made = child(
        room.parent,
        f"connection-{name}-{database}",
        manifest,
        depends_on=[room.environment, clusters[cluster]],
        name_follows_content=True,
    )
    ready = pulumi.Output.all(made.urn, manifest["metadata"]["name"])
    return {
        "namespace": _space(room, consumer),
        "secret": ready.apply(lambda both: str(both[1])),
        "directory": it.directory,
        "document": connection_document(it),
    }


def _connection(room: Room, cluster: str, database: str, use: ConsumerDatabaseConfig, directory: str) -> Connection:
    settings = room.config.postgres.databases[database]
    reader = settings.read_only_role if use.role == "read_only" else None
    return Connection(
        database=database,
        user=reader or settings.app_role,
        endpoints={role: service_host(pooler_name(cluster, role), room.namespace) for role in use.endpoints},
        directory=f"{directory}/{database}",
    )


def _space(room: Room, consumer: DatabaseConsumerConfig) -> str:
    return consumer.namespace or room.namespace
