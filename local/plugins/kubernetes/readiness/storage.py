"""When volumes and claims are ready."""

from __future__ import annotations

from local.plugins.common.values import dig
from local.plugins.kubernetes.readiness.verdict import Look, Verdict


def volume(look: Look) -> Verdict:
    """Available or bound."""
    phase = look.status("phase")
    return Verdict(phase in ("Available", "Bound"), f"Waiting for PersistentVolume (phase {phase})")


def claim(look: Look) -> Verdict:
    """Bound; a new claim whose storage class waits for its first pod is ready while it is pending."""
    phase = look.status("phase")
    if phase == "Bound":
        return Verdict(True, "PersistentVolumeClaim is bound")
    if phase == "Lost":
        return Verdict(False, "PersistentVolumeClaim lost its volume", failed=True)
    if phase == "Pending" and _binds_late(look):
        return Verdict(True, "PersistentVolumeClaim waits for its first consumer")
    return Verdict(False, f"Waiting for PersistentVolumeClaim to be bound (phase {phase})")


def _binds_late(look: Look) -> bool:
    name = look.spec("storageClassName")
    found = look.others.get("storage.k8s.io/v1", "StorageClass", "", name) if name else None
    return found is not None and dig(found, "volumeBindingMode") == "WaitForFirstConsumer"
