"""What the documents for programs have in common: where something is, and who must be let through to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from omnibase_infra.config.units import Cidr, Url


@dataclass(frozen=True, kw_only=True, order=True)
class Reached:
    """What a reader of a document calls: a service of the stack, or networks outside."""

    service: str = ""
    """Name of the service; empty for what is outside."""
    port: int
    """Port of the service or of the networks."""
    cidrs: tuple[str, ...] = ()
    """Networks outside; none for a service."""


def outside(url: Url, cidrs: Sequence[Cidr]) -> Reached:
    """What a call of an address outside needs."""
    return Reached(port=url.port, cidrs=tuple(cidrs))


def is_loopback(host: str) -> bool:
    """Whether a host is whoever asks: in a pod never what was meant."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def within(host: str, networks: Iterable[str]) -> bool:
    """Whether a host is an address in one of these networks; a name never is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in networks)


def service_url(who: str, service: str, port: int, path: str, addresses: Mapping[str, str]) -> str:
    """Address of a service of the stack.

    Args:
        who: key path of the setting that asks, for the error.
        service: name of the service.
        port: port of the service.
        path: path, with its `/`.
        addresses: service -> host name of what was deployed.

    Raises:
        LookupError: the service has no address, so it was not deployed.
    """
    if service not in addresses:
        known = ", ".join(sorted(addresses)) or "none"
        raise LookupError(f"{who}: service '{service}' has no address; deployed are: {known}")
    return f"http://{addresses[service]}:{port}{path}"
