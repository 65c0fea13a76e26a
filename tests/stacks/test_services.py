"""Services of every shape, as the platform makes them: kinds, order, arrows, probes, documents."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from tests.stacks.support import stacks
from tests.stacks.support.fleet import MCP, fleet, record_prod
from tests.stacks.support.recorder import Recorder, Registration

SPACE = "omnibase-prod"


@functools.cache
def recorder() -> Recorder:
    return record_prod(fleet(45), mcp=MCP)


@functools.cache
def found() -> dict[str, Registration]:
    """Resources by name; names of components and of their children differ."""
    return {item.name: item for item in recorder().registrations()}


def pod(name: str) -> dict[str, Any]:
    template: dict[str, Any] = found()[f"{name}-workload"].inputs["spec"]["template"]
    return template


def container(name: str) -> dict[str, Any]:
    only: dict[str, Any] = pod(name)["spec"]["containers"][0]
    return only


def document(name: str, file: str) -> Any:  # noqa: ANN401 -- JSON
    (settings,) = [item for key, item in found().items() if key.startswith(f"{name}-settings-")]
    return json.loads(settings.inputs["data"][file])


@pytest.mark.req("C4.9")
def test_each_of_45_services_is_a_real_workload_of_its_kind() -> None:
    kinds = {"service": "Deployment", "stateful": "StatefulSet", "job": "Job"}
    for name, service in fleet(45).items():
        assert found()[f"{name}-workload"].inputs["kind"] == kinds[service.get("kind", "service")], name


def test_a_service_waits_for_what_must_be_healthy_or_completed_and_not_for_what_must_be_started() -> None:
    waits = set(found()["web-1"].dependencies)
    assert found()["prepare-workload"].urn in waits
    assert found()["web-0-workload"].urn in waits
    assert found()["store-workload"].urn not in waits


@pytest.mark.req("C4.7", "V9")
def test_a_call_is_one_arrow_of_the_caller_to_all_ports_of_the_called() -> None:
    arrow = found()["web-1-to-web-0"]
    assert arrow.parent.endswith(":HardenedWorkload::web-1")
    ingress = found()["web-1-to-web-0-ingress"].inputs["spec"]
    assert ingress["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "web-0"}}
    assert [port["port"] for port in ingress["ingress"][0]["ports"]] == [8080, 9090]
    outside = found()["web-1-to-egress-llm-egress"].inputs["spec"]["egress"][0]
    assert outside["to"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]


@pytest.mark.req("C1.12", "P7")
def test_addresses_of_called_services_are_given_and_never_typed() -> None:
    env = {item["name"]: item["value"] for item in container("web-1")["env"]}
    url = f"http://web-0.{SPACE}.svc.cluster.local:8080"
    assert env["WEB_1_WEB_0_URL"] == url
    assert document("web-1", "settings.json")["addresses"] == {"web-0": url}
    worker = {item["name"]: item["value"] for item in container("worker")["env"]}
    assert worker["WORKER_STORE_ADDRESS"] == f"store.{SPACE}.svc.cluster.local:6379"


@pytest.mark.req("P7", "C1.4")
def test_every_service_finds_its_settings_and_no_secret_in_one_document() -> None:
    for name, service in fleet(45).items():
        told = document(name, "settings.json")
        assert told["schema"] == "omnibase.settings/1"
        assert (told["service"], told["environment"]) == (name, "prod")
        assert told["settings"] == service.get("env", {})
        env = {item["name"]: item["value"] for item in container(name)["env"]}
        assert env[f"{name.upper().replace('-', '_')}_SETTINGS_FILE"] == "/etc/omnibase/settings.json"


@pytest.mark.req("C1.12", "P7")
def test_a_service_that_asks_for_them_gets_the_documents_with_addresses_of_what_is_deployed() -> None:
    endpoints = document("worker", "mcp.json")["endpoints"]
    assert endpoints["notes"]["url"] == f"http://web-0.{SPACE}.svc.cluster.local:8080/mcp"
    assert endpoints["elsewhere"]["url"] == "https://mcp.example.test/mcp"
    assert document("worker", "responders.json")["environment"] == "prod"
    assert document("worker", "security.json")["environment"] == "prod"
    env = {item["name"]: item["value"] for item in container("worker")["env"]}
    assert env["WORKER_MCP_FILE"] == "/etc/omnibase/mcp.json"
    (others,) = [item for key, item in found().items() if key.startswith("web-0-settings-")]
    assert list(others.inputs["data"]) == ["settings.json"]


@pytest.mark.req("C4.7")
def test_who_reads_a_document_may_reach_what_it_names() -> None:
    inside = found()["worker-to-web-0-egress"].inputs["spec"]["egress"][0]
    assert [port["port"] for port in inside["ports"]] == [8080]
    outside = found()["worker-to-documents-443-egress"].inputs["spec"]["egress"][0]
    assert outside["to"] == [{"ipBlock": {"cidr": "198.51.100.0/24"}}]


@pytest.mark.req("C4.4")
def test_a_health_check_that_others_can_break_decides_over_start_and_readiness_only() -> None:
    asked = container("web-0")
    assert asked["startupProbe"]["httpGet"]["path"] == "/health"
    assert asked["startupProbe"]["periodSeconds"] * asked["startupProbe"]["failureThreshold"] == 1800
    assert asked["readinessProbe"]["httpGet"]["path"] == "/health"
    assert asked["readinessProbe"]["periodSeconds"] == 30
    assert asked["livenessProbe"]["tcpSocket"] == {"port": "http"}


@pytest.mark.req("V22")
def test_a_stateful_service_is_protected_and_kept_in_prod() -> None:
    store = found()["store-workload"]
    assert (store.protect, store.retain) == (True, True)


@pytest.mark.req("V28")
def test_a_dated_permission_of_a_service_is_an_output_of_the_stack() -> None:
    waivers = stacks.stack_outputs(recorder())["waivers"]
    assert "its data is a cache" in {waiver["reason"] for waiver in waivers}


def test_the_layer_of_a_service_is_a_label_of_its_pods() -> None:
    assert pod("store")["metadata"]["labels"]["omnibase.io/layer"] == "infrastructure"
    assert pod("web-0")["metadata"]["labels"]["omnibase.io/layer"] == "runtime"
