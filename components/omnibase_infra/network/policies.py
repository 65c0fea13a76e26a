"""NetworkPolicy manifests, pure. Single ports only: the node's controller (kube-router 1.3) does not know `endPort`."""

from collections.abc import Sequence
from typing import Any

from omnibase_infra.naming import dns_label, labels
from omnibase_infra.network.party import Party, peers, selector
from omnibase_infra.objects import Manifest

DNS: Party = {
    "name": "cluster DNS",
    "namespace": "kube-system",
    "labels": {"k8s-app": "kube-dns"},
    "unmanaged": True,
}


def policy(name: str, namespace: str, spec: Manifest, description: str) -> Manifest:
    """A NetworkPolicy with our labels."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels(name, "network"),
            "annotations": {"omnibase.io/description": description},
        },
        "spec": spec,
    }


def default_deny(namespace: str) -> Manifest:
    """Nothing reaches, and nothing leaves, any pod of the namespace unless another policy allows it."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return policy("default-deny", namespace, spec, "everything that no other policy allows is refused")


def dns_egress(namespace: str) -> Manifest:
    """Every pod may ask the cluster's DNS."""
    allowed = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": peers(DNS), "ports": allowed}]}
    return policy("dns-egress", namespace, spec, "every pod may resolve names")


def flow_policies(
    name: str, source: Party, destination: Party, ports: Sequence[int], protocol: str
) -> dict[str, Manifest]:
    """The policies of one arrow: role -> manifest, `egress` on the source's side, `ingress` on the destination's."""
    allowed: list[dict[str, Any]] = [{"port": port, "protocol": protocol} for port in ports]
    description = f"{source['name']} -> {destination['name']}, {protocol} {', '.join(map(str, ports))}"
    found: dict[str, Manifest] = {}
    if "namespace" in source and not source.get("unmanaged"):
        spec = {
            "podSelector": selector(source),
            "policyTypes": ["Egress"],
            "egress": [{"to": peers(destination), "ports": allowed}],
        }
        found["egress"] = policy(_name(name, "egress", source, destination), source["namespace"], spec, description)
    if "namespace" in destination and not destination.get("unmanaged"):
        spec = {
            "podSelector": selector(destination),
            "policyTypes": ["Ingress"],
            "ingress": [{"from": peers(source), "ports": allowed}],
        }
        found["ingress"] = policy(
            _name(name, "ingress", destination, source), destination["namespace"], spec, description
        )
    return found


def _name(name: str, role: str, here: Party, there: Party) -> str:
    """Name of the policy on one side. Several stacks may have a flow of the same name to a namespace that they share
    (the database operator's): the other side's namespace tells them apart."""
    other = there.get("namespace", "")
    return dns_label(other if other != here.get("namespace") else "", name, role)
