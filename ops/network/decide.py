"""Whether NetworkPolicies let a connection through, as the Kubernetes API defines them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any

Manifest = Mapping[str, Any]
NAME_LABEL = "kubernetes.io/metadata.name"
EVERY_PORT = 0
"""Asks whether a connection to a port that no rule names gets through."""


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of a connection: pods, if it has a namespace, or addresses outside of the pod network."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    """Without `kubernetes.io/metadata.name`, which follows from the name."""
    networks: tuple[IPv4Network, ...] = ()
    """Addresses outside; for pods their own address where it is known."""


def allowed(policies: Sequence[Manifest], source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether both sides let a new connection through.

    Args:
        policies: NetworkPolicy manifests of the whole cluster, or of the namespaces that matter.
        port: of the target's pods; EVERY_PORT for one that no rule names.
    """
    return open_on(gates(policies, source, target), port, protocol)


def gates(policies: Sequence[Manifest], source: End, target: End) -> list[list[Manifest]]:
    """What a connection between two ends must pass: for each side that policies guard, the rules that know the other.

    One empty list, and nothing gets through; no list, and everything does.
    """
    leaving = [_rules(policies, source, each, "Egress") for each in _single(target)] if source.namespace else []
    arriving = [_rules(policies, target, each, "Ingress") for each in _single(source)] if target.namespace else []
    return [rules for rules in (*leaving, *arriving) if rules is not None]


def open_on(passed: Sequence[Sequence[Manifest]], port: int, protocol: str) -> bool:
    """Whether gates are open on a port."""
    return all(any(_ports_fit(rule, (port, protocol)) for rule in rules) for rules in passed)


def guarding(policies: Sequence[Manifest], end: End) -> list[Manifest]:
    """The policies that choose the pods of an end."""
    return [policy for policy in _of_namespace(policies, end) if _chooses(policy, end)]


def _single(end: End) -> list[End]:
    """An end for each of its networks: each may be named by another peer."""
    return [replace(end, networks=(network,)) for network in end.networks] or [end]


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses something with these labels; an empty one chooses everything."""
    exact = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return exact and all(_expression(each, labels) for each in selector.get("matchExpressions") or [])


def _expression(expression: Manifest, labels: Mapping[str, str]) -> bool:
    key, values = str(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
    raise ValueError(f"operator {expression['operator']!r} of a label selector is none of the API's")


def _rules(policies: Sequence[Manifest], here: End, there: End, direction: str) -> list[Manifest] | None:
    """Rules of one direction that know the other end; None where no policy guards this end."""
    chosen = [spec for spec in map(_spec, guarding(policies, here)) if direction in _types(spec)]
    if not chosen:
        return None
    peers = "to" if direction == "Egress" else "from"
    rules = [rule for spec in chosen for rule in spec.get(direction.lower()) or []]
    return [rule for rule in rules if _peers_fit(rule.get(peers), here, there)]


def _chooses(policy: Manifest, end: End) -> bool:
    return selects(_spec(policy).get("podSelector") or {}, end.labels)


def _of_namespace(policies: Sequence[Manifest], here: End) -> list[Manifest]:
    return [policy for policy in policies if policy["metadata"].get("namespace") == here.namespace]


def _spec(policy: Manifest) -> Manifest:
    found: Manifest = policy.get("spec") or {}
    return found


def _types(spec: Manifest) -> Sequence[str]:
    """Directions of a policy; where they are not said, egress counts if there is a rule for it."""
    return spec.get("policyTypes") or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"])


def _ports_fit(rule: Manifest, port: tuple[int, str]) -> bool:
    ports = rule.get("ports")
    if not ports:
        return True
    number, protocol = port
    for item in ports:
        first = item.get("port")
        if item.get("protocol", "TCP") != protocol:
            continue
        if first is None or (isinstance(first, int) and first <= number <= int(item.get("endPort", first))):
            return True
    return False


def _peers_fit(peers: Sequence[Manifest] | None, here: End, there: End) -> bool:
    return not peers or any(_peer_fits(peer, here, there) for peer in peers)


def _peer_fits(peer: Manifest, here: End, there: End) -> bool:
    if "ipBlock" in peer:
        return _in_block(peer["ipBlock"], there)
    if not there.namespace:
        return False
    spaces = peer.get("namespaceSelector")
    if spaces is None:
        same = there.namespace == here.namespace
    else:
        same = selects(spaces, {NAME_LABEL: there.namespace, **there.namespace_labels})
    return same and selects(peer.get("podSelector") or {}, there.labels)


def _in_block(block: Manifest, there: End) -> bool:
    whole = IPv4Network(block["cidr"])
    if whole.prefixlen == 0 and not there.networks:
        return True  # a pod whose address is not known yet has one
    left_out = [IPv4Network(cidr) for cidr in block.get("except") or []]
    return bool(there.networks) and all(
        network.subnet_of(whole) and not any(network.overlaps(each) for each in left_out) for network in there.networks
    )
