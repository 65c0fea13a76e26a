"""The capabilities of an environment: each is one module of this folder; the list below is all that others know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibase_infra.config.agents import AGENTS
from omnibase_infra.config.backup import BACKUP
from omnibase_infra.config.capability import Capability, Demand, Finding, Rule, SecretUse
from omnibase_infra.config.certificates import CERTIFICATES
from omnibase_infra.config.gateway import GATEWAY
from omnibase_infra.config.logging import LOGGING
from omnibase_infra.config.mcp import MCP
from omnibase_infra.config.messaging import MESSAGING
from omnibase_infra.config.monitoring import MONITORING
from omnibase_infra.config.objectives import OBJECTIVES
from omnibase_infra.config.responder_rules import RESPONDERS
from omnibase_infra.config.rotation import ROTATION
from omnibase_infra.config.secrets import SECRETS
from omnibase_infra.config.security import SECURITY

__all__ = [
    "CAPABILITIES",
    "Capability",
    "Demand",
    "Finding",
    "Rule",
    "capability_demands",
    "capability_images",
    "capability_secrets",
]

CAPABILITIES: tuple[Capability, ...] = (
    AGENTS,
    BACKUP,
    CERTIFICATES,
    GATEWAY,
    LOGGING,
    MCP,
    MESSAGING,
    MONITORING,
    OBJECTIVES,
    RESPONDERS,
    ROTATION,
    SECRETS,
    SECURITY,
)


def capability_images(sections: Mapping[str, Any]) -> set[str]:
    """Images of all enabled capabilities among valid sections."""
    found: set[str] = set()
    for capability in CAPABILITIES:
        section = sections.get(capability.section)
        if section is not None and section.enabled:
            found |= set(capability.images(section))
    return found


def capability_demands(sections: Mapping[str, Any]) -> list[Demand]:
    """What all enabled capabilities among valid sections run in the stack's namespace."""
    found: list[Demand] = []
    for capability in CAPABILITIES:
        section = sections.get(capability.section)
        if section is not None and section.enabled:
            found += capability.demands(section)
    return found


def capability_secrets(sections: Mapping[str, Any]) -> list[SecretUse]:
    """Where all capabilities among valid sections name entries of `secrets.entries`."""
    found: list[SecretUse] = []
    for capability in CAPABILITIES:
        section = sections.get(capability.section)
        if section is not None:
            found += capability.secrets(section)
    return found
