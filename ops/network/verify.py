"""Whether the cluster's network is what the stack declares: its policies compared, and every connection really tried.

Only addresses of the node's own network are contacted. What is tried is what listens: the node itself, which no policy
holds back, is asked first. A difference is tried again after two seconds, as a new policy takes a moment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.node import NetworkPlan, netns
from local.paths import Paths
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from local.stack import Stack
from ops.network.decide import End, allowed
from ops.network.live import Member, find_members, pod_processes
from ops.network.matrix import Arrow, Matrix, named_ports
from ops.network.probes import Address, listening, reached
from ops.status.cluster import local_client, route_interface

MACHINE, NODE = "this machine", "the node"
_SECONDS = 1.5
_AGAIN_SECONDS = 2.0
_SOURCES_AT_ONCE = 8
_MOST = 6000
_GOT_THROUGH, _REFUSED = "got through and is not declared", "is declared and refused"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found."""

    parties: int
    measured: int
    targets: tuple[Arrow, ...]
    """What every source tried, with an empty source."""
    open: tuple[Arrow, ...]
    """Connections that got through."""
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    """What could not be tried, and why."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "parties": self.parties,
            "measured": self.measured,
            "targets": [{"to": each.target, "protocol": each.protocol, "port": each.port} for each in self.targets],
            "open": [
                {"from": each.source, "to": each.target, "protocol": each.protocol, "port": each.port}
                for each in self.open
            ],
            "differences": list(self.differences),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """A source, or what a target's address stands for."""

    id: str
    end: End
    is_ours: bool
    """Whether policies of the stack stand in its namespace."""
    address: str = ""
    namespace_file: Path | None = None


def verify_stack(matrix: Matrix, paths: Paths, stack: Stack) -> Verification:
    """Compare declared and real.

    Raises:
        LocalError: another cluster than this machine's node, no root, no node, no pods, or far too many connections.
    """
    if not stack.is_local:
        raise LocalError(
            f"stack {stack.name} is on an existing cluster: connections are tried inside this machine's own node only",
            hint="`ops network matrix` shows what it declares",
        )
    if os.geteuid() != 0:
        raise LocalError("trying connections from inside pods needs root", hint="run the command as root")
    plan = NetworkPlan.from_environment(paths, {})
    started = time.monotonic()
    try:
        policies, pods = _documents(local_client(paths), matrix)
    except (ApiError, UnreachableError) as error:
        raise LocalError(f"the API server does not answer: {error}", hint="`make status`") from error
    members = find_members(matrix, pods, pod_processes(plan))
    if not members:
        raise LocalError(f"no pod of stack {stack.name} runs", hint=f"`make up STACK={stack.name}` starts them")
    trial = _Trial(matrix, members, plan)
    got_through, differences = trial.run()
    return Verification(
        parties=len({source.id for source in trial.sources} | {place.id for place, _ in trial.targets}),
        measured=trial.measured,
        targets=tuple(
            sorted(
                Arrow(source="", target=place.id, protocol=address.protocol, port=address.port)
                for place, address in trial.targets
            )
        ),
        open=tuple(sorted(got_through)),
        differences=(*compare_policies(matrix.policies, policies), *differences),
        notes=tuple(trial.notes()),
        seconds=time.monotonic() - started,
    )


def compare_policies(declared: Sequence[Mapping[str, Any]], live: Sequence[Mapping[str, Any]]) -> list[str]:
    """Policies that are in the cluster and not declared, declared and not there, or other than declared."""
    wanted, found = _by_place(declared), _by_place(live)
    texts = [f"policy {place} is in the cluster and not declared" for place in found.keys() - wanted.keys()]
    texts += [f"policy {place} is declared and not in the cluster" for place in wanted.keys() - found.keys()]
    texts += [
        f"policy {place} says something else than what is declared"
        for place in wanted.keys() & found.keys()
        if wanted[place] != found[place]
    ]
    return sorted(texts)


def _by_place(policies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{each['metadata'].get('namespace')}/{each['metadata']['name']}": each.get("spec") for each in policies}


def _documents(client: Client, matrix: Matrix) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    spaces = sorted({str(policy["metadata"].get("namespace")) for policy in matrix.policies})
    policies: list[dict[str, Any]] = []
    for space in spaces:
        path = f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies"
        policies += client.request("GET", path).get("items") or []
    return policies, client.request("GET", "/api/v1/pods").get("items") or []


class _Trial:
    """All connections of one verification."""

    def __init__(self, matrix: Matrix, members: Sequence[Member], plan: NetworkPlan) -> None:
        self.matrix, self.plan = matrix, plan
        self._ports = named_ports(matrix.policies)
        self._first: dict[str, list[Member]] = {}
        for member in members:
            self._first.setdefault(member.party.id, []).append(member)
        machine = End(networks=(IPv4Network(plan.host_address),))
        self.sources = [
            *(_place(found[0]) for found in self._first.values()),
            _Place(id=MACHINE, end=machine, is_ours=False),
        ]
        wanted = [*self._pod_targets(), *self._outside_targets(), *self._node_targets()]
        self._check_addresses([address for _, address in wanted])
        listening = reached(netns.namespace_file(plan), [address for _, address in wanted], _SECONDS)
        self.targets = [(place, address) for place, address in wanted if address in listening]
        self.measured = 0

    def run(self) -> tuple[set[Arrow], list[str]]:
        """Connections that got through, and differences from what is declared."""
        pairs = {
            source: [item for item in self.targets if self._is_decided(source, item[0])] for source in self.sources
        }
        self.measured = sum(map(len, pairs.values()))
        if self.measured > _MOST:
            raise LocalError(f"{self.measured} connections would be tried, at most {_MOST} are")
        found = self._measure(pairs)
        wrong = {
            source: [item for item in items if (item in found[source]) != self._is_allowed(source, *item)]
            for source, items in pairs.items()
        }
        if any(wrong.values()):
            time.sleep(_AGAIN_SECONDS)
            again = self._measure({source: items for source, items in wrong.items() if items})
            for source, items in again.items():
                found[source] = (found[source] - set(wrong[source])) | items
        through = {_arrow(source, *item) for source, items in found.items() for item in items}
        differences = [
            f"{_arrow(source, *item)} {_GOT_THROUGH if item in found[source] else _REFUSED}"
            for source, items in wrong.items()
            for item in items
            if (item in found[source]) != self._is_allowed(source, *item)
        ]
        return through, sorted(differences)

    def notes(self) -> list[str]:
        """Parties that could not be tried."""
        seen = set(self._first)
        pods = [member for members in self._first.values() for member in members]
        absent = [
            party.id
            for party in self.matrix.parties
            if party.namespace and not any(party.has(pod.party.namespace, pod.labels) for pod in pods)
        ]
        silent = sorted(seen - {place.id for place, _ in self.targets})
        found = [f"no pod runs of {', '.join(absent)}"] if absent else []
        return found + ([f"nothing listens on a known port at {', '.join(silent)}"] if silent else [])

    def _pod_targets(self) -> list[tuple[_Place, Address]]:
        """Of each party the last pod, so that two pods of one party try each other."""
        found = []
        for members in self._first.values():
            last, known = members[-1], set(self._ports)
            tcp = {("TCP", port) for protocol, port in known if protocol == "TCP"}
            for protocol, port in sorted(
                tcp | {each for each in last.ports if each[0] == "TCP" or each == ("UDP", 53)}
            ):
                found.append((_place(last), Address(last.address, port, protocol)))
        return found

    def _outside_targets(self) -> list[tuple[_Place, Address]]:
        """Single addresses on the node's network that flows name: the API server's."""
        found: dict[tuple[str, int], tuple[_Place, Address]] = {}
        for party in self.matrix.parties:
            for network in party.end.networks if not party.namespace else ():
                if network.prefixlen < 32 or not network.subnet_of(self.plan.network):  # noqa: PLR2004 -- one address
                    continue
                place = _Place(id=party.id, end=End(networks=(network,)), is_ours=False, address=str(network[0]))
                for protocol, port in self._ports:
                    if protocol == "TCP":
                        found.setdefault((place.address, port), (place, Address(place.address, port)))
        return list(found.values())

    def _node_targets(self) -> list[tuple[_Place, Address]]:
        """What listens at the node's own address, as the kubelet; the API server is named by flows."""
        node = str(self.plan.node_address)
        end = End(networks=(IPv4Network(self.plan.node_address),))
        named = {port for protocol, port in self._ports if protocol == "TCP"}
        ports = listening(netns.namespace_file(self.plan), node)
        place = _Place(id=NODE, end=end, is_ours=False, address=node)
        return [(place, Address(node, port)) for port in ports if port not in named]

    def _check_addresses(self, addresses: Sequence[Address]) -> None:
        strangers = [each.ip for each in addresses if IPv4Address(each.ip) not in self.plan.network]
        first = next((each.ip for each in addresses), str(self.plan.node_address))
        if strangers or route_interface(f"http://{first}") != self.plan.interface:
            raise LocalError(
                f"{strangers[0] if strangers else first} is not behind {self.plan.interface}; nothing was contacted",
                hint="`make status` shows whether the node runs",
            )

    @staticmethod
    def _is_decided(source: _Place, target: _Place) -> bool:
        """Whether policies of the stack have a say; a pod always reaches itself."""
        return (source.is_ours or target.is_ours) and source.address != target.address

    def _is_allowed(self, source: _Place, target: _Place, address: Address) -> bool:
        return allowed(self.matrix.policies, source.end, target.end, address.port, address.protocol)

    @staticmethod
    def _measure(
        pairs: Mapping[_Place, Sequence[tuple[_Place, Address]]],
    ) -> dict[_Place, set[tuple[_Place, Address]]]:
        def one(source: _Place) -> set[tuple[_Place, Address]]:
            wanted = list(pairs[source])
            try:
                through = reached(source.namespace_file, [address for _, address in wanted], _SECONDS)
            except OSError as error:
                raise LocalError(f"{source.id}: its network cannot be entered: {error}", hint="run it again") from error
            return {(place, address) for place, address in wanted if address in through}

        with ThreadPoolExecutor(_SOURCES_AT_ONCE) as pool:
            return dict(zip(pairs, pool.map(one, pairs), strict=True))


def _place(member: Member) -> _Place:
    return _Place(
        id=member.party.id,
        end=End(namespace=member.party.namespace, labels=member.labels),
        is_ours=member.party.is_managed,
        address=member.address,
        namespace_file=member.namespace_file,
    )


def _arrow(source: _Place, target: _Place, address: Address) -> Arrow:
    return Arrow(source=source.id, target=target.id, protocol=address.protocol, port=address.port)
