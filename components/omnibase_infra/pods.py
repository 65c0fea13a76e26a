"""What the pods of all components have in common, pure: one place to make them harder."""

from collections.abc import Mapping
from typing import Any

from omnibase_infra.objects import Manifest

_DOMAINS = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")


def hardened(*, non_root: bool = True, user: int | None = None, writable_root: bool = False) -> dict[str, Any]:
    """securityContext of a container, which policy rules demand word for word.

    Args:
        non_root: the kubelet refuses an image that would run as root; False only under a waiver.
        user: numeric user and group, where the image does not say so itself.
        writable_root: the root file system can be written; only under a waiver.
    """
    context: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": not writable_root,
        "runAsNonRoot": non_root,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return context if user is None else {**context, "runAsUser": user, "runAsGroup": user}


def spread(selector: Mapping[str, Any], *, strict_nodes: bool = False) -> list[Manifest]:
    """topologySpreadConstraints over zones and nodes.

    Args:
        selector: labelSelector of the pods that are spread.
        strict_nodes: never two on one node; otherwise a wish, as a single node must still run all after a failure.
    """
    return [
        {
            "maxSkew": 1,
            "topologyKey": domain,
            "whenUnsatisfiable": "DoNotSchedule" if strict_nodes and domain == _DOMAINS[1] else "ScheduleAnyway",
            "labelSelector": dict(selector),
        }
        for domain in _DOMAINS
    ]
