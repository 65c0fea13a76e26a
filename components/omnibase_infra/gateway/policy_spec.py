"""The policies of a gateway, pure: what callers may do, who they are, and how backends are spared."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi

from omnibase_infra.gateway.args import GatewayArgs, GatewayCors
from omnibase_infra.gateway.names import CLIENT_HEADER, CORRELATION_HEADER, KEY_HEADER
from omnibase_infra.gateway.proxy_spec import API_GROUP, head, waiting
from omnibase_infra.objects import Manifest

REQUEST_ID = "%REQ(X-REQUEST-ID)%"
DEFAULT_RETRIES = 2
IDLE_SECONDS = 4
"""For how long a proxy keeps an unused connection to a pod. The pod must not be the first to close it: a call that is
then on its way fails, and may not be repeated. Uvicorn and Node close after five seconds, others later."""
MOST_CORS_SECONDS = 86_400
_YEAR_SECONDS = 31_536_000
_POLICY = "gateway.envoyproxy.io/v1alpha1"
_FORGED = (CLIENT_HEADER, CORRELATION_HEADER, "X-Request-ID", "X-Forwarded-User", "X-Forwarded-Email", "X-Real-IP")
"""Headers that services believe: they come from the gateway or not at all."""
STRICT_HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What replies say unless the gateway is told otherwise."""


def accepted() -> str:
    """The condition under which a policy is in force."""
    return "jsonpath={.status.ancestors[0].conditions[?(@.type=='Accepted')].status}=True"


def clients(name: str, args: GatewayArgs) -> Manifest:
    """Between caller and proxy: TLS, limits against slow and greedy callers, headers of every reply."""
    spec: dict[str, Any] = {
        "targetRefs": [_target(name)],
        "tls": {"minVersion": args.get("tls_min_version", "1.2"), "alpnProtocols": ["h2", "http/1.1"]},
        "headers": {
            "withUnderscoresAction": "RejectRequest",
            "requestID": "Generate",
            "earlyRequestHeaders": {"remove": list(_FORGED)},
            "lateResponseHeaders": {"set": _reply_headers(args), "remove": ["Server", "X-Powered-By"]},
        },
        "path": {"escapedSlashesAction": "UnescapeAndRedirect"},
        "connection": {"connectionLimit": {"value": int(args["connections"])}},
        "http2": {"maxConcurrentStreams": 100},
        # Off by default: a caller that sends one byte a minute would hold a connection for ever.
        "timeout": {
            "tcp": {"tlsHandshakeTimeout": "5s"},
            "http": {
                "requestHeadersReceivedTimeout": "5s",
                "requestReceivedTimeout": "30s",
                "idleTimeout": "300s",
                "streamIdleTimeout": "60s",
            },
        },
    }
    hops = int(args.get("trusted_hops", 0))
    if hops:
        spec["clientIPDetection"] = {"xForwardedFor": {"numTrustedHops": hops}}
    return {**_head("ClientTrafficPolicy", name, args), "spec": spec}


def security(name: str, args: GatewayArgs, keys_secret: pulumi.Input[str]) -> Manifest:
    """Who may call. It stands on the gateway, so that no route is open because somebody forgot its policy."""
    authentication = {
        "credentialRefs": [{"group": "", "kind": "Secret", "name": keys_secret}],
        "extractFrom": [{"headers": [KEY_HEADER]}],
        "forwardClientIDHeader": CLIENT_HEADER,
        "sanitize": True,
    }
    spec: dict[str, Any] = {"targetRefs": [_target(name)], "apiKeyAuth": authentication}
    if "cors" in args:
        spec["cors"] = _cors(args["cors"])
    return {**_head("SecurityPolicy", name, args), "spec": spec}


def _cors(cors: GatewayCors) -> Manifest:
    """Envoy answers a browser's question itself, before it asks for a key, which browsers do not send with it."""
    return {
        "allowOrigins": list(cors["origins"]),
        "allowMethods": list(cors["methods"]),
        "allowHeaders": list(cors.get("headers", [])),
        "exposeHeaders": list(cors.get("exposed_headers", [])),
        "allowCredentials": cors.get("credentials", False),
        "maxAge": f"{int(cors.get('max_age_seconds', MOST_CORS_SECONDS))}s",
    }


def backends(name: str, args: GatewayArgs) -> Manifest:
    """Between proxy and service, for all routes: rate limits, breakers, ejection, tries, body size.

    Only what the gateway's own policy says lets routes to one service share their counts of failures (mergeBackends).
    """
    spec = {
        "targetRefs": [_target(name)],
        "rateLimit": rate_limit(_limits(args)),
        "requestBuffer": {"limit": f"{int(args.get('max_body_kib', 1024))}Ki"},
        "timeout": {"tcp": {"connectTimeout": "2s"}, "http": {"connectionIdleTimeout": f"{IDLE_SECONDS}s"}},
        "retry": retry(DEFAULT_RETRIES),
        "circuitBreaker": {
            "maxConnections": 1024,
            "maxPendingRequests": 256,
            "maxParallelRequests": 1024,
            "retryBudget": {"percent": {"numerator": 20}, "minRetryConcurrency": 3},
        },
        # The defaults (10 %, none always) eject nobody where there are fewer than ten pods.
        "healthCheck": {
            "passive": {
                "consecutive5XxErrors": 5,
                "interval": "3s",
                "baseEjectionTime": "30s",
                "maxEjectionPercent": 50,
                "alwaysEjectOneEndpoint": True,
            }
        },
    }
    return {**_head("BackendTrafficPolicy", name, args), "spec": spec}


def retry(tries: int) -> Manifest:
    """Repeat only what never reached the service: what may have reached it could be done twice."""
    return {
        "numRetries": tries,
        "retryOn": {"triggers": ["connect-failure", "refused-stream", "reset-before-request"]},
        "perRetry": {"backOff": {"baseInterval": "100ms", "maxInterval": "2s"}},
    }


def rate_limit(requests: Mapping[str, int]) -> Manifest:
    """A limit for each client, in calls a minute, counted by each proxy for each route."""
    return {"local": {"rules": [_limit(client, requests[client]) for client in sorted(requests)]}}


def _limits(args: GatewayArgs) -> dict[str, int]:
    return {client: int(limits["requests_per_minute"]) for client, limits in args["clients"].items()}


def _limit(client: str, requests: int) -> Manifest:
    header = {"name": CLIENT_HEADER, "type": "Exact", "value": client}
    return {
        "clientSelectors": [{"headers": [header]}],
        "limit": {"requests": requests, "unit": "Minute"},
    }


def _reply_headers(args: GatewayArgs) -> list[dict[str, str]]:
    """On every reply, those of the gateway itself too: 400, 401, 404, 413, 429."""
    found = {
        "Strict-Transport-Security": f"max-age={int(args.get('hsts_seconds', _YEAR_SECONDS))}; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        **STRICT_HEADERS,
        **args.get("reply_headers", {}),
        CORRELATION_HEADER: REQUEST_ID,
    }
    return [{"name": name, "value": value} for name, value in found.items()]


def _target(name: str) -> dict[str, str]:
    return {"group": API_GROUP, "kind": "Gateway", "name": name}


def _head(kind: str, name: str, args: GatewayArgs) -> Manifest:
    found = head(_POLICY, kind, name, args["namespace"], args["environment"])
    found["metadata"]["annotations"] = waiting(json.dumps([accepted()]))
    return found
