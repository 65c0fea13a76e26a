"""Names of what a rollout makes, pure."""

from omnibase_infra.config.rollout import analysis, canary
from omnibase_infra.network import Party

__all__ = ["analysis", "canary", "party"]


def party(name: str, namespace: str) -> Party:
    """Pods of the canary or of the analysis as one end of an arrow."""
    return {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/name": name}}
