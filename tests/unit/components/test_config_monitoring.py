"""Settings of monitoring: what contradicts itself is found before anything is made."""

from __future__ import annotations

import pytest
from omnibase_infra.config import load, required_images
from omnibase_infra.config.monitoring import PrometheusConfig

from tests.unit.components.test_config_rules import complaint, settings

URL = "https://alerts.example.test/hook"


@pytest.mark.req("V20")
@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_monitoring_cannot_be_switched_off_where_it_is_promised(stack: str) -> None:
    assert f"must be true in {stack}" in complaint(stack, "monitoring.enabled", monitoring__enabled=False)
    load("dev", settings("dev", monitoring__enabled=False, services__reference__rollout__enabled=False), {})


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_there_are_copies_where_an_outage_must_not_go_unseen(stack: str) -> None:
    text = complaint(stack, "monitoring.prometheus.replicas", monitoring__prometheus__replicas=1)
    assert "must be at least 2" in text
    text = complaint(stack, "monitoring.alertmanager.replicas", monitoring__alertmanager__replicas=2)
    assert "must be at least 3" in text


def test_a_retention_that_the_volume_cannot_hold_is_refused_with_both_sizes() -> None:
    text = complaint("dev", "monitoring.prometheus.retention_days", monitoring__prometheus__retention_days=30)
    assert "20000 series every 10 s need 10.3 GiB for 30 days, prometheus.storage_gib is 2" in text


def test_the_needed_disk_grows_with_series_time_and_readings() -> None:
    base = {
        "replicas": 1, "scrape_seconds": 30, "retention_days": 10, "expected_series": 100_000, "storage_gib": 100,
        "cpu_request_millis": 1, "memory_mib": 128,
    }  # fmt: skip
    needed = PrometheusConfig(**base).needed_gib
    for changes in ({"retention_days": 20}, {"expected_series": 200_000}, {"scrape_seconds": 15}):
        assert PrometheusConfig(**{**base, **changes}).needed_gib == pytest.approx(2 * needed)


def test_prod_sends_alerts_out_of_the_cluster() -> None:
    path = "monitoring.receiver.secret_url"
    assert "is required in prod" in complaint("prod", path, monitoring__receiver={})
    load("staging", settings("staging", monitoring__receiver={}), {})


def test_a_receiver_outside_says_its_networks() -> None:
    changes = {"monitoring__receiver": {"secret_url": URL}}
    assert "default-deny stops every alert" in complaint("dev", "monitoring.receiver.cidrs", **changes)
    alone = {"monitoring__receiver": {"cidrs": ["192.0.2.1/32"]}}
    assert "belongs to receiver.secret_url" in complaint("dev", "monitoring.receiver.cidrs", **alone)


@pytest.mark.parametrize("url", ["alerts.example.test/canary", "ftp://alerts.example.test/canary", "https:///x"])
def test_an_address_that_is_none_is_refused_without_being_shown(url: str) -> None:
    text = complaint("dev", "monitoring.receiver.secret_url", monitoring__receiver={"secret_url": url, "cidrs": []})
    assert "must be an http(s) address" in text
    assert "canary" not in text


def test_alerts_of_staging_and_prod_travel_encrypted() -> None:
    receiver = {"secret_url": "http://alerts.example.test", "cidrs": ["192.0.2.1/32"]}
    assert "must be https" in complaint("prod", "monitoring.receiver.secret_url", monitoring__receiver=receiver)


def test_an_unknown_severity_names_the_known_ones() -> None:
    path = "monitoring.alertmanager.lowest_severity"
    text = complaint("dev", path, monitoring__alertmanager__lowest_severity="criticl")
    assert "must be one of critical, warning; did you mean 'critical'?" in text


def test_the_quota_holds_what_is_declared() -> None:
    assert "must be at least" in complaint("dev", "monitoring.quota.memory_mib", monitoring__quota__memory_mib=256)
    assert "must be at least" in complaint("dev", "monitoring.quota.storage_gib", monitoring__quota__storage_gib=1)


@pytest.mark.parametrize("holder", ["operator", "workload_exporter"])
def test_a_permission_that_ended_stops_everything(holder: str) -> None:
    changes = {f"monitoring__{holder}__waiver__until": "2020-01-01"}
    assert "ended on 2020-01-01" in complaint("dev", f"monitoring.{holder}.waiver.until", **changes)


def test_the_workload_exporter_counts_in_the_quota_and_has_a_least_size() -> None:
    more = {"monitoring__workload_exporter__memory_mib": 1024}
    assert "must be at least" in complaint("dev", "monitoring.quota.memory_mib", **more)
    less = {"monitoring__workload_exporter__memory_mib": 8}
    assert "32" in complaint("dev", "monitoring.workload_exporter.memory_mib", **less)


def test_the_node_exporter_needs_the_agents_namespace() -> None:
    text = complaint("dev", "agents.enabled", agents__enabled=False)
    assert "monitoring has a node exporter on each node" in text


def test_the_receiver_in_the_cluster_is_an_image_only_where_it_is_used() -> None:
    assert "alert-receiver" in required_images(load("dev", settings("dev"), {}).config)
    assert "alert-receiver" not in required_images(load("prod", settings("prod"), {}).config)


def test_the_receivers_address_is_shown_by_no_dump_of_the_settings() -> None:
    config = load("prod", settings("prod"), {}).config
    assert config.monitoring.receiver.secret_url is not None
    assert "alerts.example.test" not in str(config.model_dump(mode="json"))
    assert "alerts.example.test" not in repr(config)
