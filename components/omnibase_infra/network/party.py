"""The two ends of an arrow, and how each looks inside a NetworkPolicy."""

from typing import Any, NotRequired, TypedDict

from omnibase_infra.objects import Manifest


class Party(TypedDict):
    """Pods of a namespace, or addresses outside. Exactly one of `namespace` and `cidrs`."""

    name: str
    """How people call it, for descriptions."""
    namespace: NotRequired[str]
    """Namespace of the pods."""
    labels: NotRequired[dict[str, str]]
    """Labels of the pods; empty or absent is every pod of the namespace."""
    labels_present: NotRequired[list[str]]
    """Label keys that the pods carry with any value."""
    cidrs: NotRequired[list[str]]
    """Addresses outside of the pod network."""
    unmanaged: NotRequired[bool]
    """True where the namespace is not under default-deny: a policy there would cut off everybody else."""


def party_problems(role: str, party: Party) -> list[str]:
    """What is wrong with one end of an arrow."""
    if ("namespace" in party) == ("cidrs" in party):
        return [f"{role} must have either namespace or cidrs"]
    if party.get("cidrs") == []:
        return [f"{role} has an empty list of cidrs, which would allow everything"]
    if "cidrs" in party and (party.get("labels") or party.get("labels_present")):
        return [f"{role} has cidrs, to which labels cannot apply"]
    return []


def selector(party: Party) -> Manifest:
    """The podSelector of a policy that stands on this party's side."""
    found: Manifest = {}
    if party.get("labels"):
        found["matchLabels"] = dict(party["labels"])
    if party.get("labels_present"):
        found["matchExpressions"] = [{"key": key, "operator": "Exists"} for key in party["labels_present"]]
    return found


def peers(party: Party) -> list[dict[str, Any]]:
    """This party as seen from the other side. A bare podSelector would mean the other side's own namespace."""
    if "cidrs" in party:
        return [{"ipBlock": {"cidr": cidr}} for cidr in party["cidrs"]]
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": party["namespace"]}}
    return [{"namespaceSelector": namespace, "podSelector": selector(party)}]
