"""The alert on weights that an analysis did not put back, pure. Its threshold: docs/architecture/monitoring.md."""

from omnibase_infra.alert import Alert
from omnibase_infra.config.rollout import analysis, canary

_QUIET = 'route!~"/healthz|/readyz|/metrics"'  # probes reach a canary whatever the weights are


def rollout_alerts(service: str, workloads: str) -> list[Alert]:
    """The alert on a canary that gets calls while nobody judges it: the route's weights are not 100 and 0.

    Nobody measures the weights themselves, but the calls that follow from them.

    Args:
        service: whose canary it is.
        workloads: job of the series of what runs.
    """
    calls = f'sum(increase(http_requests_total{{job="{canary(service)}",{_QUIET}}}[2m]))'
    judged = f'sum(kube_job_status_active{{job="{workloads}",job_name="{analysis(service)}"}})'
    return [
        {
            "name": "RolloutWeightsOff",
            "expr": f"{calls} > 0 unless {judged} > 0",
            "for_seconds": 180,
            "severity": "warning",
            "summary": f"The canary of {service} gets calls and no analysis judges it: the weights are not 100 and 0.",
            "runbook": "rollout-weights-off",
            "labels": {"service": service},
        }
    ]
