"""The edge of an environment: controller, gateway, routes, and what operators are told about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from omnibase_infra.alert import Alert
from omnibase_infra.config.gateway import GatewayRouteConfig
from omnibase_infra.gateway import (
    CONTROLLER,
    METRICS_PORT,
    Gateway,
    GatewayArgs,
    GatewayController,
    GatewayCors,
    Route,
    RouteArgs,
    RouteBackend,
    gateway_alerts,
    proxies,
)
from omnibase_infra.network import Party
from omnibase_infra.platform.certificates import Certificates
from omnibase_infra.platform.room import Room
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.secrets import SecretSet
from omnibase_infra.versions import ENVOY_GATEWAY_CRDS, GATEWAY_API_CRDS
from omnibase_infra.workload import HardenedWorkload

GATEWAY = "gateway"
KEYS = "gateway-keys"
_ALL = 100
"""Weights of a route with a canary are per cent, as the analysis writes them."""
_PROXIES = "gateway-proxy"
"""Job of the proxies' series."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """What others need of the edge."""

    outputs: dict[str, pulumi.Input[Any]]
    """Outputs of the stack."""
    scrape_targets: list[ScrapeTarget]
    """Where its metrics are."""
    alerts: list[Alert]
    """What is told of it."""
    owners: list[pulumi.Resource]
    """Who makes the namespaces that it lives in, beside the stack's own."""


def make_gateway(room: Room, certificates: Certificates, services: Mapping[str, HardenedWorkload]) -> Edge:
    """Everything between callers outside and the services; nothing where it is not enabled."""
    settings = room.config.gateway
    if not settings.enabled:
        return Edge(outputs={}, scrape_targets=[], alerts=[], owners=[])
    controller = _controller(room)
    keys = _keys(room)
    gateway = _gateway(room, certificates, keys, controller)
    for name, route in settings.routes.items():
        Route(name, _route(room, route), room.below(gateway, services[route.service]))
    outputs: dict[str, pulumi.Input[Any]] = {
        "gateway_url": f"https://{settings.hosts[0]}",
        "gateway_address": gateway.address,
        "gateway_keys_secret": keys.secret(GATEWAY),
        "gateway_clients": list(settings.clients),
        "gateway_paths": [route.path for route in settings.routes.values()],
        "gateway_limits": {name: _limits(room, route) for name, route in settings.routes.items()},
    }
    return Edge(
        outputs=outputs, scrape_targets=_scrape_targets(room), alerts=gateway_alerts(_PROXIES), owners=controller
    )


def _route(room: Room, route: GatewayRouteConfig) -> RouteArgs:
    settings = room.config.gateway
    args: RouteArgs = {
        "namespace": room.namespace,
        "environment": room.tier,
        "gateway": GATEWAY,
        "hosts": list(settings.hosts),
        "path": route.path,
        "backends": _backends(room, route.service),
        # The engine's to take back: an analysis of before owns the weights that it moved, also when the canary
        # is gone or switched off.
        "moving_weights": True,
        "timeout_seconds": route.timeout_seconds,
        "retries": route.retries,
    }
    if route.limit_class is not None:
        args["limits"] = _limits(room, route)
    return args


def _limits(room: Room, route: GatewayRouteConfig) -> dict[str, int]:
    """Calls a minute of each client on a route: its own limit, or that of the route's class if it is smaller."""
    own = {name: client.requests_per_minute for name, client in room.config.gateway.clients.items()}
    if route.limit_class is None:
        return own
    most = getattr(room.config.security.limits.classes, route.limit_class).requests_per_minute
    return {name: min(requests, most) for name, requests in own.items()}


def _backends(room: Room, service: str) -> list[RouteBackend]:
    """A service of the stack behind a route. Its canary has no calls but those that an analysis gives it for a time."""
    pods = room.instances(service)
    share = _ALL if len(pods) > 1 else 1
    return [
        {
            "service": party["name"],
            "port": room.port(service),
            "pods": dict(party["labels"]),
            "weight": 0 if number else share,
        }
        for number, party in enumerate(pods)
    ]


def _controller(room: Room) -> list[pulumi.Resource]:
    gateway = room.config.gateway
    settings, proxy = gateway.controller, gateway.proxy
    if not settings.install:
        return []
    gateways = 1 + len(settings.namespaces)
    made = GatewayController(
        "gateway-controller",
        {
            "gateway_api_crds": room.args.manifest(GATEWAY_API_CRDS),
            "envoy_gateway_crds": room.args.manifest(ENVOY_GATEWAY_CRDS),
            "image": room.args.images["envoy-gateway"],
            "environment": room.tier,
            "namespaces": [room.namespace, *settings.namespaces],
            "replicas": settings.replicas,
            "cpu_request_millis": settings.cpu_request_millis,
            "memory_mib": settings.memory_mib,
            "api_server_cidrs": room.config.cluster.api_server,
            "api_server_ports": room.config.cluster.api_server_ports,
            # other stacks' proxies are taken to be like ours; an update starts one pod before it ends an old one
            "proxies": gateways * (proxy.replicas + 1),
            "proxy_cpu_request_millis": proxy.cpu_request_millis,
            "proxy_memory_mib": proxy.memory_mib,
            "load_balancers": gateways if gateway.exposure == "load-balancer" else 0,
            "protect": room.config.protect,
        },
        room.below(room.environment),
    )
    return [made]


def _keys(room: Room) -> SecretSet:
    clients = room.config.gateway.clients
    return SecretSet(
        KEYS,
        {
            "namespace": room.namespace,
            "environment": room.tier,
            "entries": {
                name: {"source": "generated", "generation": client.generation} for name, client in clients.items()
            },
            "consumers": {GATEWAY: {"keys": list(clients)}},
        },
        room.below(room.environment),
    )


def _gateway(room: Room, certificates: Certificates, keys: SecretSet, controller: list[pulumi.Resource]) -> Gateway:
    settings = room.config.gateway
    certificate = certificates.server(GATEWAY, namespace=room.namespace, hosts=settings.hosts)
    headers = room.config.security.headers
    args: GatewayArgs = {
        "namespace": room.namespace,
        "environment": room.tier,
        "image": room.args.images["envoy"],
        "hosts": list(settings.hosts),
        "certificate_hosts": list(settings.hosts),
        "tls_secret": certificate.secret,
        "clients": {
            name: {"requests_per_minute": client.requests_per_minute} for name, client in settings.clients.items()
        },
        "keys_secret": keys.secret(GATEWAY),
        "keys": {name: keys.value(name) for name in settings.clients},
        "replicas": settings.proxy.replicas,
        "cpu_request_millis": settings.proxy.cpu_request_millis,
        "memory_mib": settings.proxy.memory_mib,
        "connections": settings.proxy.connections,
        "accepts_from": _callers(room),
        "load_balancer": settings.exposure == "load-balancer",
        "trusted_hops": settings.trusted_hops,
        "tls_min_version": settings.tls_min_version,
        "hsts_seconds": headers.hsts_seconds,
        "max_body_kib": settings.max_body_kib,
        "reply_headers": {
            "X-Frame-Options": headers.frame_options,
            "Content-Security-Policy": headers.content_security_policy,
            "Referrer-Policy": headers.referrer_policy,
            "Permissions-Policy": headers.permissions_policy,
            "Cross-Origin-Resource-Policy": headers.cross_origin_resource_policy,
        },
    }
    if room.config.security.cors.origins:
        args["cors"] = _cors(room)
    return Gateway(GATEWAY, args, room.below(room.environment, *controller))


def _cors(room: Room) -> GatewayCors:
    cors = room.config.security.cors
    return {
        "origins": list(cors.origins),
        "methods": list(cors.methods),
        "headers": list(cors.headers),
        "exposed_headers": list(cors.exposed_headers),
        "credentials": cors.credentials,
        "max_age_seconds": cors.max_age.seconds,
    }


def _callers(room: Room) -> list[Party]:
    found: list[Party] = []
    for name, cidrs in (("operators", room.config.cluster.operators), ("callers", room.config.gateway.client_cidrs)):
        if cidrs:
            found.append({"name": name, "cidrs": list(cidrs)})
    return found


def _scrape_targets(room: Room) -> list[ScrapeTarget]:
    own = proxies(GATEWAY, room.namespace)
    found: list[ScrapeTarget] = [
        {
            "name": _PROXIES,
            "namespace": own["namespace"],
            "labels": own["labels"],
            "port": METRICS_PORT,
            "path": "/stats/prometheus",
        }
    ]
    if room.config.gateway.controller.install:
        found.append({
            "name": "gateway-controller",
            "namespace": CONTROLLER["namespace"],
            "labels": CONTROLLER["labels"],
            "port": METRICS_PORT,
        })  # fmt: skip
    return found
