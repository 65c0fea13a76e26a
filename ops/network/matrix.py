"""The matrix: every pair of parties, and the ports on which the first may connect to the second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ops.graph import Resource
from ops.graph.pods import pod_groups
from ops.network.decide import EVERY_PORT, Manifest, gates, guarding, open_on, selects
from ops.network.parties import DNS_POLICY, FLOW, Party, find_parties

_STANDING = ("default-deny", DNS_POLICY)


@dataclass(frozen=True, kw_only=True, order=True)
class Arrow:
    """A connection that is let through."""

    source: str
    """Party.id."""
    target: str
    protocol: str
    port: int
    """EVERY_PORT (0) where all are allowed."""

    def __str__(self) -> str:
        return f"{self.source} -> {self.target} {self.protocol} {self.port or 'every port'}"


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Who may connect to whom in one stack. The same graph gives the same matrix."""

    stack: str
    parties: tuple[Party, ...]
    arrows: tuple[Arrow, ...]
    policies: tuple[Manifest, ...]
    """The NetworkPolicies that it was decided from."""
    problems: tuple[str, ...]
    """Pods without default-deny, and policies that belong to no flow."""

    def to_dict(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "stack": self.stack,
            "parties": [
                {
                    "id": party.id,
                    "namespace": party.namespace,
                    "labels": {**dict.fromkeys(party.present), **party.labels},
                    "cidrs": list(party.cidrs),
                    "managed": party.is_managed and bool(party.namespace),
                }
                for party in self.parties
            ],
            "arrows": [
                {"from": each.source, "to": each.target, "protocol": each.protocol, "port": each.port or None}
                for each in self.arrows
            ],
            "problems": list(self.problems),
        }


def build_matrix(stack: str, resources: Sequence[Resource]) -> Matrix:
    """Decide every pair of a stack's parties from the NetworkPolicies that it declares."""
    declared = [found for found in resources if found.is_kubernetes and found.kind == "NetworkPolicy"]
    policies = tuple(found.inputs for found in sorted(declared, key=lambda each: each.key))
    parties = tuple(find_parties(resources))
    return Matrix(
        stack=stack,
        parties=parties,
        arrows=tuple(find_arrows(policies, parties)),
        policies=policies,
        problems=(*_open_pods(resources, policies), *_loose_policies(resources, declared)),
    )


def find_arrows(policies: Sequence[Manifest], parties: Sequence[Party]) -> list[Arrow]:
    """Every connection between two parties that the policies let through, sorted.

    Between two parties of whose namespaces none has policies of ours, nothing is decided here.
    """
    ports = named_ports(policies)
    guards = {party.id: guarding(policies, party.end) for party in parties}
    found = []
    for source, target in product(parties, parties):
        if _concerns_us(source, target):
            passed = gates([*guards[source.id], *guards[target.id]], source.end, target.end)
            found += [
                Arrow(source=source.id, target=target.id, protocol=protocol, port=port)
                for protocol, port in _open_ports(passed, ports)
            ]
    return sorted(found)


def _open_ports(passed: Sequence[Sequence[Manifest]], ports: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Of each protocol EVERY_PORT, or the named ports, on which gates are open."""
    if not all(passed):
        return
    for protocol in sorted({protocol for protocol, _ in ports}):
        if open_on(passed, EVERY_PORT, protocol):
            yield protocol, EVERY_PORT
        else:
            yield from (each for each in ports if each[0] == protocol and open_on(passed, each[1], protocol))


def named_ports(policies: Sequence[Manifest]) -> list[tuple[str, int]]:
    """Protocol and number of every port that a rule names."""
    rules = [
        rule
        for policy in policies
        for key in ("ingress", "egress")
        for rule in (policy.get("spec") or {}).get(key) or []
    ]
    items = [item for rule in rules for item in rule.get("ports") or []]
    return sorted({(str(item.get("protocol", "TCP")), int(item["port"])) for item in items if "port" in item})


def _concerns_us(source: Party, target: Party) -> bool:
    return any(party.namespace and party.is_managed for party in (source, target))


def _open_pods(resources: Sequence[Resource], policies: Sequence[Manifest]) -> list[str]:
    """Pods that are not denied both directions by default."""
    problems = []
    for group in pod_groups(resources):
        denied = {
            direction
            for policy in policies
            if policy["metadata"].get("namespace") == group.namespace and _denies_all(policy["spec"])
            for direction in policy["spec"].get("policyTypes") or []
        }
        if missing := {"Ingress", "Egress"} - denied:
            directions = " and ".join(sorted(missing)).lower()
            name = f"{group.namespace}/{group.resource.object_name}"
            problems.append(f"{name}: no policy denies {directions} by default in its namespace")
    return sorted(problems)


def _denies_all(spec: Manifest) -> bool:
    return selects(spec.get("podSelector") or {}, {}) and not spec.get("ingress") and not spec.get("egress")


def _loose_policies(resources: Sequence[Resource], declared: Sequence[Resource]) -> list[str]:
    """Policies that are no part of an arrow: nobody sees them in the flows."""
    flows = {found.key for found in resources if found.type.endswith(FLOW)}
    return sorted(
        f"{found.input('metadata', 'namespace')}/{found.object_name}: a policy that belongs to no NetworkFlow"
        for found in declared
        if found.object_name not in _STANDING and found.parent not in flows
    )
