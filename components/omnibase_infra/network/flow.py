"""NetworkFlow: one allowed arrow."""

from typing import Any, NotRequired, TypedDict

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.network.party import Party, party_problems
from omnibase_infra.network.policies import flow_policies
from omnibase_infra.objects import child

_PORTS = range(1, 65536)


class NetworkFlowArgs(TypedDict):
    """What a caller may ask of an arrow. All values are plain: they decide which policies exist."""

    source: Party
    """Who opens the connection."""
    destination: Party
    """Who accepts it."""
    ports: list[int]
    """Ports of the destination's pods (not of a Service in front of them), 1..65535."""
    protocol: NotRequired[str]
    """TCP (default), UDP or SCTP."""


class NetworkFlow(pulumi.ComponentResource):
    """One allowed arrow between two parties under default-deny.

    Makes a NetworkPolicy on each side that is pods of a managed namespace: `egress` at the source, `ingress` at the
    destination. Both come from the same two parties, so they cannot disagree.

    Raises:
        ArgsError: a party with neither or both of namespace and cidrs, no port, a port out of range, an unknown
            protocol, or no side on which a policy could be made.
    """

    description: pulumi.Output[str]
    """`source -> destination, protocol ports`."""

    def __init__(self, name: str, args: NetworkFlowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        ports, protocol = [int(port) for port in args["ports"]], args.get("protocol", "TCP")
        _check(name, args, ports, protocol)
        inputs: dict[str, Any] = {**args, "ports": ports, "protocol": protocol}
        super().__init__("omnibase-infra:index:NetworkFlow", name, inputs, opts)
        policies = flow_policies(name, args["source"], args["destination"], ports, protocol)
        for role, manifest in policies.items():
            child(self, f"{name}-{role}", manifest)
        text = f"{args['source']['name']} -> {args['destination']['name']}, {protocol} {', '.join(map(str, ports))}"
        self.description = pulumi.Output.from_input(text)
        self.register_outputs({"description": self.description})


def _check(name: str, args: NetworkFlowArgs, ports: list[int], protocol: str) -> None:
    problems = [*party_problems("source", args["source"]), *party_problems("destination", args["destination"])]
    if not ports:
        problems.append("ports is empty, which would allow every port; name each one")
    problems += [f"port {port} is outside 1..65535" for port in ports if port not in _PORTS]
    if protocol not in ("TCP", "UDP", "SCTP"):
        problems.append(f"protocol={protocol!r} must be TCP, UDP or SCTP")
    if not problems and not flow_policies(name, args["source"], args["destination"], ports, protocol):
        problems.append("neither side is pods of a managed namespace, so no policy can express it")
    refuse("NetworkFlow", name, problems)
