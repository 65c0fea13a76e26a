"""Logging of an environment: whose pods are read, where the lines go, how people reach them."""

from __future__ import annotations

import pulumi

from omnibase_infra.alert import Alert
from omnibase_infra.environment import Environment
from omnibase_infra.logging import LoggingStack, LoggingStackArgs, logging_alerts
from omnibase_infra.platform.room import Room
from omnibase_infra.postgres import OPERATOR

PART = "logging"
_PARTS = ("agents", "gateway", "logging", "monitoring")
"""Parts of a stack with namespaces of their own; one that is not there has no pods to read."""
_CONTROLLERS = ("envoy-gateway-system", "prometheus-operator")
"""Namespaces of controllers beside the database's operator."""


def make_logging(room: Room, agents: Environment | None) -> LoggingStack | None:
    """The store in `omnibase-<stack>-logging` and a collector on each node, or None where it is not enabled."""
    if not room.config.logging.enabled or agents is None:
        return None
    space = _environment(room)
    return LoggingStack(PART, _args(room, space), room.below(space, agents))


def make_logging_alerts(room: Room, logging: LoggingStack | None) -> list[Alert]:
    """What is told of logging; nothing where it is not enabled."""
    return logging_alerts(PART, room.config.logging.store.size_cap_gib) if logging else []


def _environment(room: Room) -> Environment:
    """A namespace with room for the store alone."""
    store = room.config.logging.store
    return Environment(
        f"{PART}-environment",
        {
            "namespace": room.space(PART),
            "environment": room.tier,
            "cpu_request_millis": 2 * store.cpu_request_millis,
            "memory_mib": 2 * store.memory_mib,
            "pods": 5,
            "storage_gib": store.storage_gib,
            "protect": room.config.protect,
        },
        pulumi.ResourceOptions(parent=room.parent),
    )


def _args(room: Room, space: Environment) -> LoggingStackArgs:
    settings, cluster = room.config.logging, room.config.cluster
    operators = [OPERATOR["namespace"], *_CONTROLLERS]
    read = [room.namespace, *(room.space(part) for part in _PARTS), *operators, *settings.namespaces]
    return {
        "namespace": room.space(PART),
        "agents_namespace": room.space("agents"),
        "environment": room.tier,
        "namespaces": list(dict.fromkeys(read)),
        "store_image": room.args.images["victoria-logs"],
        "collector_image": room.args.images["otel-collector"],
        "retention": settings.store.retention,
        "storage_gib": settings.store.storage_gib,
        "size_cap_gib": settings.store.size_cap_gib,
        "store_cpu_request_millis": settings.store.cpu_request_millis,
        "store_memory_mib": settings.store.memory_mib,
        "collector_cpu_request_millis": settings.collector.cpu_request_millis,
        "collector_memory_mib": settings.collector.memory_mib,
        "buffer_mib": settings.collector.buffer_mib,
        "redact": list(settings.redact),
        "protect": room.config.protect,
        "priority_class": space.data_priority_class,
        "api_server_cidrs": cluster.api_server,
        "api_server_ports": cluster.api_server_ports,
    }
