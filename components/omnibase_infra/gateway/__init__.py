"""The edge: who may call which service from outside."""

from omnibase_infra.gateway.alerts import gateway_alerts
from omnibase_infra.gateway.args import (
    GatewayArgs,
    GatewayClient,
    GatewayControllerArgs,
    GatewayCors,
    RouteArgs,
    RouteBackend,
)
from omnibase_infra.gateway.component import Gateway
from omnibase_infra.gateway.controller import GatewayController
from omnibase_infra.gateway.names import (
    CONTROLLER,
    LISTENER_PORT,
    METRICS_PORT,
    proxies,
)
from omnibase_infra.gateway.route import Route

__all__ = [
    "CONTROLLER",
    "LISTENER_PORT",
    "METRICS_PORT",
    "Gateway",
    "GatewayArgs",
    "GatewayClient",
    "GatewayController",
    "GatewayControllerArgs",
    "GatewayCors",
    "Route",
    "RouteArgs",
    "RouteBackend",
    "gateway_alerts",
    "proxies",
]
