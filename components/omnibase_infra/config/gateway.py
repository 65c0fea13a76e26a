"""Settings of the edge: who may call which service from outside, under which names, how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from omnibase_infra.config.capability import Capability, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.section import Cidr, CpuMillis, Label, MemoryMib, Section
from omnibase_infra.config.security import LimitClass
from omnibase_infra.config.units import HostName

Path = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=200)]

MOST_CLIENTS = 15  # each is one rule of Envoy Gateway's local rate limit, which takes 16
MOST_REQUESTS_PER_MINUTE = 60_000  # floor of protection in prod: a thousand calls a second of one client and proxy


class GatewayRouteConfig(Section):
    """One way from outside to a service."""

    service: str
    """Name of a service of this stack."""
    path: Path
    """Prefix of the paths that callers reach; say which, as `/` opens health checks and metrics to them too."""
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 15
    """How long a call may take, all tries together."""
    retries: Annotated[int, Field(ge=0, le=5)] = 2
    """Further tries of a call that never reached the service; one that may have reached it is never repeated."""
    limit_class: LimitClass | None = None
    """Name in `security.limits.classes`: no client may call more often than it says, whatever its own limit is.
    Default: the clients' own limits."""


class GatewayClientConfig(Section):
    """One caller with an API key of its own."""

    generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Raise by one to make a new key; the old one ends with the same deployment."""
    requests_per_minute: Annotated[int, Field(ge=1, le=600_000)] = 200
    """Calls a minute that each proxy lets through for this client, route by route; what is above gets 429."""


class GatewayProxyConfig(Section):
    """The Envoy proxies of this stack."""

    replicas: Annotated[int, Field(ge=1, le=100)]
    """Pods. At least 2 in staging and prod."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod's proxy, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod's proxy, in MiB; it stops taking connections at 78 % of it."""
    connections: Annotated[int, Field(ge=10, le=1_000_000)]
    """Connections of callers that each pod holds at the same time."""


class GatewayControllerConfig(Section):
    """Envoy Gateway, which configures the proxies."""

    install: bool = True
    """False where another stack of the same cluster installs it."""
    replicas: Annotated[int, Field(ge=1, le=5)]
    """Controller pods; they elect a leader. Calls do not pass through them."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod, in MiB."""
    namespaces: list[Label] = []
    """Namespaces of other stacks whose gateways this controller serves too; each must exist. It reads secrets only
    in these and in its own stack's."""


class GatewayConfig(Section):
    """The edge of the environment."""

    enabled: bool
    """Make the gateway. Required in staging and prod."""
    hosts: list[HostName] = []
    """Names under which callers may come; any other gets 404. The certificate is made for them."""
    routes: dict[Label, GatewayRouteConfig] = {}
    """Name -> way to a service."""
    clients: dict[Label, GatewayClientConfig] = {}
    """Name -> caller. Services see the name as `X-Client-ID`."""
    exposure: Literal["cluster", "load-balancer"]
    """`cluster`: an address inside the cluster only; `load-balancer`: one that the cluster's provider announces."""
    client_cidrs: list[Cidr] = []
    """Where callers come from; for a local cluster this machine is added. Required for `load-balancer`."""
    trusted_hops: Annotated[int, Field(ge=0, le=5)] = 0
    """Proxies of yours in front of this one, whose X-Forwarded-For is believed."""
    tls_min_version: Literal["1.2", "1.3"] = "1.2"
    """Oldest TLS that callers may speak."""
    max_body_kib: Annotated[int, Field(ge=1, le=65_536)]
    """Longest request body, in KiB; a longer one gets 413."""
    proxy: GatewayProxyConfig
    """The proxies."""
    controller: GatewayControllerConfig
    """What configures the proxies."""


def _edge(environment: Environment, gateway: GatewayConfig) -> Iterator[Finding]:
    guarded = environment in (Environment.STAGING, Environment.PROD)
    if not gateway.enabled:
        if guarded:
            hint = "services are reached from outside through it only"
            yield "gateway.enabled", "false", f"must be true in {environment}", hint
        return
    if not gateway.hosts:
        yield "gateway.hosts", "[]", "needs at least one name", "for example api.example.test"
    if not gateway.clients:
        hint = "without one nobody can call: every call needs an API key"
        yield "gateway.clients", "{}", "needs at least one client", hint
    if len(gateway.clients) > MOST_CLIENTS:
        yield (
            "gateway.clients",
            f"{len(gateway.clients)} clients",
            f"may be at most {MOST_CLIENTS}",
            "see decision 0013",
        )
    if gateway.exposure == "load-balancer" and not gateway.client_cidrs:
        hint = "name your callers' networks, or 0.0.0.0/0 if it really is everybody"
        yield "gateway.client_cidrs", "[]", "is required for exposure 'load-balancer'", hint
    if guarded:
        yield from _copies(environment, gateway)
    if environment is Environment.PROD:
        yield from _floor(gateway)


def _copies(environment: Environment, gateway: GatewayConfig) -> Iterator[Finding]:
    for field, copies in (("proxy", gateway.proxy.replicas), ("controller", gateway.controller.replicas)):
        if copies < 2 and (field == "proxy" or gateway.controller.install):  # noqa: PLR2004
            hint = "one pod is a single point of failure"
            yield f"gateway.{field}.replicas", str(copies), f"must be at least 2 in {environment}", hint


def _floor(gateway: GatewayConfig) -> Iterator[Finding]:
    """What no stack file of prod can lower."""
    for name, client in gateway.clients.items():
        if client.requests_per_minute > MOST_REQUESTS_PER_MINUTE:
            path, allowed = f"gateway.clients.{name}.requests_per_minute", f"at most {MOST_REQUESTS_PER_MINUTE} in prod"
            yield (
                path,
                str(client.requests_per_minute),
                f"may be {allowed}",
                "a limit that never limits protects nobody",
            )


def _routes(gateway: GatewayConfig, services: Mapping[str, Any]) -> Iterator[Finding]:
    if not gateway.enabled:
        return
    for name, route in gateway.routes.items():
        if route.service not in services:
            hint = nearest(route.service, services)
            yield f"gateway.routes.{name}.service", route.service, "is not a service of this stack", hint
        elif services[route.service].http_port is None:
            hint = "name it http among its ports"
            yield f"gateway.routes.{name}.service", route.service, "has no port of requests", hint
        if name in services:
            hint = f"for example '{name}-route'"
            yield f"gateway.routes.{name}", "the name of a service", "needs a name of its own", hint
    counts = Counter(route.path for route in gateway.routes.values())
    for name, route in gateway.routes.items():
        if counts[route.path] > 1:
            hint = "one of the routes would never be taken"
            yield f"gateway.routes.{name}.path", route.path, "is the path of another route too", hint


def _tls(gateway: GatewayConfig, certificates: Any) -> Iterator[Finding]:  # noqa: ANN401 -- another section
    if gateway.enabled and not certificates.enabled:
        hint = "set certificates.enabled to true"
        yield "gateway.enabled", "true", "needs the platform's certificates: it speaks TLS only", hint


def _needed_images(gateway: GatewayConfig) -> list[str]:
    return ["envoy", *(["envoy-gateway"] if gateway.controller.install else [])]


# A proxy that serves nothing takes about 30 MiB, the controller about 60.
_SMALL = {
    "enabled": True,
    "hosts": ["api.omnibase.test"],
    "clients": {"operator": {"requests_per_minute": 1200}},
    "exposure": "cluster",
    "max_body_kib": 1024,
    "proxy": {"replicas": 1, "cpu_request_millis": 15, "memory_mib": 160, "connections": 500},
    "controller": {"replicas": 1, "cpu_request_millis": 15, "memory_mib": 200},
}
# Sizes for about 5,000 calls a second: published figures of Envoy Gateway 1.9 with one core a proxy.
_LARGE = {
    "enabled": True,
    "exposure": "load-balancer",
    "max_body_kib": 1024,
    "proxy": {"replicas": 2, "cpu_request_millis": 250, "memory_mib": 512, "connections": 10_000},
    "controller": {"replicas": 2, "cpu_request_millis": 100, "memory_mib": 512},
}

GATEWAY = Capability(
    section="gateway",
    defaults={
        Environment.DEV: _SMALL,
        Environment.TEST: _SMALL,
        Environment.STAGING: _LARGE,
        Environment.PROD: {
            **_LARGE,
            "proxy": {"replicas": 3, "cpu_request_millis": 1000, "memory_mib": 1024, "connections": 20_000},
        },
    },
    images=_needed_images,
    rules=[
        (("environment", "gateway"), _edge),
        (("gateway", "services"), _routes),
        (("gateway", "certificates"), _tls),
    ],
)
