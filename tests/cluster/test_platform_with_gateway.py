"""The edge of a deployed environment: who gets in, what services see, what callers see, and what faults do."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from omnibase_infra.gateway.names import CONTROLLER_NAMESPACE

from local.node import Node
from local.paths import Paths
from local.report import gateway_lines
from tests.cluster.alerts_kit import alert_states, noticed
from tests.cluster.calls_kit import calling
from tests.cluster.conftest import Kubectl
from tests.cluster.gateway_kit import HELD_REQUESTS, Caller, Reply, echo_manifests
from tests.cluster.node_kit import SHELL_IMAGE, eventually, nothing_scheduled, wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK

_PROXIES = f"gateway.envoyproxy.io/owning-gateway-namespace={NAMESPACE}"
_ALWAYS = {
    "strict-transport-security": "max-age=300; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


@pytest.fixture(scope="module")
def caller(outputs: dict[str, Any], kubectl: Kubectl, paths: Paths) -> Caller:
    """A caller outside the cluster, on this machine."""
    found = Caller(paths, outputs, kubectl)
    wait_for(lambda: found.call("/notes").status == 401, 60, "the gateway answers")
    return found


@pytest.fixture(scope="module")
def echo(caller: Caller, kubectl: Kubectl, image_references: dict[str, str]) -> Iterator[str]:
    """A route to a service that answers with what it was sent."""
    manifests = json.dumps({
        "apiVersion": "v1", "kind": "List", "items": echo_manifests(image_references[SHELL_IMAGE], caller.host)
    })  # fmt: skip
    kubectl("apply", "-f", "-", stdin=manifests)
    key = caller.key("operator")
    wait_for(lambda: caller.call("/echo", key=key).status == 200, 60, "the service behind the route answers")
    yield "/echo"
    kubectl("delete", "-f", "-", "--grace-period=1", stdin=manifests)


def scale_proxies(kubectl: Kubectl, count: int) -> None:
    """Change the number of proxies; those that are too many go at once."""
    kubectl("scale", "deployment", "-n", CONTROLLER_NAMESPACE, "-l", _PROXIES, f"--replicas={count}")
    if not count:
        kubectl("delete", "pods", "-n", CONTROLLER_NAMESPACE, "-l", _PROXIES, "--grace-period=0", "--force")


def proxy_pods(kubectl: Kubectl) -> list[dict[str, Any]]:
    """The proxies that are not on their way out."""
    found = kubectl.items(f"/api/v1/namespaces/{CONTROLLER_NAMESPACE}/pods", labelSelector=_PROXIES)
    return [item for item in found if not item["metadata"].get("deletionTimestamp")]


def ready_proxies(kubectl: Kubectl) -> int:
    """How many proxies are ready."""
    states = [item["status"].get("containerStatuses", []) for item in proxy_pods(kubectl)]
    return sum(bool(containers) and all(entry["ready"] for entry in containers) for containers in states)


@pytest.mark.req("C5.1")
def test_only_a_call_with_a_known_key_gets_through(caller: Caller) -> None:
    key = caller.key("operator")
    assert caller.call("/notes").status == 401
    assert caller.call("/notes", key=f"{key[:-1]}~").status == 401
    assert caller.call("/notes", headers={"Authorization": f"Bearer {key}"}).status == 401
    reply = caller.call("/notes?limit=1", key=key)
    assert (reply.status, isinstance(json.loads(reply.body), list)) == (200, True)


@pytest.mark.req("C5.7")
def test_a_host_or_a_path_that_no_route_names_is_not_found_whoever_asks(caller: Caller) -> None:
    key = caller.key("operator")
    assert caller.call("/notes", key=key, headers={"Host": "other.example.test"}).status == 404
    assert caller.call("/notes", key=key, headers={"Host": caller.address}).status == 404
    for path in ("/", "/metrics", "/healthz", "/readyz", "/notes/../metrics", "/notes%2f..%2fmetrics"):
        assert caller.call(path, key=key).status in (404, 307), path


@pytest.mark.req("C5.1", "C6.2")
def test_the_service_gets_the_callers_name_and_an_id_but_neither_key_nor_forged_headers(
    caller: Caller, echo: str
) -> None:
    key = caller.key("operator")
    forged = {"X-Client-ID": "root", "X-Correlation-ID": "mine", "X-Forwarded-User": "root", "X-Request-ID": "mine"}
    reply = caller.call(echo, key=key, headers=forged)
    lines = [line.partition(":") for line in reply.body.splitlines()[1:]]
    seen = {name.lower(): value.strip() for name, _, value in lines}
    assert seen["x-client-id"] == "operator"
    assert seen["x-correlation-id"] == seen["x-request-id"] == reply.headers["x-correlation-id"]
    assert uuid.UUID(seen["x-correlation-id"]).version == 4
    assert "x-forwarded-user" not in seen
    assert "x-api-key" not in seen
    assert key not in reply.body
    assert "server" not in reply.headers, "a service's Server header tells callers what to attack"


@pytest.mark.req("C5.4", "C5.3")
def test_every_reply_has_the_security_headers_also_those_of_the_gateway_itself(caller: Caller) -> None:
    key = caller.key("operator")
    replies = {
        200: caller.call("/notes?limit=1", key=key),
        401: caller.call("/notes"),
        404: caller.call("/nothing", key=key),
        413: caller.call("/notes", method="POST", key=key, body=b"x" * ((1024 << 10) + 1)),
        422: caller.call("/notes", method="POST", key=key, body=b"{}"),
    }
    for status, reply in replies.items():
        assert reply.status == status
        assert {name: reply.headers.get(name) for name in _ALWAYS} == _ALWAYS, status
        assert uuid.UUID(reply.headers["x-correlation-id"]).version == 4, status
    assert caller.call("/notes", key=key, headers={"a_b": "c"}).status == 400


@pytest.mark.req("C5.2")
def test_a_client_above_its_limit_is_held_back_and_another_is_not(caller: Caller) -> None:
    limited, operator = caller.key("limited"), caller.key("operator")

    def burst() -> tuple[list[Reply], int]:
        """25 calls on one connection, so at one proxy, which counts for itself; and how many it may let through."""
        connection, started = caller.connect(), time.monotonic()
        made = [caller.call("/notes?limit=1", key=limited, connection=connection) for _ in range(25)]
        connection.close()
        return made, 21 + int((time.monotonic() - started) * 20 / 60)  # the limit is 20 a minute

    replies, most = burst()
    if Counter(reply.status for reply in replies)[200] > most:  # a new minute began meanwhile
        time.sleep(61)
        replies, most = burst()
    counts = Counter(reply.status for reply in replies)
    assert 20 <= counts[200] <= most
    assert counts[429] == 25 - counts[200] > 0
    last = next(reply for reply in reversed(replies) if reply.status == 429)
    assert last.headers["x-ratelimit-limit"].startswith("20")
    assert last.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(last.headers["x-ratelimit-reset"]) <= 60
    assert {name: last.headers.get(name) for name in _ALWAYS} == _ALWAYS
    assert caller.call("/notes?limit=1", key=operator).status == 200


@pytest.mark.req("C5.2", "C1.8")
def test_a_route_may_hold_a_client_tighter_than_its_own_limit_does(caller: Caller, echo: str) -> None:
    key = caller.key("operator")
    wait_for(lambda: caller.call("/held", key=key).status == 429, 60, "the route's own limit is in force")

    def statuses(path: str) -> Counter[int]:
        """Of ten calls on one connection, so at one proxy."""
        connection = caller.connect()
        found = Counter(caller.call(path, key=key, connection=connection).status for _ in range(10))
        connection.close()
        return found

    held = statuses("/held")
    assert held[200] <= HELD_REQUESTS
    assert held[429] == 10 - held[200]
    assert statuses(echo) == {200: 10}, "the same client, on a route without a limit of its own"


@pytest.mark.req("C5.7", "V18")
def test_a_page_may_call_if_its_origin_is_named_and_still_needs_a_key(caller: Caller) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    ours = {"Origin": "https://app.omnibase.test"}
    asked = caller.call("/notes", method="OPTIONS", headers={**ours, **asks})
    assert asked.status == 200, "a browser asks without a key"
    assert asked.headers["access-control-allow-origin"] == ours["Origin"]
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "x-api-key" in asked.headers["access-control-allow-headers"].lower()
    assert asked.headers["access-control-max-age"] == "86400"
    strangers = caller.call("/notes", method="OPTIONS", headers={"Origin": "https://other.omnibase.test", **asks})
    assert "access-control-allow-origin" not in strangers.headers
    assert caller.call("/notes?limit=1", headers=ours).status == 401
    reply = caller.call("/notes?limit=1", key=caller.key("operator"), headers=ours)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, ours["Origin"])
    assert reply.headers["access-control-expose-headers"] == "X-Correlation-ID"


@pytest.mark.req("C6.2", "C6.1")
def test_one_id_finds_a_call_in_the_gateways_log_and_in_the_services(caller: Caller, kubectl: Kubectl) -> None:
    reply = caller.call("/notes?limit=1&token=not-for-logs", key=caller.key("operator"))
    identity = reply.headers["x-correlation-id"]

    def lines(*where: str) -> list[dict[str, Any]]:
        text = kubectl("logs", "--tail=200", "--prefix=false", *where)
        return [json.loads(line) for line in text.splitlines() if identity in line]

    edge = ("-n", CONTROLLER_NAMESPACE, "-l", _PROXIES, "-c", "envoy")
    wait_for(lambda: bool(lines(*edge)), 15, "the gateway's line is written")
    (line,) = lines(*edge)
    assert {key: line[key] for key in ("service", "client", "method", "path", "status", "host", "message")} == {
        "service": "gateway",
        "client": "operator",
        "method": "GET",
        "path": "/notes",
        "status": 200,
        "host": caller.host,
        "message": "request",
    }
    assert "not-for-logs" not in json.dumps(line)

    def own() -> list[str]:
        """Paths of the service's lines; others of the same call may come before."""
        found = lines("-n", NAMESPACE, "-l", "app.kubernetes.io/name=reference")
        return [line["path"] for line in found if line.get("message") == "request"]

    assert eventually(own, 15, "the service's line is written") == ["/notes"]


@pytest.mark.req("C5.6", "V17")
def test_tls_is_1_2_or_newer_and_the_certificate_is_the_platforms_for_the_host(caller: Caller) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = caller.context()
        context.minimum_version = context.maximum_version = version
        connection = caller.connect(context)
        assert connection.sock.version() == version.name.replace("_", ".")
        connection.close()
    old = caller.context()
    old.set_ciphers("ALL:@SECLEVEL=0")  # or OpenSSL itself would refuse, and the gateway would not be asked
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        caller.connect(old)
    with pytest.raises(ssl.SSLCertVerificationError):
        caller.connect(ssl.create_default_context())


def test_the_lines_at_the_end_of_make_up_work_as_they_are_pasted(
    caller: Caller, outputs: dict[str, Any], paths: Paths
) -> None:
    text = "\n".join(gateway_lines(STACK, outputs)[1:])
    ended = subprocess.run(
        ["bash"], input=text, cwd=paths.root, capture_output=True, text=True, check=False, timeout=600
    )
    assert ended.stdout.split() == ["401", "200"], ended.stderr
    assert caller.key("operator") not in text


@pytest.mark.req("C7.4")
def test_a_service_that_takes_too_long_costs_the_caller_the_routes_timeout_and_no_more(
    caller: Caller, echo: str
) -> None:
    started = time.monotonic()
    assert caller.call(f"{echo}/slow", key=caller.key("operator")).status == 504
    assert time.monotonic() - started < 15, "the service takes 20 s"


@pytest.mark.req("C3.8")
def test_errors_at_the_edge_are_noticed(caller: Caller, echo: str, kubectl: Kubectl) -> None:
    key = caller.key("operator")
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: caller.call(f"{echo}/slow", key=key).status, range(20)))
    assert set(statuses) <= {503, 504}, "too late, or after five of those the pod was left out"
    print(f"noticed after {noticed(kubectl, 'GatewayErrors'):.0f} s")


@pytest.mark.req("C4.1")
def test_the_pods_that_the_controller_makes_are_hardened_too(caller: Caller, kubectl: Kubectl) -> None:
    wait_for(lambda: ready_proxies(kubectl) == 2, 60, "two proxies are ready")
    pods = proxy_pods(kubectl)
    assert len(pods) == 2
    for item in pods:
        assert item["spec"]["automountServiceAccountToken"] is False
        for container in item["spec"]["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is security["runAsNonRoot"] is True, container["name"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert "@sha256:" in container["image"]
            resources = container["resources"]
            assert resources["requests"]["memory"] == resources["limits"]["memory"], container["name"]


@pytest.mark.req("C3.3", "C2.5")
def test_a_lost_proxy_costs_little_and_is_replaced(caller: Caller, kubectl: Kubectl) -> None:
    wait_for(lambda: ready_proxies(kubectl) == 2, 60, "two proxies are ready")
    key = caller.key("operator")

    def once() -> str:
        status = caller.call("/notes?limit=1", key=key).status
        return "" if status == 200 else f"status {status}"

    with calling(once) as calls:
        calls.wait_until_well()
        victim = proxy_pods(kubectl)[0]["metadata"]["name"]
        killed = time.monotonic()
        with nothing_scheduled(kubectl):
            kubectl("delete", "pod", "-n", CONTROLLER_NAMESPACE, victim, "--grace-period=0", "--force")
            print(f"noticed after {noticed(kubectl, 'CopiesMissing', 40, namespace=CONTROLLER_NAMESPACE):.0f} s")
        back = wait_for(
            lambda: ready_proxies(kubectl) == 2 and victim not in str(proxy_pods(kubectl)), 90, "two proxies again"
        )
        calls.wait_until_well()
    print(f"{calls.told()}; killed after {killed - calls.started:.1f} s, whole {back:.1f} s later")
    assert len(calls.failed) <= 10, calls.told()
    assert max((call.began - killed for call in calls.failed), default=0) < 30, calls.told()


@pytest.mark.req("C3.6", "C7.8")
def test_without_its_controller_the_gateway_serves_and_a_metric_says_so(
    caller: Caller, kubectl: Kubectl, node: Node
) -> None:
    key = caller.key("operator")

    def connected() -> list[str]:
        """The value of the metric at each proxy, read on the node: nobody else may reach the port."""
        found = []
        for item in proxy_pods(kubectl):
            url = f"http://{item['status'].get('podIP')}:19001/stats/prometheus"
            script = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=30).read().decode())"
            text = node.run([sys.executable, "-c", script]).stdout
            found += [line.split()[-1] for line in text.splitlines() if line.startswith("envoy_control_plane_conn")]
        return found

    wait_for(lambda: set(connected()) == {"1"}, 60, "both proxies are connected")
    kubectl("scale", "-n", CONTROLLER_NAMESPACE, "deployment/envoy-gateway", "--replicas=0")
    try:
        wait_for(lambda: set(connected()) == {"0"}, 60, "the proxies miss their controller")
        assert {caller.call("/notes?limit=1", key=key).status for _ in range(20)} == {200}
        assert caller.call("/notes").status == 401
        print(f"noticed after {noticed(kubectl, 'GatewayControllerGone'):.0f} s")
        scale_proxies(kubectl, 0)  # which the controller would undo
        print(f"no proxy at all noticed after {noticed(kubectl, 'GatewayDown'):.0f} s")
    finally:
        kubectl("scale", "-n", CONTROLLER_NAMESPACE, "deployment/envoy-gateway", "--replicas=1")
        scale_proxies(kubectl, 2)
    wait_for(lambda: connected() == ["1", "1"], 90, "the proxies have their controller again")
    wait_for(lambda: caller.call("/notes?limit=1", key=key).status == 200, 60, "calls get through")
    wait_for(lambda: "GatewayDown" not in alert_states(kubectl), 60, "the alert ends")
