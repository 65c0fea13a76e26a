"""Parts of an environment that have a picture of their own."""

from __future__ import annotations

from dataclasses import dataclass

from local.errors import InputError
from ops.graph.resources import Resource

_WORKLOAD = "HardenedWorkload"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some of a stack's components, in all detail, with those around them that talk with them."""

    name: str
    types: tuple[str, ...] = ()
    """Component types that belong to it."""
    workloads: tuple[str, ...] = ()
    """Names of HardenedWorkloads that belong to it."""
    reads_metrics: bool = False
    """Whether who reads whose metrics is drawn instead of only told."""

    def has(self, component: Resource) -> bool:
        """Whether a component belongs to it."""
        kind = component.type.rpartition(":")[2]
        return kind in self.types or (kind == _WORKLOAD and component.name in self.workloads)


PARTS = {
    part.name: part
    for part in (
        Part(name="certificates", workloads=("certificate-exporter",)),
        Part(name="delivery", types=("Rollout",), workloads=("reference",)),
        Part(name="gateway", types=("Gateway", "GatewayController")),
        Part(name="logging", types=("LoggingStack",)),
        Part(name="messaging", types=("MessageBus",)),
        Part(
            name="monitoring",
            types=("MonitoringStack", "MetricsOperator", "WorkloadExporter"),
            workloads=("alert-receiver",),
            reads_metrics=True,
        ),
        Part(name="postgres", types=("PostgresCluster", "PostgresOperator")),
        Part(name="workload", workloads=("reference",)),
    )
}


def part_of(name: str) -> Part | None:
    """The part of a name; None for the empty name, the whole environment.

    Raises:
        InputError: there is none of that name.
    """
    if name and name not in PARTS:
        raise InputError(f"no part is called {name!r}", hint=f"one of: {', '.join(PARTS)}")
    return PARTS.get(name)
