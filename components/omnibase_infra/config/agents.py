"""Settings of the namespace for pods that need the node's own files: log collector, node metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from omnibase_infra.config.capability import Capability, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.section import QuotaConfig, Section
from omnibase_infra.config.units import Date
from omnibase_infra.waiver import Waiver, today, waiver_problems

REASON = "agents read the node's files (container logs, /proc), which only the level `privileged` admits"


class AgentsWaiverConfig(Section):
    """Who answers until when for a namespace in which pods may mount the node's files."""

    owner: Annotated[str, Field(min_length=1, max_length=80)] = "platform"
    """A person or team."""
    until: Date = "2027-05-31"
    """Last valid day, YYYY-MM-DD, at most a year ahead; after it nothing is deployed until somebody looks again."""


class AgentsConfig(Section):
    """The namespace `omnibase-<stack>-agents`. Pod Security is `privileged` there, so nothing else runs in it."""

    enabled: bool
    """Make the namespace. Required by every part that has an agent on each node."""
    quota: QuotaConfig
    """Upper bounds of the namespace; agents have one pod per node."""
    waiver: AgentsWaiverConfig = AgentsWaiverConfig()
    """The dated permission."""

    @property
    def permission(self) -> Waiver:
        """The waiver as components and the stack's outputs have it."""
        return {
            "setting": "pod-security",
            "reason": REASON,
            "owner": self.waiver.owner,
            "until": self.waiver.until,
        }


def _dated(agents: AgentsConfig) -> Iterator[Finding]:
    if agents.enabled:
        for problem in waiver_problems([agents.permission], ["pod-security"], today()):
            hint = "look again whether agents still need the node's files, then write a new date"
            yield "agents.waiver.until", agents.waiver.until, problem, hint


def required_by(section: str, needs: str) -> tuple[tuple[str, ...], Any]:
    """The rule that a section with agents on the nodes needs this namespace.

    Args:
        section: top-level key of a section with a field `enabled`.
        needs: what it has there, for the message.
    """

    def rule(agents: AgentsConfig, user: Any) -> Iterator[Finding]:  # noqa: ANN401 -- any section
        if user.enabled and not agents.enabled:
            hint = f"or set {section}.enabled to false"
            yield "agents.enabled", "false", f"must be true: {section} has {needs} on each node", hint

    return (("agents", section), rule)


_SMALL: dict[str, Any] = {
    "enabled": True,
    "quota": {"cpu_request_millis": 300, "memory_mib": 1024, "pods": 10, "storage_gib": 1},
}
_LARGE: dict[str, Any] = {
    "enabled": True,
    "quota": {"cpu_request_millis": 32000, "memory_mib": 131072, "pods": 500, "storage_gib": 1},
}

AGENTS = Capability(
    section="agents",
    defaults={
        Environment.DEV: _SMALL,
        Environment.TEST: _SMALL,
        Environment.STAGING: _LARGE,
        Environment.PROD: _LARGE,
    },
    rules=[(("agents",), _dated)],
)
