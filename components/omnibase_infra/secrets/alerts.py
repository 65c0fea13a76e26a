"""Alerts on credentials, pure."""

from collections.abc import Mapping

from omnibase_infra.alert import Alert


def credential_alerts(due: Mapping[str, int]) -> list[Alert]:
    """One alert, on every credential that is older than it may become; none where no ages are known.

    Args:
        due: name of a credential -> Unix time in seconds from which it is too old.
    """
    if not due:
        return []
    late = [f'label_replace(vector(time() - {due[name]}), "credential", "{name}", "", "") > 0' for name in sorted(due)]
    return [
        {
            "name": "CredentialDue",
            "expr": " or ".join(late),
            "for_seconds": 300,
            "severity": "warning",
            "summary": "{{ $labels.credential }} was due for rotation {{ $value | humanizeDuration }} ago.",
            "runbook": "credential-due",
        }
    ]
