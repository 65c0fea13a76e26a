"""The namespace of pods that need the node's own files: one DaemonSet each for the log collector and node metrics."""

from __future__ import annotations

from omnibase_infra.environment import Environment
from omnibase_infra.platform.room import Room

PART = "agents"


def make_agents(room: Room) -> Environment | None:
    """The namespace `omnibase-<stack>-agents`, or None where it is not enabled.

    Pod Security is `privileged` there, as both other levels refuse hostPath; the agents themselves are hardened like
    every pod of ours. The permission is dated and goes to the stack's waivers.
    """
    settings = room.config.agents
    if not settings.enabled:
        return None
    made = Environment(
        f"{PART}-environment",
        {
            "namespace": room.space(PART),
            "environment": room.tier,
            "cpu_request_millis": settings.quota.cpu_request_millis,
            "memory_mib": settings.quota.memory_mib,
            "pods": settings.quota.pods,
            "storage_gib": settings.quota.storage_gib,
            "pod_security": "privileged",
            "protect": room.config.protect,
            "waivers": [settings.permission],
        },
        room.below(),
    )
    room.waivers.append(settings.permission)
    return made
