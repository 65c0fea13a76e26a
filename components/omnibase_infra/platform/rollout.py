"""How new versions of the services come in: a canary and its analysis before the stable pods change."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from omnibase_infra.alert import Alert
from omnibase_infra.config.rollout import ANALYSIS_CPU_MILLIS, ANALYSIS_IMAGE, ANALYSIS_MEMORY_MIB, analysis, rolling
from omnibase_infra.monitoring import PROMETHEUS_PORT, WORKLOAD_JOB
from omnibase_infra.naming import service_host
from omnibase_infra.network import Party
from omnibase_infra.platform.messaging import uses_messages
from omnibase_infra.platform.room import Room
from omnibase_infra.rollout import Rollout, RolloutArgs, rollout_alerts
from omnibase_infra.workload import HardenedWorkloadArgs


def make_rollout(
    room: Room, name: str, prefix: str, workload: HardenedWorkloadArgs, before: Sequence[pulumi.Resource]
) -> Rollout:
    """The canary of a service and its proof; the stable workload comes after it.

    Args:
        name: of the service.
        prefix: of its variables.
        workload: what the stable workload gets.
        before: what the service uses.
    """
    settings, cluster = room.services[name].rollout, room.config.cluster
    args: RolloutArgs = {
        "workload": workload,
        "analysis_image": room.args.images[ANALYSIS_IMAGE],
        "analysis_memory_mib": ANALYSIS_MEMORY_MIB,
        "analysis_cpu_request_millis": ANALYSIS_CPU_MILLIS,
        "routes": [key for key, route in room.config.gateway.routes.items() if route.service == name],
        "steps": list(settings.steps),
        "interval_seconds": settings.interval_seconds,
        "step_deadline_seconds": settings.step_deadline_seconds,
        "max_error_percent": settings.max_error_percent,
        "max_latency_ms": settings.max_latency_ms,
        "min_requests": settings.min_requests,
        "prometheus_url": f"http://{service_host('prometheus-operated', room.space('monitoring'))}:{PROMETHEUS_PORT}",
        "api_server_cidrs": cluster.api_server,
        "api_server_ports": cluster.api_server_ports,
        "waiver": settings.permission,
    }
    if settings.probe_path is not None:
        args["probe_path"] = settings.probe_path
    if uses_messages(room, name):
        # Its consumer is one for all pods of the service: a canary that reads would take events away from proven code.
        args["canary_env"] = {f"{prefix}_MESSAGES_CONSUME": "false"}
    room.waivers.append(settings.permission)
    return Rollout(name, args, room.below(*before))


def make_rollout_alerts(room: Room) -> list[Alert]:
    """Alerts on the canaries of all services."""
    return [alert for name in rolling(room.config.services) for alert in rollout_alerts(name, WORKLOAD_JOB)]


def analyses(room: Room) -> list[Party]:
    """The analyses of all services, who ask Prometheus."""
    return [room.service(analysis(name)) for name in rolling(room.services)]
