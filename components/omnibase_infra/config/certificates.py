"""Settings of the environment's own certificates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from omnibase_infra.config.capability import Capability, Demand, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.section import CpuMillis, MemoryMib, Section

EXPORTER_IMAGE = "certificate-exporter"
_LEAST_LIVES = 2  # a renewal that fails must leave time for another before the end


class CertificatesConfig(Section):
    """The environment's own certificate authority and what it signs."""

    enabled: bool
    """Make the authority, and watch when certificates end. Required in staging and prod."""
    authority_validity_days: Annotated[int, Field(ge=2, le=7300)]
    """Life of the authority, in days; at least twice `validity_days`."""
    validity_days: Annotated[int, Field(ge=1, le=825)]
    """Life of a server's certificate, in days; at least twice `renew_before_days`."""
    renew_before_days: Annotated[int, Field(ge=1, le=400)]
    """Days before the end from which the alert asks for `ops rotate certificates`."""
    authority_generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Raised by `ops rotate certificates --authority`: a new authority, for which the old one vouches."""
    generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Raised by `ops rotate certificates`: new keys and certificates for all servers."""
    exporter_cpu_request_millis: CpuMillis
    """CPU request of the expiry exporter, in thousandths of a core."""
    exporter_memory_mib: MemoryMib
    """Memory request and limit of the expiry exporter, in MiB."""


def _rules(environment: Environment, certificates: CertificatesConfig) -> Iterator[Finding]:
    if not certificates.enabled and environment in (Environment.STAGING, Environment.PROD):
        yield "certificates.enabled", "false", f"must be true in {environment}", "TLS inside the environment needs it"
    life, window = certificates.validity_days, certificates.renew_before_days
    if life < _LEAST_LIVES * window:
        hint = "a certificate would be due for rotation for most of its life"
        yield "certificates.validity_days", str(life), f"must be at least 2 x renew_before_days = {2 * window}", hint
    authority = certificates.authority_validity_days
    if authority < _LEAST_LIVES * life:
        hint = "servers' certificates end with their authority"
        yield (
            "certificates.authority_validity_days", str(authority),
            f"must be at least 2 x validity_days = {2 * life}", hint,
        )  # fmt: skip


# 90 and 30 days are what public authorities and their clients settled on; five years of authority outlive a stack's
# hardware, and its rotation is rehearsed by the same command.
_DEFAULTS: dict[str, Any] = {
    "enabled": True,
    "authority_validity_days": 1825,
    "validity_days": 90,
    "renew_before_days": 30,
    "exporter_cpu_request_millis": 10,
    "exporter_memory_mib": 32,
}

CERTIFICATES = Capability(
    section="certificates",
    defaults=dict.fromkeys(Environment, _DEFAULTS),
    images=lambda section: (EXPORTER_IMAGE,),
    # The exporter has a second pod while it rolls.
    demands=lambda section: [Demand(2, section.exporter_memory_mib, section.exporter_cpu_request_millis, 0)],
    rules=((("environment", "certificates"), _rules),),
)
