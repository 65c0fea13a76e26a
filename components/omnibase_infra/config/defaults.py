"""What each environment gets when its stack file does not say otherwise: the only place with such numbers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from omnibase_infra.config.environments import Environment

# dev and test must fit a 2-core machine together with the node: small CPU requests, memory limits that the
# processes really stay below (PostgreSQL about 150 MiB, a pooler about 45 MiB, the operator about 70 MiB).
_ROLLOUT: dict[str, Any] = {
    "enabled": False,
    # Quick, so that `make up` stays it: about 20 s; generous, as everything shares two cores there.
    "steps": [20, 50],
    "interval_seconds": 4,
    "step_deadline_seconds": 60,
    "max_error_percent": 20,
    "max_latency_ms": 5000,
    "min_requests": 20,
}
# Readings come every 30 s. 1 % of errors and one second are below what the alerts on a service call slow or failing.
_CAREFUL_ROLLOUT: dict[str, Any] = {
    **_ROLLOUT,
    "steps": [10, 50],
    "interval_seconds": 60,
    "step_deadline_seconds": 240,
    "max_error_percent": 1,
    "max_latency_ms": 1000,
    "min_requests": 50,
}
_SMALL: dict[str, Any] = {
    "protect": False,
    "quota": {"cpu_request_millis": 1500, "memory_mib": 5120, "pods": 30, "storage_gib": 20},
    "postgres": {
        "instances": 2,
        "storage_gib": 2,
        "wal_storage_gib": 1,
        "cpu_request_millis": 100,
        "memory_mib": 512,
        "max_connections": 60,
        "pooler": {
            "instances": 1,
            "pool_size": 10,
            "max_clients": 200,
            "cpu_request_millis": 25,
            "memory_mib": 128,
        },
        "watchdog": {"enabled": False},
        "operator": {"replicas": 1, "cpu_request_millis": 50, "memory_mib": 200},
    },
    "services": {
        "*": {
            "replicas": 1,
            "cpu_request_millis": 50,
            "memory_mib": 256,
            "log_level": "DEBUG",
            "rollout": _ROLLOUT,
        }
    },
}

TIER_DEFAULTS: dict[Environment, dict[str, Any]] = {
    Environment.DEV: _SMALL,
    Environment.TEST: _SMALL,
    Environment.STAGING: {
        "protect": True,
        "quota": {"cpu_request_millis": 16000, "memory_mib": 32768, "pods": 100, "storage_gib": 500},
        "postgres": {
            "instances": 3,
            "storage_gib": 20,
            "wal_storage_gib": 10,
            "cpu_request_millis": 500,
            "memory_mib": 2048,
            "max_connections": 200,
            "pooler": {
                "instances": 2,
                "pool_size": 20,
                "max_clients": 1000,
                "cpu_request_millis": 100,
                "memory_mib": 256,
            },
            "watchdog": {"enabled": True},
            "operator": {"replicas": 2, "cpu_request_millis": 100, "memory_mib": 256},
        },
        "services": {
            "*": {
                "replicas": 2,
                "cpu_request_millis": 100,
                "memory_mib": 512,
                "log_level": "INFO",
                "rollout": _CAREFUL_ROLLOUT,
            }
        },
    },
    Environment.PROD: {
        "protect": True,
        "quota": {"cpu_request_millis": 48000, "memory_mib": 131072, "pods": 300, "storage_gib": 2000},
        "postgres": {
            "instances": 3,
            "storage_gib": 100,
            "wal_storage_gib": 20,
            "cpu_request_millis": 2000,
            "memory_mib": 8192,
            "max_connections": 400,
            "pooler": {
                "instances": 3,
                "pool_size": 30,
                "max_clients": 2000,
                "cpu_request_millis": 250,
                "memory_mib": 256,
            },
            "watchdog": {"enabled": True},
            "operator": {"replicas": 2, "cpu_request_millis": 100, "memory_mib": 256},
        },
        # P2: settings that decide how many copies serve have no default in prod; the stack file must say them
        "services": {
            "*": {
                "cpu_request_millis": 250,
                "memory_mib": 768,
                "log_level": "INFO",
                "rollout": {
                    **_CAREFUL_ROLLOUT,
                    "steps": [5, 25, 50],
                    "interval_seconds": 120,
                    "step_deadline_seconds": 420,
                    "min_requests": 100,
                },
            }
        },
    },
}
"""Below `services`, `*` stands for every service that the settings name, see `service_defaults`."""


def service_defaults(environment: Environment, name: str, declared: object) -> dict[str, Any]:
    """What one service has by default.

    Args:
        environment: of the stack.
        name: of the service, and of its image unless it says another.
        declared: what the settings say of it; its `kind` decides. Volumes cannot be shared and a job runs once, so
            that of these there is one pod.
    """
    found = {"image": name, **deepcopy(TIER_DEFAULTS[environment]["services"]["*"])}
    kind = declared.get("kind") if isinstance(declared, Mapping) else None
    return {**found, "replicas": 1} if kind in ("stateful", "job") else found
