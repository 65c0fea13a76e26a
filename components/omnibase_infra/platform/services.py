"""The services of ours in an environment."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from omnibase_infra.config import ServiceConfig
from omnibase_infra.config.services import prefix as variables
from omnibase_infra.messaging import MessageBus
from omnibase_infra.platform.database import connect
from omnibase_infra.platform.messaging import connect_messages, uses_messages
from omnibase_infra.platform.rollout import make_rollout
from omnibase_infra.platform.room import Room
from omnibase_infra.platform.secrets import give_secrets
from omnibase_infra.postgres import PostgresCluster
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.secrets import SecretSet
from omnibase_infra.workload import HardenedWorkload, HardenedWorkloadArgs


def service_targets(room: Room, name: str, settings: ServiceConfig) -> list[ScrapeTarget]:
    """Where the metrics of a service and of its canary are, if it serves any."""
    port = settings.port_of(settings.metrics.port) if settings.metrics else None
    if settings.metrics is None or port is None:
        return []
    return [
        {
            "name": party["name"],
            "namespace": party["namespace"],
            "labels": party["labels"],
            "port": port,
            "path": settings.metrics.path,
        }
        for party in room.instances(name)
    ]


@dataclass(frozen=True, kw_only=True)
class Used:
    """The parts of the environment that services may use."""

    database: PostgresCluster
    secrets: SecretSet | None
    messages: MessageBus | None


def make_service(room: Room, used: Used, name: str, settings: ServiceConfig) -> HardenedWorkload:
    """One service with everything that its settings name; it starts after what it uses."""
    prefix = variables(name)
    args: HardenedWorkloadArgs = {
        "namespace": room.namespace,
        "environment": room.tier,
        "image": room.args.images[settings.image],
        "memory_mib": settings.memory_mib,
        "cpu_request_millis": settings.cpu_request_millis,
        "port": room.port(name),
        "replicas": settings.replicas,
        "priority_class": room.environment.service_priority_class,
        "env": {
            f"{prefix}_ENVIRONMENT": room.tier,
            f"{prefix}_LOG_LEVEL": settings.log_level,
            **_faults(prefix, settings),
        },
    }
    operators = room.config.cluster.operators
    if operators:
        args["accepts_from"] = [{"name": "operators", "cidrs": operators}]
    give_secrets(room, args, name, prefix, used.secrets)
    before: list[pulumi.Resource] = [room.environment]
    if settings.databases:
        connect(args, settings.databases, room, used.database)
        before.append(used.database)
    if used.messages is not None and uses_messages(room, name):
        connect_messages(args, prefix, name, used.messages, room.config.messaging.credential_generation)
        before.append(used.messages)
    if settings.rollout.enabled:
        before.append(make_rollout(room, name, prefix, args, before))
    return HardenedWorkload(name, args, room.below(*before))


def _faults(prefix: str, settings: ServiceConfig) -> dict[str, str]:
    """Faults on purpose; a service without them knows nothing of them."""
    wanted = {"ERROR_PERCENT": settings.faults.error_percent, "LATENCY_MS": settings.faults.latency_ms}
    return {f"{prefix}_FAULTS_{name}": str(value) for name, value in wanted.items() if value}
