"""Alerts on network policies, pure. Thresholds and their sources: docs/architecture/monitoring.md."""

from collections.abc import Collection, Mapping

from omnibase_infra.alert import Alert
from omnibase_infra.naming import PART_OF

PART_OF_LABEL = "app.kubernetes.io/part-of"
"""By its value the policies of this library are told from those of others."""
_RUNBOOK = "network-policies"


def network_alerts(job: str, declared: Mapping[str, Collection[str]]) -> list[Alert]:
    """Alerts on policies that are declared and gone, and on policies that are not ours.

    Args:
        job: of the series that tell which policies there are.
        declared: namespace -> names of the policies that the stack makes there; each namespace must be watched.
    """
    return [*(_missing(job, namespace, declared[namespace]) for namespace in sorted(declared)), _foreign(job)]


def _missing(job: str, namespace: str, names: Collection[str]) -> Alert:
    """Counted, not named: one term for each of some hundred policies would be a rule that nobody reads."""
    there = (
        f'kube_networkpolicy_created{{job="{job}",namespace="{namespace}",networkpolicy=~"{"|".join(sorted(names))}"}}'
    )
    return {
        "name": "NetworkPolicyMissing",
        # without its exporter nothing is known, which is an alert of its own
        "expr": f'{len(names)} - (count({there}) or vector(0)) > 0 and on () max(up{{job="{job}"}}) == 1',
        "for_seconds": 60,
        "severity": "warning",
        "summary": f"{{{{ $value }}}} of the declared network policies of {namespace} are gone.",
        "runbook": _RUNBOOK,
        "labels": {"namespace": namespace},
    }


def _foreign(job: str) -> Alert:
    label = f"label_{PART_OF_LABEL}".translate(str.maketrans("./-", "___"))
    others = f'kube_networkpolicy_labels{{job="{job}",{label}!="{PART_OF}"}}'
    return {
        "name": "NetworkPolicyForeign",
        "expr": f"max by (namespace, networkpolicy) ({others}) == 1",
        "for_seconds": 60,
        "severity": "warning",
        "summary": "{{ $labels.networkpolicy }} of {{ $labels.namespace }} is not ours and may open connections.",
        "runbook": _RUNBOOK,
    }
