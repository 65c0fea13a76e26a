"""Names of everything at the edge, pure, so that callers and checks can know them beforehand."""

from omnibase_infra.naming import dns_label
from omnibase_infra.network import Party

CONTROLLER_NAMESPACE = "envoy-gateway-system"
"""The controller and the proxies of all stacks of a cluster live here."""
CONTROLLER_NAME = "envoy-gateway"
"""Also the name of the Service and of the Secret that Envoy Gateway looks for: it cannot be chosen."""
CONTROLLER_KIND = "gateway.envoyproxy.io/gatewayclass-controller"
GATEWAY_CLASS = "omnibase"

XDS_PORT = 18000
METRICS_PORT = 19001
"""Of the controller (/metrics) and of a proxy (/stats/prometheus)."""
PROBE_PORT = 8081
LISTENER_PORT = 443
PROXY_PORT = 10443
"""Where a proxy listens for port 443: Envoy Gateway adds 10000 to ports that would need a capability."""
LISTENER = "https"

KEY_HEADER = "X-API-Key"
CLIENT_HEADER = "X-Client-ID"
CORRELATION_HEADER = "X-Correlation-ID"

CONTROLLER: Party = {
    "name": "gateway controller",
    "namespace": CONTROLLER_NAMESPACE,
    "labels": {"control-plane": CONTROLLER_NAME},
}
ALL_PROXIES: Party = {
    "name": "gateway proxies",
    "namespace": CONTROLLER_NAMESPACE,
    "labels": {"app.kubernetes.io/name": "envoy", "app.kubernetes.io/managed-by": "envoy-gateway"},
}


def proxies(gateway: str, namespace: str) -> Party:
    """The proxies of one gateway."""
    return {
        "name": "gateway",
        "namespace": CONTROLLER_NAMESPACE,
        "labels": {
            "gateway.envoyproxy.io/owning-gateway-name": gateway,
            "gateway.envoyproxy.io/owning-gateway-namespace": namespace,
        },
    }


def proxy(gateway: str, namespace: str) -> str:
    """Name of the proxies' Deployment and Service; stacks share the namespace, so theirs is part of it."""
    return dns_label(namespace, gateway)
