"""Rules between settings: references that must exist, sums that must fit, values that an environment refuses.

Each rule is a generator over the sections that are valid by themselves; it yields (path, received, allowed, hint).
A rule whose sections are not all there is left out, as its answer would only repeat their own problems.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from omnibase_infra.config.bundles import bundle_rules, cycles, deployed
from omnibase_infra.config.capabilities import (
    CAPABILITIES,
    Demand,
    Finding,
    capability_demands,
    capability_images,
    capability_secrets,
)
from omnibase_infra.config.catalogue import NAMING_A_SERVICE, SELECTED
from omnibase_infra.config.cluster_rules import clusters, consumers, each_cluster, first_database
from omnibase_infra.config.database_sizes import RESERVED_CONNECTIONS, most_connections, pooled_connections
from omnibase_infra.config.databases import (
    MIGRATOR_CPU_MILLIS,
    MIGRATOR_IMAGE,
    MIGRATOR_MEMORY_MIB,
    WATCHDOG_CPU_MILLIS,
    WATCHDOG_MEMORY_MIB,
    PostgresConfig,
    migrated,
)
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.model import LOCAL_NETWORKS, ClusterConfig, ImagesConfig, StackConfig
from omnibase_infra.config.role_names import database_names
from omnibase_infra.config.rollout import ANALYSIS_IMAGE, check_faults, check_rollouts, demands, rolling
from omnibase_infra.config.section import repository_of
from omnibase_infra.config.service_rules import between_services, bundle_env, client_pools, each_service, needs
from omnibase_infra.config.services import ServiceConfig

INFRASTRUCTURE_IMAGES = ("cloudnative-pg", "postgres")
WATCHDOG_IMAGE = "database-watchdog"
QUORUM_INSTANCES = 3  # with 3, losing one standby does not stop writes
_LOCAL_PREFIX = 16


def check(sections: Mapping[str, Any]) -> Iterator[Finding]:
    """Run every rule whose sections are present."""
    added = [rule for capability in CAPABILITIES for rule in capability.rules]
    for needed, rule in [*_RULES, *added]:
        if all(name in sections for name in needed):
            yield from rule(*(sections[name] for name in needed))
    yield from _capability_images(sections)
    yield from _capability_secrets(sections)
    yield from _left_out(sections)
    yield from _quota(sections)
    yield from _capacity(sections)


def required_images(config: StackConfig) -> set[str]:
    """Names of all images that a stack's settings need."""
    sections = {name: getattr(config, name) for name in StackConfig.model_fields}
    services = (service.image for service in config.services.values())
    return {*_platform_images(config.postgres, config.services), *services, *capability_images(sections)}


def _platform_images(postgres: PostgresConfig, services: Mapping[str, ServiceConfig]) -> list[str]:
    """Images that no service and no capability names."""
    delivery = [ANALYSIS_IMAGE] if rolling(services) else []
    watchdog = [WATCHDOG_IMAGE] if postgres.watchdog.enabled else []
    migrator = [MIGRATOR_IMAGE] if migrated(postgres.databases) else []
    return [*INFRASTRUCTURE_IMAGES, *migrator, *watchdog, *delivery]


def _cluster(cluster: ClusterConfig) -> Iterator[Finding]:
    if cluster.target == "existing":
        if not cluster.context:
            yield "cluster.context", "nothing", "is required for target 'existing'", "name a kubeconfig context"
        if not cluster.api_server_cidrs:
            hint = "pods under default-deny reach the API server only at addresses named here"
            yield "cluster.api_server_cidrs", "[]", "is required for target 'existing'", hint
        if cluster.network:
            yield "cluster.network", cluster.network, "belongs to target 'local' only", "remove it"
        return
    if cluster.context:
        yield "cluster.context", cluster.context, "belongs to target 'existing' only", "remove it, or change the target"
    if cluster.api_server_cidrs:
        yield "cluster.api_server_cidrs", "a list", "follows from cluster.network for target 'local'", "remove it"
    if not cluster.network and cluster.instance not in LOCAL_NETWORKS:
        hint = f"known instances: {', '.join(LOCAL_NETWORKS)}"
        yield "cluster.network", "nothing", f"is required for instance '{cluster.instance}'", hint
    if cluster.network:
        network = ipaddress.ip_network(cluster.network)
        if network.version != 4 or network.prefixlen != _LOCAL_PREFIX or not network.is_private:  # noqa: PLR2004
            yield "cluster.network", cluster.network, "must be a private IPv4 /16", "for example 10.215.0.0/16"


def _images(images: ImagesConfig) -> Iterator[Finding]:
    if images.lock and images.references:
        yield "images", "lock and references", "exactly one of them is allowed", "remove one"
    if not images.lock and not images.references:
        yield "images", "nothing", "needs `lock: local` or `references:`", "list every image with its digest"


def _pins(images: ImagesConfig, services: Mapping[str, ServiceConfig]) -> Iterator[Finding]:
    """A pin that nothing runs, or that names another image, would be a rollback that did not happen."""
    used = sorted({service.image for service in services.values()})
    for name, reference in images.pins.items():
        path = f"images.pins.{name}"
        if name in INFRASTRUCTURE_IMAGES:
            hint = "its data was written by the newer version: docs/runbooks/rollback-image.md, section Database"
            yield path, reference, "an image of the database cannot be pinned", hint
        elif name not in used:
            yield (
                path,
                reference,
                f"is not the image of a service ({', '.join(used) or 'there is none'})",
                nearest(name, used),
            )
        declared = images.references.get(name)
        if declared is not None and repository_of(declared) != repository_of(reference):
            yield path, reference, f"must be of {repository_of(declared)}", "a pin changes the digest, not the image"


def _registries(cluster: ClusterConfig, images: ImagesConfig) -> Iterator[Finding]:
    if cluster.target != "existing":
        return
    for name, reference in images.references.items():
        host = reference.partition("/")[0].rpartition(":")[0] or reference.partition("/")[0]
        if host == "localhost" or host.startswith("127."):
            hint = "name a registry that the nodes reach over TLS; containers' runtimes speak plain HTTP to loopback"
            yield f"images.references.{name}", host, "is the loopback of whatever node pulls it", hint


def _known_images(
    images: ImagesConfig, postgres: PostgresConfig, services: Mapping[str, ServiceConfig]
) -> Iterator[Finding]:
    if not images.references:
        return
    needed = {f"services.{name}.image": service.image for name, service in services.items()}
    for path, image in needed.items():
        if image not in images.references:
            yield path, image, "is not among images.references", nearest(image, images.references)
    for image in _platform_images(postgres, services):
        if image not in images.references:
            yield f"images.references.{image}", "nothing", "is required", "add its reference with digest"
    server = images.references.get("postgres", "")
    tag = re.search(r":([0-9]+)[^/@]*@", server)
    if server and (not tag or int(tag[1]) != postgres.version):
        hint = f"use a tag like {postgres.version}.1, the operator reads the major version from it"
        yield "images.references.postgres", server.split("@")[0], f"must be tagged {postgres.version}", hint


def _capability_images(sections: Mapping[str, Any]) -> Iterator[Finding]:
    images = sections.get("images")
    if images is None or not images.references:
        return
    for image in sorted(capability_images(sections) - set(images.references)):
        yield f"images.references.{image}", "nothing", "is required", "add its reference with digest"


def _capability_secrets(sections: Mapping[str, Any]) -> Iterator[Finding]:
    secrets = sections.get("secrets")
    if secrets is None:
        return
    known = secrets.entries if secrets.enabled else {}
    for path, key in capability_secrets(sections):
        if key not in known:
            yield path, key, "is not among secrets.entries", nearest(key, known)


def _left_out(sections: Mapping[str, Any]) -> Iterator[Finding]:
    """What names a service that is declared and comes with no selected bundle: nothing would be there."""
    if not {"services", "bundles", SELECTED} <= set(sections):
        return
    services, bundles, selected = sections["services"], sections["bundles"], sections[SELECTED]
    if not set(selected) <= set(bundles):
        return  # which is reported, and why so much is missing
    there = deployed(services, bundles, selected)
    for path, name in _named_services(sections, there):
        if name is not None and name in services and name not in there:
            hint = f"select a bundle that has it in {SELECTED}"
            yield path, name, "comes with no selected bundle, so nothing is there", hint


def _named_services(
    sections: Mapping[str, Any], there: Mapping[str, ServiceConfig]
) -> Iterator[tuple[str, str | None]]:
    """Key path and service of everything in use that names one."""
    for name, service in there.items():
        yield from ((f"services.{name}.depends_on.{other}", other) for other in service.depends_on)
        yield from ((f"services.{name}.calls", other) for other in service.calls)
    for section, field in (*NAMING_A_SERVICE, ("responders", "backends")):
        if section in sections and sections[section].enabled:
            entries = getattr(sections[section], field)
            yield from ((f"{section}.{field}.{key}.service", entry.service) for key, entry in entries.items())


def _postgres(environment: Environment, postgres: PostgresConfig) -> Iterator[Finding]:
    standbys = postgres.instances - 1
    if postgres.synchronous_standbys > standbys:
        yield (
            "postgres.synchronous_standbys",
            str(postgres.synchronous_standbys),
            f"needs at least {postgres.synchronous_standbys + 1} instances, there are {postgres.instances}",
            "raise postgres.instances, or every commit would wait for ever",
        )
    guarded = environment in (Environment.STAGING, Environment.PROD)
    if guarded and QUORUM_INSTANCES <= postgres.instances <= postgres.synchronous_standbys + 1:
        allowed = f"may be at most {standbys - 1} with {postgres.instances} instances in {environment}"
        hint = "one lost standby would stop writes; raise postgres.instances, or lower it"
        yield "postgres.synchronous_standbys", str(postgres.synchronous_standbys), allowed, hint
    if guarded and postgres.instances < QUORUM_INSTANCES:
        hint = "with fewer, the loss of one standby stops all writes"
        yield "postgres.instances", str(postgres.instances), f"must be at least 3 in {environment}", hint
    if guarded and postgres.synchronous_standbys < 1:
        hint = "acknowledged rows could be lost at failover"
        yield "postgres.synchronous_standbys", "0", f"must be at least 1 in {environment}", hint
    if postgres.watchdog.enabled and postgres.instances < 2:  # noqa: PLR2004
        hint = "nobody could take over from a primary that it ends; raise postgres.instances"
        yield "postgres.watchdog.enabled", "true", f"needs two instances, there is {postgres.instances}", hint
    elif postgres.watchdog.enabled and not postgres.synchronous_standbys:
        hint = "a standby that takes over may lack acknowledged rows; raise postgres.synchronous_standbys"
        yield "postgres.watchdog.enabled", "true", "needs a synchronous standby, there is none", hint
    if guarded and postgres.hibernate:
        yield "postgres.hibernate", "true", f"stops every service of {environment}", "allowed in dev and test"
    most = most_connections(postgres.memory_mib)
    if postgres.max_connections > most:
        allowed = f"may be at most {most} with {postgres.memory_mib} MiB: each needs 2 MiB at the least"
        yield (
            "postgres.max_connections",
            str(postgres.max_connections),
            allowed,
            "lower it, or raise postgres.memory_mib",
        )
    pooler = postgres.pooler
    if guarded and pooler.instances < 2:  # noqa: PLR2004
        hint = "one pooler is a single point of failure"
        yield "postgres.pooler.instances", str(pooler.instances), f"must be at least 2 in {environment}", hint
    wanted = pooled_connections(pooler.instances, pooler.pool_size) * len(postgres.databases)
    free = postgres.max_connections - RESERVED_CONNECTIONS
    if wanted > free:
        yield (
            "postgres.pooler.pool_size",
            str(pooler.pool_size),
            f"2 poolers x ({pooler.instances} + 1 rolling) pods x {pooler.pool_size} x {len(postgres.databases)} "
            f"database{'s' if len(postgres.databases) > 1 else ''} = {wanted} server connections exceed {free} "
            f"(max_connections {postgres.max_connections} - {RESERVED_CONNECTIONS} reserved)",
            "lower pool_size or raise postgres.max_connections",
        )


def _retained(environment: Environment, protect: bool) -> Iterator[Finding]:
    if environment is Environment.PROD and not protect:
        hint = "to take it away for good, `pulumi state unprotect` what you mean: docs/runbooks/restore.md"
        yield "protect", "false", "must be true in prod: else one command deletes every volume", hint


def _databases(postgres: PostgresConfig) -> Iterator[Finding]:
    """Migrations wait for those of other databases without a circle."""
    databases = postgres.databases
    for name, database in databases.items():
        path = f"postgres.databases.{name}"
        for other in database.migrations.after if database.migrations else []:
            if other not in databases or other == name:
                hint = nearest(other, set(databases) - {name})
                yield f"{path}.migrations.after", other, "is no other database of this stack", hint
            elif databases[other].migrations is None:
                yield f"{path}.migrations.after", other, "has no migrations to wait for", "take it out"
    order = {name: it.migrations.after for name, it in databases.items() if it.migrations}
    for cycle in cycles(order):
        where = f"postgres.databases.{cycle[0]}.migrations.after"
        yield where, " -> ".join([*cycle, cycle[0]]), "is a cycle", "take one of these out"


def _declared_demands(sections: Mapping[str, Any]) -> list[Demand]:
    """What all parts run in the stack's namespace."""
    postgres, services = sections["postgres"], sections["services"]
    beside = sections["backup"].sidecar_demand_mib() if "backup" in sections else 0
    drills = sections["backup"].cluster_demands() if "backup" in sections else []
    return [
        *(demand for each in postgres.by_cluster.values() for demand in [*_cluster_demands(each, beside), *drills]),
        *(_service_demand(service) for service in services.values()),
        *demands(services),
        *capability_demands(sections),
    ]


def _cluster_demands(postgres: PostgresConfig, beside: int) -> list[Demand]:
    """One cluster, with so many MiB beside each instance. An instance more than declared: a rolling replacement and the
    bootstrap Jobs need room beside the old pod."""
    pooler = postgres.pooler
    return [
        Demand(postgres.instances + 1, postgres.memory_mib + beside, postgres.cpu_request_millis, 0),
        Demand(2 * pooler.instances + 1, pooler.memory_mib, pooler.cpu_request_millis, 0),
        *([Demand(2, WATCHDOG_MEMORY_MIB, WATCHDOG_CPU_MILLIS, 0)] if postgres.watchdog.enabled else []),
        Demand(min(1, len(migrated(postgres.databases))), MIGRATOR_MEMORY_MIB, MIGRATOR_CPU_MILLIS, 0),
    ]


def _service_demand(service: ServiceConfig) -> Demand:
    """A service starts a new pod before it ends an old one; a job and a pod with a volume cannot have a second."""
    storage = sum(volume.size_gib for volume in service.volumes.values())
    more = 1 if service.kind == "service" else 0
    return Demand(service.replicas + more, service.memory_mib, service.cpu_request_millis, storage)


def _quota(sections: Mapping[str, Any]) -> Iterator[Finding]:
    if not {"quota", "postgres", "services"} <= set(sections):
        return
    quota, postgres, counts = sections["quota"], sections["postgres"], _declared_demands(sections)
    storage = sum(one.instances * (one.storage_gib + one.wal_storage_gib) for one in postgres.by_cluster.values())
    sums = {
        "memory_mib": (sum(each.pods * each.memory_mib for each in counts), quota.memory_mib),
        "cpu_request_millis": (sum(each.pods * each.cpu_request_millis for each in counts), quota.cpu_request_millis),
        "pods": (sum(each.pods for each in counts), quota.pods),
        "storage_gib": (storage + sum(each.pods * each.storage_gib for each in counts), quota.storage_gib),
    }
    for field, (needed, limit) in sums.items():
        if needed > limit:
            allowed = f"must be at least {needed}, which the declared parts need with room to roll"
            yield f"quota.{field}", str(limit), allowed, "raise it, or declare less"


def _capacity(sections: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the declared parts fit onto the nodes, in staging and prod when one of them is lost."""
    if not {"environment", "cluster", "postgres", "services"} <= set(sections):
        return
    capacity, guarded = sections["cluster"].capacity, sections["environment"] in (Environment.STAGING, Environment.PROD)
    if capacity is None:
        return
    nodes = max(1, capacity.nodes - 1) if guarded else capacity.nodes
    counts = _declared_demands(sections)
    have = {"memory": (capacity.memory, capacity.memory.mib), "cpu": (capacity.cpu, capacity.cpu.millis)}
    asked = {
        "memory": [(each.pods, each.memory_mib) for each in counts],
        "cpu": [(each.pods, each.cpu_request_millis) for each in counts],
    }
    for field, (received, size) in have.items():
        for allowed, hint in _room(nodes, size, asked[field], unit="MiB" if field == "memory" else "millicores"):
            yield f"cluster.capacity.{field}", received, allowed, hint
    instances = max(one.instances for one in sections["postgres"].by_cluster.values())
    if guarded and instances > capacity.nodes:
        allowed = f"must be at least postgres.instances = {instances}: each server has a node of its own"
        yield "cluster.capacity.nodes", str(capacity.nodes), allowed, "add nodes"


def _room(nodes: int, size: int, asked: Sequence[tuple[int, int]], unit: str) -> Iterator[tuple[str, str]]:
    """Why pods, given as (number, size of each), do not fit onto a number of nodes of one size; and what to do."""
    needed, largest = sum(pods * each for pods, each in asked), max(each for _, each in asked)
    if needed > nodes * size:
        nodes_text = f"{nodes} nodes (staging and prod count without one) have {nodes * size} {unit}"
        yield f"{nodes_text}, the declared parts ask for {needed}", "add nodes, or declare less"
    if largest > size:
        yield f"no node has room for a pod of {largest} {unit}", "make the pod smaller"


_RULES: list[tuple[tuple[str, ...], Callable[..., Iterator[Finding]]]] = [
    (("cluster",), _cluster),
    (("images",), _images),
    (("cluster", "images"), _registries),
    (("images", "services"), _pins),
    (("images", "postgres", "services"), _known_images),
    (("environment", "postgres"), each_cluster(_postgres)),
    (("postgres",), each_cluster(first_database)),
    (("postgres", "services"), clusters),
    (("postgres", "services", "certificates"), consumers),
    (("postgres",), database_names),
    (("postgres",), _databases),
    (("environment", "protect"), _retained),
    (("postgres", "services"), each_cluster(client_pools)),
    (("environment", "services"), each_service),
    (("services", "segments"), between_services),
    (("postgres", "messaging", "services", "bundles", "selected_bundles"), needs),
    (("services", "bundles", "selected_bundles"), bundle_rules),
    (("bundles", "selected_bundles"), bundle_env),
    (("services", "gateway", "monitoring"), check_rollouts),
    (("environment", "services"), check_faults),
]
