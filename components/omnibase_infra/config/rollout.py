"""How a new version of a service comes in: canary, analysis, and faults to try them with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field

from omnibase_infra.config.capability import Demand, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.monitoring import TokenWaiverConfig
from omnibase_infra.config.section import Section
from omnibase_infra.waiver import Waiver, today, waiver_problems

ANALYSIS_IMAGE = "rollout-analysis"
ANALYSIS_MEMORY_MIB = 32
"""Memory request and limit of the analysis; not measured, but it has run within it on every node so far."""
ANALYSIS_CPU_MILLIS = 10
_READINGS = 3  # that a step must have room for: the newest may be lost, the one before be of another pod


class RolloutConfig(Section):
    """A canary of the service, which must prove every change before the stable pods get it."""

    enabled: bool
    """Needs a route of the gateway to the service, and monitoring."""
    steps: list[Annotated[int, Field(ge=1, le=100)]]
    """Per cent of the calls that the canary gets, ascending, one step after the other."""
    interval_seconds: Annotated[int, Field(ge=2, le=3600)]
    """How long each step is watched at least."""
    step_deadline_seconds: Annotated[int, Field(ge=10, le=7200)]
    """How long a step may wait for metrics; after it the canary is refused. At least the interval and 3 readings."""
    max_error_percent: Annotated[int, Field(ge=0, le=100)]
    """Calls that may end with 5xx, in per cent of each step's."""
    max_latency_ms: Annotated[int, Field(ge=1, le=300_000)]
    """How long 95 % of the calls may take."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)]
    """Calls of a step below which their rates say nothing: then the analysis' own calls of the canary decide."""
    probe_path: Annotated[str, Field(pattern=r"^/\S*$")] | None = None
    """What the analysis calls beside the readiness path, by GET; 5xx is a failure. Default: nothing else."""
    waiver: TokenWaiverConfig = TokenWaiverConfig()
    """The dated permission for the analysis' API token."""

    @property
    def permission(self) -> Waiver:
        """The waiver as components and the stack's outputs have it."""
        return {
            "setting": "service-account-token",
            "reason": "the analysis moves the weights of the service's own routes, and can change nothing else",
            "owner": self.waiver.owner,
            "until": self.waiver.until,
        }


class FaultsConfig(Section):
    """Faults that the service makes on purpose, to try canary, alerts and callers with; not in staging and prod."""

    error_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Requests that are answered with 500, in per cent; never probes and metrics."""
    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    """How much longer every such request takes."""


def canary(service: str) -> str:
    """Name of a service's canary: workload, Service and job label of its metrics."""
    return f"{service}-canary"


def analysis(service: str) -> str:
    """Name of the Job that proves a service's canary."""
    return f"{service}-analysis"


def rolling(services: Mapping[str, Any]) -> list[str]:
    """Names of the services that come in by a canary."""
    return [name for name, service in services.items() if service.rollout.enabled]


def demands(services: Mapping[str, Any]) -> Sequence[Demand]:
    """A canary beside its successor, and the Job, of each such service."""
    found = []
    for name in rolling(services):
        service = services[name]
        found.append(Demand(2, service.memory_mib, service.cpu_request_millis, 0))
        found.append(Demand(1, ANALYSIS_MEMORY_MIB, ANALYSIS_CPU_MILLIS, 0))
    return found


def check_rollouts(services: Mapping[str, Any], gateway: Any, monitoring: Any) -> Iterator[Finding]:  # noqa: ANN401 -- sections
    """What a rollout needs of the rest of the environment."""
    routed = {route.service for route in gateway.routes.values()} if gateway.enabled else set()
    for name in rolling(services):
        path = f"services.{name}.rollout"
        if name not in routed:
            hint = f"add gateway.routes.<name> with `service: {name}`, or set {path}.enabled to false"
            yield f"{path}.enabled", "true", "needs a route of the gateway to the service", hint
        if not monitoring.enabled:
            hint = f"set monitoring.enabled to true, or {path}.enabled to false"
            yield f"{path}.enabled", "true", "needs monitoring: without it nobody sees the canary's errors", hint
        elif services[name].rollout.step_deadline_seconds < _least_deadline(services[name].rollout, monitoring):
            least = _least_deadline(services[name].rollout, monitoring)
            readings = f"{_READINGS} readings of {monitoring.prometheus.scrape_seconds} s"
            allowed = f"must be at least {least}: the interval and {readings}"
            received = str(services[name].rollout.step_deadline_seconds)
            yield f"{path}.step_deadline_seconds", received, allowed, "no canary could pass"
        yield from _own(path, services[name].rollout)
        for other in {canary(name), analysis(name)} & set(services):
            hint = f"the canary and the analysis of {name!r} have such names"
            yield f"services.{other}", "the name of a service", f"is taken by {path}", hint


def check_faults(environment: Environment, services: Mapping[str, Any]) -> Iterator[Finding]:
    """Faults on purpose belong to environments without users."""
    if environment not in (Environment.STAGING, Environment.PROD):
        return
    for name, service in services.items():
        for field in ("error_percent", "latency_ms"):
            value = getattr(service.faults, field)
            if value:
                hint = "try faults in dev or test"
                yield f"services.{name}.faults.{field}", str(value), f"must be 0 in {environment}", hint


def _least_deadline(rollout: RolloutConfig, monitoring: Any) -> int:  # noqa: ANN401 -- a section
    return int(rollout.interval_seconds + _READINGS * monitoring.prometheus.scrape_seconds)


def _own(path: str, rollout: RolloutConfig) -> Iterator[Finding]:
    if not rollout.steps:
        yield f"{path}.steps", "[]", "needs at least one step", "for example [5, 25, 50]"
    if any(later <= earlier for earlier, later in pairwise(rollout.steps)):
        yield f"{path}.steps", str(rollout.steps), "must ascend", f"for example {sorted(set(rollout.steps))}"
    for problem in waiver_problems([rollout.permission], ["service-account-token"], today()):
        hint = "look whether it is still needed, then set a new day"
        yield f"{path}.waiver.until", rollout.waiver.until, problem, hint
