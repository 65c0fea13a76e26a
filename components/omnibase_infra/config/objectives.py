"""Settings of service level objectives: what callers may count on, and over which time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from omnibase_infra.config.capability import Capability, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.section import Section
from omnibase_infra.config.units import Duration, Label, Percentage, between

BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
"""In which services of ours count durations: between two of them nothing can be measured."""
SPENT = {"1h": 0.02, "6h": 0.05, "1d": 0.1, "3d": 0.1}
"""Time -> share of the window's budget that may be used up in it before an alert; Google's SRE workbook, chapter 5."""


def _bucket(milliseconds: int) -> int:
    if milliseconds not in BUCKETS_MS:
        known = ", ".join(str(each) for each in BUCKETS_MS)
        raise ValueError(f"must be one of {known}: in these steps services count durations")
    return milliseconds


LatencyMs = Annotated[int, Field(ge=BUCKETS_MS[0], le=BUCKETS_MS[-1]), AfterValidator(_bucket)]


class ObjectiveConfig(Section):
    """What callers of one service may count on."""

    service: Label
    """A service of this stack that counts its requests."""
    availability: Percentage | None = None
    """Requests that do not end with 5xx; default `objectives.availability`."""
    latency_ms: LatencyMs | None = None
    """How long a request may take, in milliseconds; default `objectives.latency_ms`."""
    latency_share: Percentage | None = None
    """Requests that must not take longer; default `objectives.latency_share`."""


class ObjectivesConfig(Section):
    """Service level objectives. Alert ObjectiveBurning fires when failures use up their budget too fast."""

    window: Annotated[Duration, between(Duration("7d"), Duration("90d"))] = Duration("30d")
    """Time over which an objective is kept; what may fail in it is its budget."""
    availability: Percentage
    """Requests that do not end with 5xx, where an objective does not say."""
    latency_ms: LatencyMs
    """How long a request may take, in milliseconds, where an objective does not say."""
    latency_share: Percentage
    """Requests that must not take longer, where an objective does not say."""
    targets: dict[Label, ObjectiveConfig] = {}
    """Name -> objective."""

    @property
    def enabled(self) -> bool:
        """Whether there is any."""
        return bool(self.targets)

    @property
    def fastest_burn(self) -> float:
        """How many times as fast as allowed the budget must be used up for the most urgent alert."""
        return max(self.burn(span) for span in SPENT)

    def burn(self, span: str) -> float:
        """How many times as fast as allowed the budget is used up when a time's share of it is gone."""
        return SPENT[span] * self.window.seconds / Duration(span).seconds

    def effective(self) -> list[Objective]:
        """Every objective with all of its numbers, by name."""
        return [
            Objective(
                service=target.service,
                availability=round((target.availability or self.availability).share, 6),
                latency_ms=target.latency_ms or self.latency_ms,
                latency_share=round((target.latency_share or self.latency_share).share, 6),
            )
            for _, target in sorted(self.targets.items())
        ]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What callers of one service may count on, in numbers."""

    service: str
    availability: float
    """Share of requests, 0..1."""
    latency_ms: int
    latency_share: float
    """Share of requests, 0..1."""


def _reachable(objectives: ObjectivesConfig) -> Iterator[Finding]:
    """An alert on more than all requests would never fire, and one on none always."""
    fields = {f"objectives.{name}": getattr(objectives, name) for name in ("availability", "latency_share")}
    for name, target in objectives.targets.items():
        fields[f"objectives.targets.{name}.availability"] = target.availability
        fields[f"objectives.targets.{name}.latency_share"] = target.latency_share
    for path, value in fields.items():
        if value is None:
            continue
        if value.share >= 1:
            yield path, value, "must be below 100%", "what may never fail has no budget; say how often it may"
        elif (1 - value.share) * objectives.fastest_burn >= 1:
            least = 100 * (1 - 1 / objectives.fastest_burn)
            allowed = f"must be above {least:.1f}% with a window of {objectives.window}"
            yield path, value, allowed, "the alert would wait for more failures than there are requests"


def _served(services: Mapping[str, Any], objectives: ObjectivesConfig) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for name, target in objectives.targets.items():
        path = f"objectives.targets.{name}.service"
        if target.service not in services:
            yield path, target.service, "is not a service of this stack", nearest(target.service, services)
        elif services[target.service].metrics is None:
            hint = f"set services.{target.service}.metrics"
            yield path, target.service, "serves no metrics, so nobody counts its requests", hint
        other = taken.setdefault(target.service, name)
        if other != name:
            yield path, target.service, f"has an objective already: '{other}'", "keep one"


def _measured(objectives: ObjectivesConfig, monitoring: Any) -> Iterator[Finding]:  # noqa: ANN401 -- another section
    if not objectives.enabled:
        return
    if not monitoring.enabled:
        hint = "set monitoring.enabled to true, or remove the objectives"
        yield "objectives.targets", f"{len(objectives.targets)} objectives", "need monitoring, which counts", hint


_SMALL = {"availability": "99%", "latency_ms": 2500, "latency_share": "95%"}
# 99.9 % is the users' own number for prod; a second is where their alerts call a service slow.
_LARGE = {"availability": "99.5%", "latency_ms": 1000, "latency_share": "95%"}

OBJECTIVES = Capability(
    section="objectives",
    defaults={
        Environment.DEV: _SMALL,
        Environment.TEST: _SMALL,
        Environment.STAGING: _LARGE,
        Environment.PROD: {**_LARGE, "availability": "99.9%"},
    },
    rules=(
        (("objectives",), _reachable),
        (("services", "objectives"), _served),
        (("objectives", "monitoring"), _measured),
    ),
)
