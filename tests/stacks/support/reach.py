"""Who reaches whom, decided from the recorded NetworkPolicies as the API defines them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One end inside the cluster."""

    namespace: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Outside:
    """One end outside of the pod network."""

    address: str


End = Pod | Outside


def reaches(policies: Sequence[Mapping[str, Any]], source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection is let through on both sides."""
    leaves = not isinstance(source, Pod) or _side(policies, source, target, (port, protocol), "Egress")
    arrives = not isinstance(target, Pod) or _side(policies, target, source, (port, protocol), "Ingress")
    return leaves and arrives


def _side(policies: Sequence[Mapping[str, Any]], here: Pod, there: End, port: tuple[int, str], direction: str) -> bool:
    applying = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == here.namespace
        and direction in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], here.labels)
    ]
    if not applying:
        return True
    peers_key = "to" if direction == "Egress" else "from"
    rules = [rule for spec in applying for rule in spec.get(direction.lower(), [])]
    return any(_rule(rule, peers_key, there, port) for rule in rules)


def _rule(rule: Mapping[str, Any], peers_key: str, there: End, port: tuple[int, str]) -> bool:
    ports = rule.get("ports")
    fits = ports is None or any((item["port"], item.get("protocol", "TCP")) == port for item in ports)
    peers = rule.get(peers_key)
    return fits and (peers is None or any(_peer(peer, there) for peer in peers))


def _peer(peer: Mapping[str, Any], there: End) -> bool:
    if "ipBlock" in peer:
        network = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return isinstance(there, Outside) and ipaddress.ip_address(there.address) in network
    if not isinstance(there, Pod):
        return False
    space = {"kubernetes.io/metadata.name": there.namespace}
    return _selects(peer["namespaceSelector"], space) and _selects(peer.get("podSelector", {}), there.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(expression["key"] in labels for expression in selector.get("matchExpressions", []))
