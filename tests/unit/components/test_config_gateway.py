"""Settings of the edge: each cause alone, both sides of each boundary."""

from __future__ import annotations

from typing import Any

import pytest
from omnibase_infra.config import load, required_images
from omnibase_infra.config.gateway import MOST_CLIENTS, MOST_REQUESTS_PER_MINUTE

from tests.unit.components.test_config_rules import complaint, settings


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_staging_and_prod_cannot_be_without_a_gateway_and_dev_can(stack: str) -> None:
    assert f"must be true in {stack}" in complaint(stack, "gateway.enabled", gateway__enabled=False)
    given = settings("dev", gateway__enabled=False, services__reference__rollout__enabled=False)
    config = load("dev", given, {}).config
    assert not required_images(config) & {"envoy", "envoy-gateway"}


def test_a_stack_whose_controller_is_anothers_needs_only_the_proxys_image() -> None:
    config = load("dev", settings("dev", gateway__controller__install=False), {}).config
    assert required_images(config) & {"envoy", "envoy-gateway"} == {"envoy"}


@pytest.mark.req("C1.3", "V24")
def test_a_route_leads_to_a_service_of_the_stack() -> None:
    text = complaint("dev", "gateway.routes.notes.service", gateway__routes__notes__service="referense")
    assert "is not a service of this stack" in text
    assert "did you mean 'reference'?" in text


@pytest.mark.req("C1.3")
def test_a_route_leads_to_a_port_of_requests() -> None:
    ports = {"rest": 8080, "admin": 9090}
    changes = {"services__reference__ports": ports, "services__reference__health": {"command": ["true"]}}
    assert "has no port of requests" in complaint("dev", "gateway.routes.notes.service", **changes)


def test_two_routes_have_two_paths() -> None:
    routes = {name: {"service": "reference", "path": "/notes"} for name in ("one", "two")}
    assert "path of another route" in complaint("dev", "gateway.routes.two.path", gateway__routes=routes)


def test_a_route_has_not_the_name_of_a_service() -> None:
    routes = {"reference": {"service": "reference", "path": "/notes"}}
    assert "name of its own" in complaint("dev", "gateway.routes.reference", gateway__routes=routes)


@pytest.mark.req("C5.2", "V18")
@pytest.mark.parametrize("number", [0, 600_001])
def test_a_rate_limit_of_nothing_or_without_end_is_refused(number: int) -> None:
    path = "gateway.clients.operator.requests_per_minute"
    assert "should be" in complaint("dev", path, gateway__clients__operator__requests_per_minute=number)


@pytest.mark.req("C1.8")
def test_prod_has_a_floor_that_its_stack_file_cannot_lower() -> None:
    path, limit = "gateway.clients.partner.requests_per_minute", MOST_REQUESTS_PER_MINUTE
    assert "at most" in complaint("prod", path, gateway__clients__partner__requests_per_minute=limit + 1)
    load("prod", settings("prod", gateway__clients__partner__requests_per_minute=limit), {})


@pytest.mark.req("C5.7")
@pytest.mark.parametrize(
    "host", ["*.example.test", "localhost", "API.example.test", "https://a.example.test", "a..test"]
)
def test_hosts_are_full_names_without_wildcard(host: str) -> None:
    assert "must be a full DNS name" in complaint("dev", "gateway.hosts.0", gateway__hosts=[host])


def test_hosts_and_clients_are_needed() -> None:
    assert "at least one name" in complaint("dev", "gateway.hosts", gateway__hosts=[])
    assert "at least one client" in complaint("prod", "gateway.clients", gateway__clients={})
    many = {f"client-{number}": {"requests_per_minute": 1} for number in range(MOST_CLIENTS + 1)}
    assert f"at most {MOST_CLIENTS}" in complaint("dev", "gateway.clients", gateway__clients=many)


def test_who_is_reached_from_outside_says_by_whom() -> None:
    text = complaint("prod", "gateway.client_cidrs", gateway__client_cidrs=[])
    assert "required for exposure 'load-balancer'" in text
    load("prod", settings("prod", gateway__client_cidrs=[], gateway__exposure="cluster"), {})


@pytest.mark.req("C3.3")
@pytest.mark.parametrize("part", ["proxy", "controller"])
def test_one_pod_is_too_few_in_staging_and_prod(part: str) -> None:
    changes: dict[str, Any] = {f"gateway__{part}__replicas": 1}
    assert "single point of failure" in complaint("staging", f"gateway.{part}.replicas", **changes)


def test_tls_older_than_1_2_cannot_be_said() -> None:
    assert "1.2" in complaint("dev", "gateway.tls_min_version", gateway__tls_min_version="1.1")


def test_there_is_no_gateway_without_certificates() -> None:
    text = complaint("dev", "gateway.enabled", certificates__enabled=False)
    assert "speaks TLS only" in text
