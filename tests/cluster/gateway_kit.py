"""The gateway as a caller outside the cluster sees it, and a service behind it that says what it was sent."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omnibase_infra.gateway import proxies
from omnibase_infra.gateway.args import RouteArgs
from omnibase_infra.gateway.route import http_route, policy
from omnibase_infra.network.policies import flow_policies

from local.node.network import NetworkPlan
from local.paths import Paths
from tests.cluster.node_kit import pod
from tests.cluster.platform_kit import NAMESPACE

ECHO = "gateway-echo"
HELD = "gateway-echo-held"
HELD_REQUESTS = 5
_PORT = 443
# Answers each connection with the request's head; a path with `slow` in it takes its time.
_SCRIPT = r"""cat() { /bin/busybox cat; }
cat > /www/answer <<'END'
read -r first
head="$first
"
while IFS= read -r line; do line="${line%?}"; [ -z "$line" ] && break; head="$head$line
"; done
case "$first" in *slow*) /bin/busybox sleep 20 ;; esac
printf 'HTTP/1.1 200 OK\r\nServer: echo\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "${#head}" "$head"
END
exec /bin/busybox nc -ll -p 8080 -e /bin/sh /www/answer
"""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back; header names in lower case. Status 0: no reply."""

    status: int
    headers: Mapping[str, str]
    body: str


class Caller:
    """Calls the first host of the gateway over TLS, and checks its certificate against the platform's authority."""

    def __init__(self, paths: Paths, outputs: Mapping[str, Any], kubectl: Callable[..., str]) -> None:
        self.address, self.host = str(outputs["gateway_address"]), str(outputs["gateway_url"]).removeprefix("https://")
        self.authority = str(outputs["certificate_authority"])
        self._secret, self._kubectl = str(outputs["gateway_keys_secret"]), kubectl
        plan = NetworkPlan.from_environment(paths, {})
        ask = ["ip", "route", "get", self.address]
        route = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        # Without our interface the kernel would send this to the machine's own gateway.
        assert f"via {plan.node_address}" in route, route

    def key(self, client: str) -> str:
        """API key of a client, as an operator reads it."""
        data = json.loads(self._kubectl("get", "secret", "-n", NAMESPACE, self._secret, "-o", "json"))["data"]
        return base64.b64decode(data[client]).decode()

    def context(self) -> ssl.SSLContext:
        """TLS as a careful client speaks it: the platform's authority and no other."""
        return ssl.create_default_context(cadata=self.authority)

    def connect(self, context: ssl.SSLContext | None = None, seconds: float = 30) -> http.client.HTTPSConnection:
        """A connection that several calls can use."""
        made = http.client.HTTPSConnection(self.host, _PORT, timeout=seconds)
        raw = socket.create_connection((self.address, _PORT), seconds)
        try:
            made.sock = (context or self.context()).wrap_socket(raw, server_hostname=self.host)
        except BaseException:
            raw.close()
            raise
        return made

    def call(
        self,
        path: str,
        *,
        method: str = "GET",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        connection: http.client.HTTPSConnection | None = None,
    ) -> Reply:
        """One call; a connection that breaks is status 0."""
        sent = {**({"X-API-Key": key} if key else {}), **(headers or {})}
        try:
            used = connection or self.connect()
            try:
                used.request(method, path, body=body, headers=sent)
                answer = used.getresponse()
                text = answer.read().decode(errors="replace")
                names = {name.lower(): value for name, value in answer.getheaders()}
                return Reply(status=answer.status, headers=names, body=text)
            finally:
                if connection is None:
                    used.close()
        except (OSError, http.client.HTTPException):
            return Reply(status=0, headers={}, body="")


def echo_manifests(image: str, host: str) -> list[dict[str, Any]]:
    """Pod, Service, routes and network policies of a service that answers with the request's head.

    The second route, `/held`, holds its clients to a limit of its own.
    """
    labels = {"app.kubernetes.io/name": ECHO}
    args: RouteArgs = {
        "namespace": NAMESPACE,
        "environment": "test",
        "gateway": "gateway",
        "hosts": [host],
        "path": "/echo",
        "backends": [{"service": ECHO, "port": 8080, "pods": labels}],
        "timeout_seconds": 1,
    }
    held: RouteArgs = {**args, "path": "/held", "limits": {"operator": HELD_REQUESTS}}
    routes = [http_route(ECHO, args), http_route(HELD, held), policy(HELD, held)]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": ECHO, "namespace": NAMESPACE},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": 8080, "targetPort": 8080}]},
    }
    source, destination = proxies("gateway", NAMESPACE), {"name": ECHO, "namespace": NAMESPACE, "labels": labels}
    policies = flow_policies(ECHO, source, destination, [8080], "TCP")  # type: ignore[arg-type]  # a Party
    made = json.loads(pod(ECHO, image, _SCRIPT, labels=labels))
    made["metadata"]["namespace"] = NAMESPACE
    return [made, service, *(route for route in routes if route), *policies.values()]
