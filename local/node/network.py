"""The node's addresses and names, all derived from one private /16 and the instance's name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from local.errors import InputError
from local.paths import Paths

DEFAULTS = {"local": "10.213.0.0/16", "test": "10.214.0.0/16"}
_PRIVATE = tuple(IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """Who has which address. Build it with `NetworkPlan.from_environment()`."""

    instance: str
    network: IPv4Network
    """A private /16: link in its first /30, then by quarters pods at x.y.64.0, services at .128.0, Docker at .192.0."""

    @classmethod
    def from_environment(cls, paths: Paths, env: Mapping[str, str] = os.environ) -> NetworkPlan:
        """Take the stack file's network or OMNIBASE_NETWORK; `local` has 10.213.0.0/16 and `test` 10.214.0.0/16.

        Raises:
            InputError: not a private /16, or none given for an instance that has no default.
        """
        text = paths.network or env.get("OMNIBASE_NETWORK") or DEFAULTS.get(paths.instance)
        if text is None:
            raise InputError(
                f"instance {paths.instance!r} has no default network",
                hint="set OMNIBASE_NETWORK to a private /16 that nothing else uses, for example 10.215.0.0/16",
            )
        try:
            network = IPv4Network(text)
        except ValueError as error:
            raise InputError(
                f"OMNIBASE_NETWORK={text!r} is not an IPv4 network: {error}", hint="write it like 10.213.0.0/16"
            ) from error
        if network.prefixlen != 16 or not any(network.subnet_of(block) for block in _PRIVATE):  # noqa: PLR2004
            raise InputError(
                f"OMNIBASE_NETWORK={text!r} is not a private /16",
                hint="take a /16 inside 10.0.0.0/8, 172.16.0.0/12 or 100.64.0.0/10, or 192.168.0.0/16 itself",
            )
        return cls(instance=paths.instance, network=network)

    def address(self, offset: int) -> IPv4Address:
        """The address at this distance from the network's first one."""
        return self.network.network_address + offset

    @property
    def link(self) -> IPv4Network:
        """Between the machine and the node: two usable addresses."""
        return IPv4Network((self.address(0), 30))

    @property
    def host_address(self) -> IPv4Address:
        """The machine's end of the link."""
        return self.address(1)

    @property
    def node_address(self) -> IPv4Address:
        """The node's end of the link, its InternalIP; the API server listens here."""
        return self.address(2)

    @property
    def pods(self) -> IPv4Network:
        """Pod addresses."""
        return IPv4Network((self.address(64 << 8), 18))

    @property
    def services(self) -> IPv4Network:
        """Cluster addresses of services."""
        return IPv4Network((self.address(128 << 8), 18))

    @property
    def containers(self) -> IPv4Network:
        """Networks that the Docker engine makes."""
        return IPv4Network((self.address(192 << 8), 18))

    @property
    def api_service_address(self) -> IPv4Address:
        """Cluster address of the service `kubernetes`."""
        return self.address((128 << 8) + 1)

    @property
    def dns_address(self) -> IPv4Address:
        """Cluster address of the DNS server."""
        return self.address((128 << 8) + 10)

    @property
    def api_url(self) -> str:
        """The API server, as seen from the machine, the node and pods alike."""
        return f"https://{self.node_address}:6443"

    @property
    def name(self) -> str:
        """Name of the node, its network namespace, its control group and its kubeconfig context."""
        return f"omnibase-{self.instance}"

    @property
    def interface(self) -> str:
        """The machine's end of the link; at most 12 of the kernel's 15 bytes."""
        return f"omn-{self.instance}"
