"""MCP endpoints: each rule alone with its words, and the document that programs get."""

from __future__ import annotations

import json
from typing import Any

import pytest
from omnibase_infra.config import StackConfig, load
from omnibase_infra.config.addresses import Reached
from omnibase_infra.config.mcp import mcp_document

from tests.unit.components.test_config_rules import complaint, settings

AUTH = {"secret": "receipt-key"}
OWN: dict[str, Any] = {"service": "reference"}
OUTSIDE: dict[str, Any] = {"url": "https://mcp.example.test/mcp", "cidrs": ["198.51.100.0/24"]}
PROGRAM: dict[str, Any] = {"command": ["/usr/bin/tools", "--stdio"], "transport": "stdio"}
ADDRESSES = {"reference": "reference.omnibase-dev.svc.cluster.local"}


def loaded(stack: str = "dev", **endpoints: dict[str, Any]) -> StackConfig:
    return load(stack, settings(stack, mcp__endpoints=endpoints), {}).config


def problem(path: str, endpoint: dict[str, Any], stack: str = "dev") -> str:
    """What is said of a key of an endpoint `tools`."""
    at = f"mcp.endpoints.tools{path}"
    text = complaint(stack, at, mcp__endpoints={"tools": endpoint})
    return text.removeprefix(f"Pulumi.{stack}.yaml: {at} = ")


@pytest.mark.parametrize("endpoint", [OWN, OUTSIDE, PROGRAM])
def test_an_endpoint_is_a_service_an_address_or_a_program(endpoint: dict[str, Any]) -> None:
    assert loaded(tools=endpoint).mcp.enabled
    assert not loaded().mcp.enabled


@pytest.mark.req("C1.6")
@pytest.mark.parametrize(
    ("endpoint", "received"),
    [({}, "nothing"), ({**OWN, **OUTSIDE}, "service and url"), ({**OWN, **PROGRAM}, "service and command")],
)
def test_an_endpoint_is_at_exactly_one_place(endpoint: dict[str, Any], received: str) -> None:
    said = f"{received}: exactly one of service, url and command is required; keep one"
    assert problem("", endpoint) == said


@pytest.mark.req("C1.6", "V18")
@pytest.mark.parametrize(
    ("path", "endpoint", "said"),
    [
        (
            ".cidrs",
            {"url": "https://mcp.example.test/mcp"},
            "[]: is required with url: default-deny stops every call; "
            "name its networks, or 0.0.0.0/0 knowing that its callers then reach everything on that port",
        ),
        (
            ".cidrs",
            {**OWN, "cidrs": ["192.0.2.0/24"]},
            "a value: belongs to `url`, the endpoint has `service`; remove it",
        ),
        (".port", {**OUTSIDE, "port": 80}, "a value: belongs to `service`, the endpoint has `url`; remove it"),
        (".path", {**PROGRAM, "path": "/x"}, "a value: belongs to `service`, the endpoint has `command`; remove it"),
        (".server", {**OUTSIDE, "server": {}}, "a value: belongs to `service`, the endpoint has `url`; remove it"),
        (
            ".transport",
            {**OWN, "transport": "stdio"},
            "stdio: does not fit an endpoint with `service`; set transport to streamable_http",
        ),
        (
            ".transport",
            {"command": ["x"]},
            "streamable_http: does not fit an endpoint with `command`; set transport to stdio",
        ),
        (
            ".exposure",
            {**OUTSIDE, "exposure": "ingress", "auth": AUTH},
            "ingress: is for services of this stack: only these have a route; set exposure to internal",
        ),
        (
            ".auth",
            {**PROGRAM, "auth": AUTH},
            "a secret: has no meaning for a program in the caller's own pod; remove it",
        ),
        (
            ".tool_timeouts.search",
            {**OWN, "tool_timeouts": {"search": "31s"}},
            "31s: may be at most the endpoint's 30s; raise timeout of the endpoint, or lower this one",
        ),
        (
            ".rate_limit.burst",
            {**OWN, "rate_limit": {"requests_per_minute": 10, "burst": 11}},
            "11: may be at most requests_per_minute = 10; lower it",
        ),
        (
            ".auth",
            {**OWN, "exposure": "ingress", "path": "/notes/mcp"},
            "nothing: is required for exposure 'ingress'; whoever has a key of the gateway could run every tool",
        ),
        (
            ".auth.header",
            {**OWN, "exposure": "ingress", "path": "/notes/mcp", "auth": {**AUTH, "header": "X-API-Key"}},
            "X-API-Key: is the gateway's own, which it takes off every call; use X-MCP-API-Key",
        ),
        (
            ".auth.secret",
            {**OUTSIDE, "auth": {"secret": "receipt-kei"}},
            "receipt-kei: is not among secrets.entries; did you mean 'receipt-key'?",
        ),
        (
            ".url",
            {**OUTSIDE, "url": "http://localhost:8090/mcp"},
            "http://localhost:8090/mcp: is the loopback: in a pod that is the pod itself; "
            "name a service of the stack, or the address by which pods reach it",
        ),
        (
            ".server.contracts_dir",
            {**OWN, "server": {"dev_mode": True}},
            "nothing: belongs to dev_mode, and dev_mode needs it; set both or none",
        ),
        (
            ".server.contracts_dir",
            {**OWN, "server": {"contracts_dir": "/contracts"}},
            "/contracts: belongs to dev_mode, and dev_mode needs it; set both or none",
        ),
        (".service", {"service": "referense"}, "referense: is not a service of this stack; did you mean 'reference'?"),
        (".port", {**OWN, "port": 8090}, "8090: is no port of service 'reference' (8080); declare it there"),
        (
            ".exposure",
            {**OWN, "exposure": "ingress", "auth": AUTH},
            "ingress: needs a route of the gateway to that path; "
            "add gateway.routes.<name> with `service: reference` and `path: /mcp`",
        ),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused_in_words(path: str, endpoint: dict[str, Any], said: str) -> None:
    assert problem(path, endpoint) == said


@pytest.mark.req("C1.4", "P12")
def test_the_service_behind_an_endpoint_has_the_key_to_check_callers_with() -> None:
    at = "mcp.endpoints.tools.auth.secret"
    text = complaint(
        "dev",
        at,
        mcp__endpoints={"tools": {**OWN, "auth": {"secret": "tools-key"}}},
        **{"secrets__entries__tools-key": {"source": "generated"}},
    )
    said = "is not given to service 'reference', which checks it; add it to services.reference.secrets"
    assert text == f"Pulumi.dev.yaml: {at} = tools-key: {said}"


def test_the_service_behind_an_endpoint_has_a_port() -> None:
    worker = {"image": "reference", "health": {"command": ["/bin/true"]}}
    at = "mcp.endpoints.tools.port"
    text = complaint("dev", at, mcp__endpoints={"tools": {"service": "worker"}}, services__worker=worker)
    assert text == f"Pulumi.dev.yaml: {at} = nothing: is no port of service 'worker' (it has none); declare it there"


@pytest.mark.req("P4")
def test_two_endpoints_are_not_at_one_place() -> None:
    said = "8080: is taken: endpoint 'first' is at reference:8080/mcp too; give it another port or path"
    text = complaint("dev", "mcp.endpoints.tools.port", mcp__endpoints={"first": OWN, "tools": OWN})
    assert text == f"Pulumi.dev.yaml: mcp.endpoints.tools.port = {said}"
    loaded(tools=OWN, other={**OWN, "path": "/other"})


@pytest.mark.req("V17")
@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_clear_text_does_not_leave_staging_and_prod(stack: str) -> None:
    plain = {**OUTSIDE, "url": "http://mcp.example.test/mcp"}
    said = f"http://mcp.example.test/mcp: must be https in {stack}; keys and arguments would be clear text"
    assert problem(".url", plain, stack) == said
    loaded(tools=plain)


@pytest.mark.req("V18")
@pytest.mark.parametrize("stack", ["test", "staging", "prod"])
def test_dev_mode_stays_in_dev(stack: str) -> None:
    endpoint = {**OWN, "server": {"dev_mode": True, "contracts_dir": "/contracts"}}
    said = f"true: must be false in {stack}; it runs whatever lies in a directory"
    assert problem(".server.dev_mode", endpoint, stack) == said
    loaded(tools=endpoint)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("timeout", "0s", "must be a time span such as 30s, 15m, 12h or 30d"),
        ("timeout", "301s", "must be from 1s to 300s"),
        ("timeout", 30, "should be a valid string"),
        ("retries", 11, "should be less than or equal to 10"),
        ("port", 65_536, "should be less than or equal to 65535"),
        ("path", "mcp", "must be the path of a request such as /health"),
        ("url", "mcp.example.test", "must be an address such as https://llm.example.test/v1"),
        ("url", "https://user:word@mcp.example.test/mcp", "without user and password"),
        ("cidrs", ["192.0.2.0/33"], "must be a network in CIDR form"),
        ("transport", "http", "must be one of streamable_http, sse, stdio"),
        ("exposure", "public", "must be one of internal, ingress"),
        ("max_tools", 0, "should be greater than or equal to 1"),
        ("excluded_tags", ["Not A Tag"], "should match pattern"),
        ("header", "X-Key", "is an unknown key"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_at_its_field(field: str, value: object, said: str) -> None:
    at = f".{field}" if not isinstance(value, list) else f".{field}.0"
    assert said in problem(at, {**OWN, field: value})


def test_prod_waits_half_as_long_as_dev_unless_told() -> None:
    assert loaded("dev", tools=OWN).mcp.timeout == "30s"
    assert loaded("prod", tools=OWN).mcp.timeout == "15s"
    document = mcp_document(loaded("prod", tools={**OWN, "timeout": "20s"}, other=OUTSIDE), ADDRESSES)
    assert {name: each["timeout_seconds"] for name, each in document["endpoints"].items()} == {"tools": 20, "other": 15}


@pytest.mark.req("C1.6", "C1.12", "P7")
def test_the_document_has_the_addresses_of_what_was_deployed() -> None:
    exposed = {**OWN, "path": "/notes/mcp", "exposure": "ingress", "auth": AUTH, "server": {}}
    config = loaded(tools=exposed, outside=OUTSIDE, program=PROGRAM)
    document = mcp_document(config, ADDRESSES)
    assert document["schema"] == "omnibase.mcp/1"
    assert list(document["endpoints"]) == ["outside", "program", "tools"]
    tools = document["endpoints"]["tools"]
    assert tools["url"] == "http://reference.omnibase-dev.svc.cluster.local:8080/notes/mcp"
    assert tools["health_url"] == "http://reference.omnibase-dev.svc.cluster.local:8080/health"
    assert tools["public_url"] == "https://api.omnibase.test/notes/mcp"
    assert tools["auth"] == {"type": "api-key", "header": "X-MCP-API-Key", "secret": "receipt-key"}
    assert tools["server"]["registry_query_limit"] == 100
    assert document["endpoints"]["outside"]["health_url"] == "https://mcp.example.test/health"
    assert document["endpoints"]["program"]["command"] == PROGRAM["command"]
    assert json.loads(json.dumps(document)) == document, "plain values only"


def test_a_bearer_comes_in_the_header_of_that_name() -> None:
    document = mcp_document(loaded(tools={**OWN, "auth": {**AUTH, "type": "bearer"}}), ADDRESSES)
    assert document["endpoints"]["tools"]["auth"]["header"] == "Authorization"


@pytest.mark.req("P7")
def test_no_document_is_made_with_an_address_that_nobody_has() -> None:
    with pytest.raises(LookupError, match=r"mcp\.endpoints\.tools\.service: service 'reference' has no address; "):
        mcp_document(loaded(tools=OWN), {})


@pytest.mark.req("C7.1")
def test_what_readers_call_is_known_for_the_network() -> None:
    config = loaded(tools=OWN, second={**OWN, "path": "/second"}, outside=OUTSIDE, program=PROGRAM)
    assert config.mcp.reached(config.services) == [
        Reached(port=443, cidrs=("198.51.100.0/24",)),
        Reached(service="reference", port=8080),
    ]
