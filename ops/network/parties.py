"""Everybody who takes part in a stack's network: pods by what runs them, and addresses and namespaces outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from ops.graph import Resource
from ops.graph.pods import PodGroup, pod_groups
from ops.graph.words import name_of
from ops.network.decide import NAME_LABEL, End

FLOW = ":NetworkFlow"
DNS_POLICY = "dns-egress"


@dataclass(frozen=True, kw_only=True)
class Party:
    """Pods of one sort, or something outside of the stack's namespaces."""

    name: str
    namespace: str = ""
    """Empty for addresses."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of its pods."""
    present: tuple[str, ...] = ()
    """Keys of labels that its pods have with any value."""
    cidrs: tuple[str, ...] = ()
    """Its addresses, if it is no pods."""
    is_managed: bool = True
    """Whether the stack's policies stand in its namespace."""

    @property
    def id(self) -> str:
        """`namespace/name`, or the name of addresses."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def end(self) -> End:
        """The party as policies see it."""
        labels = {**dict.fromkeys(self.present, "any"), **self.labels}
        networks = tuple(IPv4Network(cidr) for cidr in self.cidrs)
        return End(namespace=self.namespace, labels=labels, networks=networks)

    def has(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a pod belongs to it."""
        here = bool(namespace) and namespace == self.namespace
        return here and self.labels.items() <= labels.items() and all(key in labels for key in self.present)


def find_parties(resources: Sequence[Resource]) -> list[Party]:
    """All parties of a stack's graph, sorted: what runs pods, then the other ends of its flows.

    Pods that a controller makes (a gateway's proxies) are known by the flows that name them.
    """
    managed = managed_namespaces(resources)
    groups = pod_groups(resources)
    found = [party for group in groups for party in _of_group(group)]
    ends = [end for flow in resources if flow.type.endswith(FLOW) for end in _ends(flow)]
    ends += [end for found in resources if found.is_kubernetes and found.kind == "NetworkPolicy" for end in _dns(found)]
    for end in ends:
        party = _of_end(end, managed)
        if party.namespace and _is_known(party, found):
            continue
        if party not in found:
            found.append(party)
    return sorted(
        {party.id: party for party in reversed(found)}.values(), key=lambda party: (not party.namespace, party.id)
    )


def managed_namespaces(resources: Sequence[Resource]) -> set[str]:
    """Namespaces in which the stack has policies."""
    return {
        str(found.input("metadata", "namespace"))
        for found in resources
        if found.is_kubernetes and found.kind == "NetworkPolicy"
    }


def _of_group(group: PodGroup) -> Iterator[Party]:
    """A database cluster runs instances and, while it grows, jobs: they are two parties."""
    for number, labels in enumerate(group.labels):
        if not labels:
            continue  # a golden file keeps nothing of a third-party object but its name
        suffix = " jobs" if number else ""
        present = tuple(sorted(key for key, value in labels.items() if value == "any"))
        yield Party(
            name=f"{name_of(group)}{suffix}",  # one name for two would leave one of them out
            namespace=group.namespace,
            labels={key: value for key, value in labels.items() if key not in present},
            present=present,
        )


def _ends(flow: Resource) -> Iterator[Mapping[str, Any]]:
    for role in ("source", "destination"):
        end = flow.inputs.get(role)
        if isinstance(end, Mapping):
            yield end


def _dns(policy: Resource) -> Iterator[Mapping[str, Any]]:
    """The cluster's DNS server, which every namespace may ask by a policy of its own instead of a flow."""
    for rule in policy.input("spec", "egress") or [] if policy.object_name == DNS_POLICY else []:
        for peer in rule.get("to") or []:
            labels = dict((peer.get("podSelector") or {}).get("matchLabels") or {})
            space = ((peer.get("namespaceSelector") or {}).get("matchLabels") or {}).get(NAME_LABEL, "")
            yield {"name": "cluster DNS", "namespace": space, "labels": labels}


def _of_end(end: Mapping[str, Any], managed: set[str]) -> Party:
    namespace = str(end.get("namespace") or "")
    return Party(
        name=str(end.get("name") or "unnamed"),
        namespace=namespace,
        labels=dict(end.get("labels") or {}),
        present=tuple(sorted(end.get("labels_present") or ())),
        cidrs=tuple(sorted(end.get("cidrs") or ())),
        is_managed=namespace in managed,
    )


def _is_known(party: Party, found: Sequence[Party]) -> bool:
    """Whether a party of a flow is pods that we have already."""
    wanted, present = party.labels.items(), set(party.present)
    return any(
        each.namespace == party.namespace and wanted <= each.labels.items() and present <= {*each.labels, *each.present}
        for each in found
    )
