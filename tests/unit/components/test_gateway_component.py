"""GatewayController, Gateway and Route: what they make and what they refuse."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra import ArgsError, Gateway, GatewayController, Route
from omnibase_infra.gateway.checks import covers, gateway_problems, route_problems

from tests.stacks.support import gateway_samples as samples
from tests.stacks.support import schemas
from tests.stacks.support.recorder import Recorder, record
from tests.stacks.support.stacks import VENDOR_COMPONENT


def made(component: Callable[..., pulumi.ComponentResource], name: str, args: object) -> Recorder:
    return record(lambda: component(name, args))


def objects(recorder: Recorder, kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind by name, without those of vendor manifests."""
    found = [item for item in recorder.registrations() if item.type.endswith(f":{kind}")]
    own = [item.inputs for item in found if item.custom and VENDOR_COMPONENT not in item.urn]
    return {item["metadata"]["name"]: item for item in own}


@pytest.fixture(scope="module")
def controller() -> Recorder:
    return made(GatewayController, "controller", samples.controller(namespaces=["one", "two"]))


@pytest.fixture(scope="module")
def gateway() -> Recorder:
    return made(Gateway, "gateway", samples.gateway(trusted_hops=1, replicas=2))


@pytest.mark.req("V13")
def test_the_controller_reads_secrets_in_the_namespaces_that_it_serves_and_nowhere_else(controller: Recorder) -> None:
    roles = {**objects(controller, "ClusterRole"), **objects(controller, "Role")}
    reading = {name for name, role in roles.items() if any("secrets" in rule["resources"] for rule in role["rules"])}
    assert reading == {"omnibase-gateway-served", "envoy-gateway", "envoy-gateway-certgen"}
    (cluster_wide,) = objects(controller, "ClusterRoleBinding").values()
    assert cluster_wide["roleRef"]["name"] == "omnibase-gateway-cluster"
    served = [
        item.inputs["metadata"]["namespace"]
        for item in controller.registrations()
        if item.type.endswith(":RoleBinding") and item.inputs["roleRef"]["name"] == "omnibase-gateway-served"
    ]
    assert sorted(served) == ["envoy-gateway-system", "one", "two"]
    settings = json.loads(objects(controller, "ConfigMap")["envoy-gateway-config"]["data"]["envoy-gateway.yaml"])
    assert settings["provider"]["kubernetes"]["watch"] == {
        "type": "Namespaces",
        "namespaces": ["envoy-gateway-system", "one", "two"],
    }


@pytest.mark.req("C4.1")
def test_the_controllers_pods_are_hardened_and_run_by_digest(controller: Recorder) -> None:
    for manifest in (*objects(controller, "Deployment").values(), *objects(controller, "Job").values()):
        pod = manifest["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is security["runAsNonRoot"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["image"] == samples.CONTROLLER
        assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]


def test_everything_of_the_controller_fits_the_schema_of_its_kind(controller: Recorder) -> None:
    own = [item for item in controller.registrations() if item.type.startswith("kubernetes:")]
    assert len(own) > 30
    assert {item.name: found for item in own if (found := schemas.problems(item.inputs))} == {}


def test_a_change_of_the_controllers_settings_restarts_its_pods() -> None:
    marks = {
        objects(made(GatewayController, "c", samples.controller(namespaces=spaces)), "Deployment")["envoy-gateway"][
            "spec"]["template"]["metadata"]["annotations"]["omnibase.io/config"]
        for spaces in (["a"], ["a", "b"])
    }  # fmt: skip
    assert len(marks) == 2


@pytest.mark.req("C5.4", "V18")
def test_security_headers_are_set_where_every_reply_passes(gateway: Recorder) -> None:
    headers = objects(gateway, "ClientTrafficPolicy")["gateway"]["spec"]["headers"]
    late = {item["name"]: item["value"] for item in headers["lateResponseHeaders"]["set"]}
    assert late["X-Content-Type-Options"] == "nosniff"
    assert late["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "frame-ancestors 'none'" in late["Content-Security-Policy"]
    assert late["X-Correlation-ID"] == "%REQ(X-REQUEST-ID)%"
    assert {"X-Client-ID", "X-Correlation-ID", "X-Request-ID"} <= set(headers["earlyRequestHeaders"]["remove"])
    assert "Server" in headers["lateResponseHeaders"]["remove"]


@pytest.mark.req("C5.1")
def test_every_call_needs_a_key_which_the_service_never_sees(gateway: Recorder) -> None:
    spec = objects(gateway, "SecurityPolicy")["gateway"]["spec"]
    assert spec["targetRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway"}]
    assert spec["apiKeyAuth"]["sanitize"] is True
    assert spec["apiKeyAuth"]["credentialRefs"][0]["name"] == "gateway-keys"
    assert samples.KEY not in json.dumps([item.inputs for item in gateway.registrations()])


def test_each_client_has_its_own_rate_limit() -> None:
    clients = {"b": {"requests_per_minute": 5}, "a": {"requests_per_minute": 7}}
    keys = {"a": samples.KEY, "b": samples.OTHER_KEY}
    found = made(Gateway, "gateway", samples.gateway(clients=clients, keys=keys))
    rules = objects(found, "BackendTrafficPolicy")["gateway"]["spec"]["rateLimit"]["local"]["rules"]
    assert [(rule["clientSelectors"][0]["headers"][0]["value"], rule["limit"]["requests"]) for rule in rules] == [
        ("a", 7),
        ("b", 5),
    ]


@pytest.mark.req("C7.2", "C7.4")
def test_backends_are_spared_and_nothing_is_repeated_that_may_have_been_done(gateway: Recorder) -> None:
    spec = objects(gateway, "BackendTrafficPolicy")["gateway"]["spec"]
    assert spec["healthCheck"]["passive"]["alwaysEjectOneEndpoint"] is True
    assert spec["circuitBreaker"]["retryBudget"]["percent"]["numerator"] == 20
    assert set(spec["retry"]["retryOn"]["triggers"]) == {"connect-failure", "refused-stream", "reset-before-request"}
    assert "httpStatusCodes" not in spec["retry"]["retryOn"]
    idle = spec["timeout"]["http"]["connectionIdleTimeout"]
    assert int(idle.removesuffix("s")) < inspect.signature(uvicorn.run).parameters["timeout_keep_alive"].default
    assert objects(gateway, "EnvoyProxy")["gateway"]["spec"]["mergeBackends"] == {}


def test_everything_of_the_gateway_fits_the_schema_of_its_kind(gateway: Recorder) -> None:
    own = [item for item in gateway.registrations() if item.type.startswith("kubernetes:")]
    assert {item.type.rpartition(":")[2] for item in own} >= {"EnvoyProxy", "Gateway", "SecurityPolicy"}
    assert {item.name: found for item in own if (found := schemas.problems(item.inputs))} == {}


def test_the_offline_check_knows_the_rules_of_envoy_gateway(gateway: Recorder) -> None:
    policy = json.loads(json.dumps(objects(gateway, "SecurityPolicy")["gateway"]))
    policy["spec"]["targetRefs"][0]["kind"] = "Service"
    policy["spec"]["apiKeyAuth"]["extractFrom"][0]["params"] = ["key"]
    complaints = "\n".join(schemas.problems(policy))
    assert "kind of Gateway" in complaints
    assert "exactly one of headers, params, or cookies" in complaints


def test_weights_go_to_the_services_in_the_order_given() -> None:
    pods = {"app": "x"}
    backends = [
        {"service": "stable", "port": 8080, "pods": pods, "weight": 90},
        {"service": "canary", "port": 8081, "pods": pods, "weight": 10},
    ]
    found = made(Route, "notes", samples.route(backends=backends, moving_weights=True))
    (rule,) = objects(found, "HTTPRoute")["notes"]["spec"]["rules"]
    assert [(item["name"], item["port"], item["weight"]) for item in rule["backendRefs"]] == [
        ("stable", 8080, 90),
        ("canary", 8081, 10),
    ]
    (route,) = [item for item in found.registrations() if item.type.endswith(":HTTPRoute")]
    assert route.inputs["metadata"]["annotations"]["pulumi.com/patchForce"] == "true"
    flows = [item.inputs["spec"] for item in found.registrations() if item.type.endswith(":NetworkPolicy")]
    assert sorted(port["port"] for spec in flows for rule in spec.get("egress", []) for port in rule["ports"]) == [
        8080,
        8081,
    ]


def test_a_route_with_its_own_number_of_tries_lays_it_over_the_gateways_policy() -> None:
    assert objects(made(Route, "notes", samples.route()), "BackendTrafficPolicy") == {}
    found = made(Route, "notes", samples.route(retries=0))
    policy = objects(found, "BackendTrafficPolicy")["notes"]
    assert policy["spec"]["mergeType"] == "StrategicMerge"
    assert policy["spec"]["retry"]["numRetries"] == 0
    own = [item for item in found.registrations() if item.type.startswith("kubernetes:")]
    assert {item.name: problems for item in own if (problems := schemas.problems(item.inputs))} == {}


@pytest.mark.req("C5.1", "C1.3")
@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"keys": {"operator": "short"}}, "clients.operator: its API key has 5 characters"),
        (
            {
                "clients": {"a": {"requests_per_minute": 1}, "b": {"requests_per_minute": 1}},
                "keys": {"a": samples.KEY, "b": samples.KEY},
            },
            "clients a, b have the same API key",
        ),
        ({"hosts": ["other.example.test"]}, "'other.example.test' is not under the certificate"),
        ({"hosts": ["*.example.test"]}, "is no full DNS name"),
        ({"hosts": []}, "hosts is empty"),
        ({"clients": {"operator": {"requests_per_minute": 0}}}, "requests_per_minute of client 'operator'=0"),
        ({"clients": {}, "keys": {}}, "0 clients"),
        ({"keys": {"stranger": samples.KEY}}, "keys are for stranger, clients are operator"),
        ({"image": "envoy:latest"}, "has no digest"),
        ({"tls_min_version": "1.0"}, "must be '1.2' or '1.3'"),
        ({"accepts_from": [{"name": "all", "cidrs": []}]}, "would allow everything"),
    ],
)
def test_a_gateway_that_could_not_protect_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match="Gateway 'gateway'") as caught:  # the SDK's around ours where it is a late one
        made(Gateway, "gateway", samples.gateway(**changes))
    assert complaint in str(caught.value)


def test_all_problems_of_a_gateway_are_told_together() -> None:
    problems = gateway_problems("gateway", samples.gateway(hosts=["x"], replicas=0, memory_mib=1))
    assert len(problems) >= 4


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"backends": []}, "backends is empty"),
        ({"backends": [{"service": "a", "port": 80, "pods": {"x": "y"}, "weight": 0}]}, "all weights are 0"),
        ({"backends": [{"service": "a", "port": 0, "pods": {"x": "y"}}]}, "outside 1..65535"),
        ({"backends": [{"service": "a", "port": 80, "pods": {}}]}, "without labels"),
        ({"backends": [{"service": "a", "port": 80, "pods": {"x": "y"}, "weight": -1}]}, "weight of backend 'a'=-1"),
        ({"path": "notes"}, "must start with '/'"),
        ({"retries": 9}, "retries=9 is outside 0..5"),
        ({"hosts": ["a.example.test", "a.example.test"]}, "more than once"),
    ],
)
def test_a_route_that_leads_nowhere_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError, match="Route 'notes'") as caught:
        made(Route, "notes", samples.route(**changes))
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"namespaces": []}, "namespaces is empty"),
        ({"image": "envoyproxy/gateway:v1.9.1"}, "has no digest"),
        ({"replicas": 0}, "replicas=0"),
        ({"api_server_cidrs": []}, "api_server_cidrs"),
    ],
)
def test_a_controller_that_could_not_work_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError, match="GatewayController 'controller'") as caught:
        made(GatewayController, "controller", samples.controller(**changes))
    assert complaint in str(caught.value)


@given(st.lists(st.integers(0, 1_000_000), min_size=1, max_size=8))
def test_weights_are_accepted_exactly_when_a_call_can_go_somewhere(weights: list[int]) -> None:
    backends = [
        {"service": f"s{number}", "port": 80, "pods": {"x": "y"}, "weight": weight}
        for number, weight in enumerate(weights)
    ]
    assert (route_problems("r", samples.route(backends=backends)) == []) == (sum(weights) > 0)


@pytest.mark.parametrize(
    ("certificate", "host", "good"),
    [
        ("api.example.test", "api.example.test", True),
        ("*.example.test", "api.example.test", True),
        ("*.example.test", "a.b.example.test", False),
        ("*.example.test", "example.test", False),
        ("api.example.test", "api2.example.test", False),
    ],
)
def test_a_star_in_a_certificate_stands_for_one_label(certificate: str, host: str, good: bool) -> None:
    assert covers(certificate, host) is good


@pytest.mark.req("C4.7")
def test_the_controllers_namespace_has_room_for_its_pods_and_all_proxies_and_no_more(controller: Recorder) -> None:
    hard = objects(controller, "ResourceQuota")["quota"]["spec"]["hard"]
    assert hard["pods"] == "5"  # a controller and one while it rolls, the certificate Job, two proxies
    assert hard["limits.memory"] == f"{2 * 200 + 64 + 2 * (160 + 64)}Mi"
    assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"
    balanced = made(GatewayController, "c", samples.controller(load_balancers=1))
    assert objects(balanced, "ResourceQuota")["quota"]["spec"]["hard"]["services.loadbalancers"] == "1"


CORS: dict[str, Any] = {"origins": ["https://app.example.test"], "methods": ["GET", "POST"]}


@pytest.mark.req("C5.7", "V18")
def test_pages_of_other_origins_may_call_only_where_they_are_named(gateway: Recorder) -> None:
    assert "cors" not in objects(gateway, "SecurityPolicy")["gateway"]["spec"]
    cors = {**CORS, "headers": ["X-API-Key"], "max_age_seconds": 600}
    policy = objects(made(Gateway, "gateway", samples.gateway(cors=cors)), "SecurityPolicy")["gateway"]
    assert policy["spec"]["cors"] == {
        "allowOrigins": ["https://app.example.test"],
        "allowMethods": ["GET", "POST"],
        "allowHeaders": ["X-API-Key"],
        "exposeHeaders": [],
        "allowCredentials": False,
        "maxAge": "600s",
    }
    assert "apiKeyAuth" in policy["spec"], "a page needs a key like everybody"
    assert schemas.problems(policy) == []


@pytest.mark.parametrize(
    ("cors", "said"),
    [
        ({**CORS, "origins": []}, "cors needs at least one origin and one method; leave it out to allow none"),
        ({**CORS, "methods": []}, "cors needs at least one origin and one method; leave it out to allow none"),
        (
            {**CORS, "origins": ["https://app.example.test/x"]},
            "cors: 'https://app.example.test/x' is no origin; use scheme, host and port, "
            "for example https://app.example.test",
        ),
        (
            {**CORS, "origins": ["*"], "credentials": True},
            "cors: credentials cannot go together with the origin '*'; name the origins",
        ),
        ({**CORS, "max_age_seconds": 86_401}, "cors.max_age_seconds=86401 is outside 1..86400"),
    ],
)
def test_an_opening_for_pages_that_cannot_be_is_refused(cors: dict[str, Any], said: str) -> None:
    assert gateway_problems("gateway", samples.gateway(cors=cors)) == [said]


@pytest.mark.req("C5.4")
def test_some_headers_of_replies_can_be_chosen_and_the_others_cannot() -> None:
    chosen = samples.gateway(reply_headers={"X-Frame-Options": "SAMEORIGIN"})
    policy = objects(made(Gateway, "gateway", chosen), "ClientTrafficPolicy")["gateway"]
    late = {item["name"]: item["value"] for item in policy["spec"]["headers"]["lateResponseHeaders"]["set"]}
    assert (late["X-Frame-Options"], late["X-Content-Type-Options"]) == ("SAMEORIGIN", "nosniff")
    assert late["Referrer-Policy"] == "no-referrer", "what is not chosen stays strict"
    (said,) = gateway_problems("gateway", samples.gateway(reply_headers={"X-Content-Type-Options": "x"}))
    assert said.startswith("reply_headers: 'X-Content-Type-Options' cannot be changed; X-Frame-Options, ")
    (said,) = gateway_problems("gateway", samples.gateway(reply_headers={"Referrer-Policy": "a\nb"}))
    assert said == "reply_headers: the value of 'Referrer-Policy' is empty or no plain ASCII text"


@pytest.mark.req("C5.2")
def test_a_route_has_limits_of_its_own_where_they_are_given() -> None:
    assert "BackendTrafficPolicy" not in {
        item.type.rpartition(":")[2] for item in made(Route, "notes", samples.route()).registrations()
    }
    found = made(Route, "notes", samples.route(limits={"operator": 30}, retries=0))
    (policy,) = objects(found, "BackendTrafficPolicy").values()
    assert policy["spec"]["mergeType"] == "StrategicMerge"
    (rule,) = policy["spec"]["rateLimit"]["local"]["rules"]
    assert rule["limit"] == {"requests": 30, "unit": "Minute"}
    assert policy["spec"]["retry"]["numRetries"] == 0
    assert schemas.problems(policy) == []


def test_limits_of_a_route_are_bounded() -> None:
    assert route_problems("notes", samples.route(limits={"operator": 0})) == [
        "limit of client 'operator'=0 is outside 1..600000"
    ]
    many = {f"client-{number}": 1 for number in range(16)}
    assert route_problems("notes", samples.route(limits=many)) == ["limits of 16 clients; at most 15 are possible"]
