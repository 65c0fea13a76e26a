"""The services in an environment: each with everything that its settings name, in the order in which they need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

import pulumi

from omnibase_infra.config import ServiceConfig
from omnibase_infra.config.services import prefix as variables
from omnibase_infra.messaging import MessageBus
from omnibase_infra.platform.database import connect
from omnibase_infra.platform.documents import give_documents
from omnibase_infra.platform.messaging import connect_messages, uses_messages
from omnibase_infra.platform.rollout import make_rollout
from omnibase_infra.platform.room import Room
from omnibase_infra.platform.secrets import give_secrets
from omnibase_infra.platform.service_args import service_args
from omnibase_infra.postgres import PostgresCluster
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.secrets import SecretSet
from omnibase_infra.workload import HardenedWorkload

_WAITED_FOR = ("healthy", "completed")
"""Conditions of `depends_on` that the engine waits for. For `started` nobody waits: Kubernetes starts again whatever
ends because another is not there yet."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """The parts of the environment that services may use."""

    databases: Mapping[str, PostgresCluster]
    secrets: SecretSet | None
    messages: MessageBus | None


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


def make_services(room: Room, used: Used) -> dict[str, HardenedWorkload]:
    """Everything that the stack deploys, by name; a service comes after those that it waits for."""
    order = TopologicalSorter({name: _waits_for(each) for name, each in room.services.items()}).static_order()
    made: dict[str, HardenedWorkload] = {}
    for name in order:
        made[name] = _make(room, used, name, [made[other] for other in _waits_for(room.services[name])])
    return made


def _waits_for(settings: ServiceConfig) -> list[str]:
    return [other for other, condition in settings.depends_on.items() if condition in _WAITED_FOR]


def _make(room: Room, used: Used, name: str, others: list[HardenedWorkload]) -> HardenedWorkload:
    settings, prefix = room.services[name], variables(name)
    args = service_args(room, name, settings)
    give_documents(room, args, name, prefix)
    give_secrets(room, args, name, prefix, used.secrets)
    before: list[pulumi.Resource] = [room.environment, *others]
    if settings.databases:
        before += connect(args, settings.databases, room, used.databases)
    if used.messages is not None and uses_messages(room, name):
        connect_messages(args, prefix, name, used.messages, room.config.messaging.credential_generation)
        before.append(used.messages)
    if settings.rollout.enabled:
        before.append(make_rollout(room, name, prefix, args, before))
    room.waivers.extend(each.permission for each in settings.exceptions)
    return HardenedWorkload(name, args, room.below(*before))
