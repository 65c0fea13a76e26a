"""Alerts on service level objectives, pure: how fast failures use up their budget.

Each needs a long time, so that a short dip calls nobody, and a short one beside it, so that it ends soon after its
cause. Thresholds and their sources: docs/architecture/monitoring.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omnibase_infra.alert import Alert
from omnibase_infra.config.objectives import Objective
from omnibase_infra.config.units import Duration

_SPANS = {"critical": {"1h": "5m", "6h": "30m"}, "warning": {"1d": "2h", "3d": "6h"}}
"""Severity -> long time -> short time."""
_QUIET = 'route!~"/healthz|/readyz|/metrics"'  # probes are no callers
_DAY = 86_400
_LEAST_FAILURES = 5  # in the long time: below that a share means nothing


def objective_alerts(objectives: Sequence[Objective], burns: Mapping[str, float], kept_days: int) -> list[Alert]:
    """Two alerts for each objective of a service: its budget is gone within days, or within the window.

    Args:
        objectives: of services that count their requests.
        burns: long time -> how many times as fast as allowed the budget is used up.
        kept_days: how long samples are kept; times that are longer are left out.
    """
    found = []
    for objective in objectives:
        for share in _shares(objective):
            for severity, spans in _SPANS.items():
                kept = {long: short for long, short in spans.items() if Duration(long).seconds <= kept_days * _DAY}
                if kept:
                    parts = [_burning(share, burns[long], long, kept[long]) for long in kept]
                    found.append(_alert(objective.service, share.name, severity, " or ".join(parts)))
    return found


@dataclass(frozen=True, kw_only=True)
class _Share:
    """A share of the requests that may fail; `%s` in an expression stands for a time."""

    name: str
    failed: str
    every: str
    budget: float


def _shares(objective: Objective) -> list[_Share]:
    own = f'job="{objective.service}",{_QUIET}'
    every, timed = f"http_requests_total{{{own}}}", f"http_request_duration_seconds_count{{{own}}}"
    quick = f'http_request_duration_seconds_bucket{{{own},le="{objective.latency_ms / 1000}"}}'
    return [
        _Share(
            name="availability",
            failed=f'sum(increase(http_requests_total{{{own},status=~"5.."}}[%s]))',
            every=f"sum(increase({every}[%s]))",
            budget=1 - objective.availability,
        ),
        _Share(
            name="latency",
            failed=f"(sum(increase({timed}[%s])) - sum(increase({quick}[%s])))",
            every=f"sum(increase({timed}[%s]))",
            budget=1 - objective.latency_share,
        ),
    ]


def _burning(share: _Share, burn: float, long: str, short: str) -> str:
    limits = [
        f"{share.failed} / {share.every} > {share.budget * burn:.6g}".replace("%s", span) for span in (long, short)
    ]
    enough = f"{share.failed} >= {_LEAST_FAILURES}".replace("%s", long)
    return f"({' and '.join(limits)} and {enough})"


def _alert(service: str, kind: str, severity: str, expr: str) -> Alert:
    when = "within days" if severity == "critical" else "before its time is over"
    return {
        "name": "ObjectiveBurning",
        "expr": expr,
        "for_seconds": 60,
        "severity": severity,
        "summary": f"{service} will have used up what may fail of its {kind} {when}: "
        "{{ $value | humanizePercentage }} of the requests fail it.",
        "runbook": "objective-burning",
        "labels": {"service": service, "objective": kind},
    }
