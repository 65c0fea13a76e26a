"""What a capability is given to build itself: the house around it, without the internals of its neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import pulumi

from omnibase_infra.config import StackConfig
from omnibase_infra.config.rollout import canary
from omnibase_infra.config.services import HTTP, ServiceConfig
from omnibase_infra.config.units import PortName
from omnibase_infra.environment import Environment
from omnibase_infra.naming import dns_label, service_host, stack_namespace
from omnibase_infra.network import Party
from omnibase_infra.platform.args import PlatformArgs
from omnibase_infra.waiver import Waiver


@dataclass(frozen=True, kw_only=True)
class Room:
    """The place of one capability in the environment; each module of this folder has one function over it."""

    parent: pulumi.Resource
    args: PlatformArgs
    environment: Environment
    waivers: list[Waiver] = field(default_factory=list)
    """Every part adds its dated permissions here; they are an output of the stack."""

    @property
    def config(self) -> StackConfig:
        """The stack's settings."""
        return self.args.config

    @property
    def tier(self) -> str:
        """dev, test, staging or prod."""
        return self.config.environment.value

    @property
    def namespace(self) -> str:
        """Namespace of services and database."""
        return stack_namespace(self.args.stack)

    @cached_property
    def services(self) -> dict[str, ServiceConfig]:
        """What is deployed: name -> service, with the variables of its bundles."""
        return self.config.effective_services()

    @cached_property
    def hosts(self) -> dict[str, str]:
        """Service -> host name, of every deployed service that can be called."""
        return {name: service_host(name, self.namespace) for name, each in self.services.items() if each.ports}

    def addresses(self, names: Iterable[str]) -> dict[str, str]:
        """Service -> URL of its port for requests, or `host:port` of the first port of one that has none."""
        found = {}
        for name in names:
            ports = self.services[name].ports
            http = ports.get(PortName(HTTP))
            host = self.hosts[name]
            found[name] = f"http://{host}:{http}" if http else f"{host}:{next(iter(ports.values()))}"
        return found

    def space(self, part: str) -> str:
        """Namespace of one part of the stack, `omnibase-<stack>-<part>`: monitoring, logging, agents."""
        return dns_label(stack_namespace(self.args.stack), part)

    def below(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options of a direct child of the platform."""
        return pulumi.ResourceOptions(parent=self.parent, depends_on=list(depends_on))

    def service(self, name: str) -> Party:
        """The pods of a service as one end of an arrow."""
        return {"name": name, "namespace": self.namespace, "labels": {"app.kubernetes.io/name": name}}

    def instances(self, name: str) -> list[Party]:
        """Everybody who runs a service: its stable pods, and its canary where it has one."""
        rollout = self.services[name].rollout
        return [self.service(name), *([self.service(canary(name))] if rollout.enabled else [])]

    def port(self, name: str) -> int:
        """Port of a service's requests."""
        port = self.services[name].http_port
        if port is None:
            raise KeyError(f"service {name!r} has no port for requests")
        return port

    @property
    def api_server(self) -> Party:
        """The API server as pods see it; its ports are `config.cluster.api_server_ports`."""
        return {"name": "API server", "cidrs": self.config.cluster.api_server}
