"""Arguments of the edge's components that are accepted, for tests that change one of them."""

from __future__ import annotations

from typing import Any, cast

from omnibase_infra import GatewayArgs, GatewayControllerArgs, RouteArgs
from omnibase_infra.versions import ENVOY_GATEWAY_CRDS, GATEWAY_API_CRDS

from tests.stacks.support.stacks import vendor_directory

ENVOY = "registry.example.test/omnibase/envoy:1.39.3@sha256:" + "c" * 64
CONTROLLER = "registry.example.test/omnibase/envoy-gateway:1.9.1@sha256:" + "d" * 64
KEY = "Zt4wQ8vLx2Rk9Bn6Yc3Hf7Jm5Pd1Sg0UaEoIqWzXyT"
OTHER_KEY = "p7Nc2Vb9Mx4Kl6Jh1Gf3Ds8Az5Qw0Er_Ty-UiOoPlKj"


def controller(**changes: Any) -> GatewayControllerArgs:  # noqa: ANN401 -- any argument
    """One pod for one namespace."""
    vendor = vendor_directory()
    found = {
        "gateway_api_crds": str(vendor / GATEWAY_API_CRDS.file),
        "envoy_gateway_crds": str(vendor / ENVOY_GATEWAY_CRDS.file),
        "image": CONTROLLER,
        "environment": "dev",
        "namespaces": ["space"],
        "replicas": 1,
        "cpu_request_millis": 15,
        "memory_mib": 200,
        "api_server_cidrs": ["10.213.0.2/32"],
        "api_server_ports": [6443],
        "proxies": 2,
        "proxy_cpu_request_millis": 15,
        "proxy_memory_mib": 160,
    }
    return cast(GatewayControllerArgs, {**found, **changes})


def gateway(**changes: Any) -> GatewayArgs:  # noqa: ANN401 -- any argument
    """One proxy, one host, one client."""
    found = {
        "namespace": "space",
        "environment": "dev",
        "image": ENVOY,
        "hosts": ["api.example.test"],
        "certificate_hosts": ["api.example.test"],
        "tls_secret": "gateway-tls",
        "clients": {"operator": {"requests_per_minute": 200}},
        "keys_secret": "gateway-keys",
        "keys": {"operator": KEY},
        "replicas": 1,
        "cpu_request_millis": 15,
        "memory_mib": 160,
        "connections": 500,
        "accepts_from": [{"name": "operators", "cidrs": ["10.213.0.1/32"]}],
    }
    return cast(GatewayArgs, {**found, **changes})


def route(**changes: Any) -> RouteArgs:  # noqa: ANN401 -- any argument
    """To one Service."""
    found = {
        "namespace": "space",
        "environment": "dev",
        "gateway": "gateway",
        "hosts": ["api.example.test"],
        "path": "/notes",
        "backends": [{"service": "reference", "port": 8080, "pods": {"app.kubernetes.io/name": "reference"}}],
    }
    return cast(RouteArgs, {**found, **changes})
