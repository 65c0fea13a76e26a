"""Who is there: the running pods of a stack on this machine's node, with a way into each one's network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.node import NetworkPlan, kernel
from ops.network.matrix import Matrix
from ops.network.parties import Party

_APP = "app.kubernetes.io/name"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One running pod, as a member of its party."""

    party: Party
    """The first one that it belongs to; what a controller makes may belong to several."""
    pod: str
    labels: Mapping[str, str]
    """Its own, which may be more than its party's."""
    address: str
    namespace_file: Path
    """Of its network namespace."""
    ports: tuple[tuple[str, int], ...]
    """Protocol and number of what its containers declare."""


def find_members(matrix: Matrix, pods: Sequence[Mapping[str, Any]], processes: Mapping[str, int]) -> list[Member]:
    """The running pods that take part, sorted; pods on the node's own network do not, as no policy applies to them.

    Pods in the stack's namespaces that belong to no declared party become parties of their own.

    Args:
        pods: as the API lists them.
        processes: uid of a pod -> a process of it.
    """
    found = []
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status") or {}
        process = processes.get(str(metadata["uid"]))
        runs = status.get("phase") == "Running" and status.get("podIP") and not metadata.get("deletionTimestamp")
        if not runs or process is None or pod["spec"].get("hostNetwork"):
            continue
        party = _party_of(matrix, metadata)
        if party is not None:
            file = Path(f"/proc/{process}/ns/net")
            member = Member(
                party=party,
                pod=metadata["name"],
                labels=dict(metadata.get("labels") or {}),
                address=status["podIP"],
                namespace_file=file,
                ports=tuple(_ports(pod)),
            )
            found.append(member)
    return sorted(found, key=lambda member: (member.party.id, member.pod))


def _party_of(matrix: Matrix, metadata: Mapping[str, Any]) -> Party | None:
    space, labels = str(metadata["namespace"]), dict(metadata.get("labels") or {})
    declared = next((party for party in matrix.parties if party.has(space, labels)), None)
    if declared is not None:
        return declared
    if not any(party.is_managed and party.namespace == space for party in matrix.parties):
        return None
    return Party(name=str(labels.get(_APP) or metadata["name"]), namespace=space, labels=labels)


def _ports(pod: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            yield str(port.get("protocol") or "TCP"), int(port["containerPort"])


def pod_processes(plan: NetworkPlan) -> dict[str, int]:
    """Uid of every pod of the node -> one of its processes."""
    found: dict[str, int] = {}
    for hierarchy in kernel.cgroup_hierarchies():
        for file in (hierarchy / plan.name).rglob("cgroup.procs"):
            uid = next((part.removeprefix("pod") for part in file.parts if part.startswith("pod")), "")
            try:
                pids = file.read_text().split()
            except OSError:
                continue  # it ended while we looked
            if uid and pids and int(pids[0]) > 0:
                found.setdefault(uid, int(pids[0]))
        if found:
            break
    return found
