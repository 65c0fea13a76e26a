"""Rules on the PostgreSQL clusters of a stack, on which database is in which, and on consumers of databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from omnibase_infra.config.capability import Finding
from omnibase_infra.config.certificates import CertificatesConfig
from omnibase_infra.config.clusters import MAIN, DatabaseConsumerConfig, FurtherClusterConfig, cluster_name
from omnibase_infra.config.databases import PostgresConfig
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.services import ServiceConfig

_WITH_STANDBY = 2
_LONGEST_KEY = 40 - len(cluster_name(""))  # names of pods end in it and more
_OWN = re.compile(rf"\bpostgres\.(?={'|'.join(FurtherClusterConfig.model_fields)}\b)")
"""Settings that a further cluster has for itself."""


def each_cluster(rule: Callable[..., Iterator[Finding]]) -> Callable[..., Iterator[Finding]]:
    """A rule on one cluster, asked of each, with the paths of that one."""

    def asked(*sections: Any) -> Iterator[Finding]:  # noqa: ANN401  # whatever the rule takes
        (postgres,) = (each for each in sections if isinstance(each, PostgresConfig))
        for name, one in postgres.by_cluster.items():
            of = "postgres." if name == MAIN else f"postgres.clusters.{name.removesuffix(cluster_name(''))}."
            for found in rule(*(one if each is postgres else each for each in sections)):
                path, received, allowed, hint = (_OWN.sub(of, text) for text in found)
                yield path, received, allowed, hint

    return asked


def first_database(postgres: PostgresConfig) -> Iterator[Finding]:
    """The first database of a cluster is said once and for ever."""
    databases, first = postgres.databases, postgres.first_database
    if first is not None and first not in databases:
        yield "postgres.first_database", first, "is not among postgres.databases", nearest(first, databases)
    if first is None and len(databases) > 1:
        hint = "name the one that was there first; the cluster is made with it"
        yield "postgres.first_database", "nothing", "is required with several databases", hint


def clusters(postgres: PostgresConfig, services: Mapping[str, ServiceConfig]) -> Iterator[Finding]:
    """Each database is in one cluster, and each cluster has one at least; names of clusters are nobody else's."""
    for name, one in postgres.by_cluster.items():
        if not one.databases:
            path = "postgres.databases" if name == MAIN else f"postgres.clusters.{name.removesuffix(cluster_name(''))}"
            yield (
                path,
                "no database",
                "needs at least one: a cluster is made with it",
                "place one there, or take it out",
            )
    for key in postgres.clusters:
        path, name = f"postgres.clusters.{key}", cluster_name(key)
        if len(key) > _LONGEST_KEY:
            yield path, key, f"has {len(key)} characters, at most {_LONGEST_KEY} are possible", "take a shorter name"
        for service in services:
            if service == name or service.startswith(f"{name}-"):
                hint = "rename the service or the cluster: objects and arrows of the two would be mixed up"
                yield path, key, f"makes objects called {name}, as service {service} does", hint
    for key, database in postgres.databases.items():
        path = f"postgres.databases.{key}"
        if database.cluster is not None and database.cluster not in postgres.clusters:
            hint = nearest(database.cluster, postgres.clusters) or "leave it out for the main cluster"
            yield f"{path}.cluster", database.cluster, "is not among postgres.clusters", hint
        for other in database.migrations.after if database.migrations else []:
            known = postgres.databases.get(other)
            if known is not None and known.cluster != database.cluster:
                hint = "their migrations run in two Jobs; put both into one cluster"
                yield f"{path}.migrations.after", other, "is in another cluster", hint


def consumers(
    postgres: PostgresConfig, services: Mapping[str, ServiceConfig], certificates: CertificatesConfig
) -> Iterator[Finding]:
    """Who uses databases from outside of the stack, and whether it can trust their servers."""
    if postgres.authority == "environment" and not certificates.enabled:
        hint = "set certificates.enabled"
        yield "postgres.authority", "environment", "needs the environment's authority", hint
    if postgres.consumers and postgres.authority != "environment":
        hint = "set postgres.authority to environment: an authority of the operator is known in its own namespace only"
        yield "postgres.consumers", "an entry", "must be able to verify the servers", hint
    for name, consumer in postgres.consumers.items():
        path = f"postgres.consumers.{name}"
        if name in services:
            hint = f"name the databases in services.{name}.databases instead"
            yield path, name, "is a service of this stack", hint
        yield from _uses(path, consumer, postgres)


def _uses(path: str, consumer: DatabaseConsumerConfig, postgres: PostgresConfig) -> Iterator[Finding]:
    for key, use in consumer.databases.items():
        where, database = f"{path}.databases.{key}", postgres.databases.get(key)
        if database is None:
            yield where, key, "is not among postgres.databases", nearest(key, postgres.databases)
        elif use.role == "read_only" and database.read_only_role is None:
            hint = f"add postgres.databases.{key}.read_only_role"
            yield f"{where}.role", use.role, f"{key} has no read-only role", hint
        elif (
            "ro" in use.endpoints
            and postgres.by_cluster.get(postgres.cluster_of(key), postgres).instances < _WITH_STANDBY
        ):
            hint = "take rw, or raise the cluster's instances"
            yield (
                f"{where}.endpoints",
                "ro",
                f"the cluster of {key} has one instance, and so no standby to read from",
                hint,
            )
        if len(set(use.endpoints)) < len(use.endpoints):
            yield f"{where}.endpoints", ", ".join(use.endpoints), "names one of them twice", "take one out"
