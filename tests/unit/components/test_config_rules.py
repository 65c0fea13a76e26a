"""Rules between settings: each cause alone, both sides of each boundary."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.config import ConfigError, load, load_stack_file

ROOT = Path(__file__).resolve().parents[3]
PINNED = "@sha256:" + "a" * 64


def settings(stack: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    """The settings of a real stack with some of them changed; `None` removes one."""
    found = copy.deepcopy({**_dumped(stack), "environment": stack})
    for path, value in changes.items():
        level = found
        *heads, last = path.split("__")
        for head in heads:
            level = level[head.replace("_DASH_", "-")]
        if value is None:
            level.pop(last.replace("_DASH_", "-"))
        else:
            level[last.replace("_DASH_", "-")] = value
    if found["cluster"]["target"] == "local":
        found["cluster"].pop("api_server_cidrs", None)
    return found


@functools.cache
def _dumped(stack: str) -> dict[str, Any]:
    return load_stack_file(ROOT, stack, {}).config.model_dump(exclude_none=True)


def complaint(stack: str, path: str, **changes: Any) -> str:  # noqa: ANN401 -- values of a stack file
    with pytest.raises(ConfigError) as caught:
        load(stack, settings(stack, **changes), {})
    found: dict[str, str] = {}
    for problem in caught.value.problems:  # two rules may find fault with the same setting
        found[problem.path] = "\n".join(filter(None, (found.get(problem.path), str(problem))))
    assert path in found, found
    return found[path]


@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_the_real_stacks_break_no_rule(stack: str) -> None:
    load(stack, settings(stack), {})


def test_a_local_cluster_needs_no_context_and_an_existing_one_does() -> None:
    assert "belongs to target 'existing'" in complaint("dev", "cluster.context", cluster__context="x")
    assert "is required for target 'existing'" in complaint("prod", "cluster.context", cluster__context=None)


def test_an_existing_cluster_says_where_its_api_server_is() -> None:
    assert "default-deny" in complaint("prod", "cluster.api_server_cidrs", cluster__api_server_cidrs=[])


@pytest.mark.parametrize("network", ["10.1.0.0/24", "8.8.0.0/16", "fd00::/16"])
def test_a_local_network_is_a_private_16(network: str) -> None:
    assert "private IPv4 /16" in complaint("dev", "cluster.network", cluster__network=network)


def test_a_network_that_is_none_is_refused_by_the_field_itself() -> None:
    assert "CIDR" in complaint("dev", "cluster.network", cluster__network="10.1.0.0.0")


def test_an_unknown_local_instance_must_say_its_network() -> None:
    assert "instance 'mine'" in complaint("dev", "cluster.network", cluster__instance="mine")
    load("dev", settings("dev", cluster__instance="mine", cluster__network="10.215.0.0/16"), {})


@pytest.mark.req("C1.12")
def test_addresses_of_a_local_cluster_follow_from_its_network() -> None:
    cluster = load("dev", settings("dev", cluster__network="10.99.0.0/16"), {}).config.cluster
    assert cluster.api_server == ["10.99.0.2/32", "10.99.128.1/32"]
    assert cluster.operators == ["10.99.0.1/32"]
    assert cluster.kube_context == "omnibase-local"


def test_images_come_from_a_lock_or_from_a_list_but_not_from_both() -> None:
    assert "exactly one" in complaint("prod", "images", images__lock="local")
    assert "lock: local" in complaint("dev", "images", images__lock=None)


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "127.0.0.1", "localhost:5000", "localhost"])
def test_an_existing_cluster_does_not_pull_from_a_loopback_without_tls(host: str) -> None:
    reference = f"{host}/omnibase/reference:1{PINNED}"
    text = complaint("prod", "images.references.reference", images__references__reference=reference)
    assert "is the loopback of whatever node pulls it" in text


@pytest.mark.req("C1.3")
def test_a_service_names_an_image_that_exists() -> None:
    text = complaint("prod", "services.reference.image", services__reference__image="referense")
    assert "did you mean 'reference'?" in text


@pytest.mark.req("V4")
@pytest.mark.parametrize(
    "reference", ["registry.example.test/a/b:latest", "registry.example.test/a/b", "b@sha256:abc", f"b{PINNED}"]
)
def test_an_image_without_registry_and_digest_is_refused(reference: str) -> None:
    assert "by registry and digest" in complaint(
        "prod", "images.references.reference", images__references__reference=reference
    )


@pytest.mark.parametrize("tag", ["", ":latest", ":16.4"])
def test_the_tag_of_postgres_starts_with_its_major_version(tag: str) -> None:
    reference = f"registry.example.test/omnibase/postgres{tag}{PINNED}"
    assert "must be tagged 17" in complaint(
        "prod", "images.references.postgres", images__references__postgres=reference
    )


def test_synchronous_replication_needs_a_standby() -> None:
    text = complaint("dev", "postgres.synchronous_standbys", postgres__instances=1)
    assert "needs at least 2 instances, there are 1" in text
    load("dev", settings("dev", postgres__instances=1, postgres__synchronous_standbys=0), {})


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_staging_and_prod_keep_a_quorum(stack: str) -> None:
    assert "at least 3" in complaint(stack, "postgres.instances", postgres__instances=2)
    assert "at least 1" in complaint(stack, "postgres.synchronous_standbys", postgres__synchronous_standbys=0)
    assert "at least 2" in complaint(stack, "postgres.pooler.instances", postgres__pooler__instances=1)


@pytest.mark.req("C2.9", "V14")
def test_poolers_can_never_ask_for_more_connections_than_there_are() -> None:
    # 2 poolers x (1 + 1) pods x 11 = 44 of 60 - 15 = 45; with 12 it is 48
    load("dev", settings("dev", postgres__pooler__pool_size=11), {})
    text = complaint("dev", "postgres.pooler.pool_size", postgres__pooler__pool_size=12)
    assert "48 server connections exceed 45" in text


def test_a_service_uses_a_database_that_exists() -> None:
    text = complaint("dev", "services.reference.databases.referense", services__reference__databases={"referense": {}})
    assert "did you mean 'reference'?" in text


def test_the_application_role_is_not_the_owner() -> None:
    text = complaint(
        "dev", "postgres.databases.reference.app_role", postgres__databases__reference__app_role="reference_owner"
    )
    assert "is postgres.databases.reference.owner already" in text


@pytest.mark.req("V21")
def test_prod_does_not_log_at_debug() -> None:
    assert "INFO or higher" in complaint("prod", "services.reference.log_level", services__reference__log_level="DEBUG")


@pytest.mark.req("V7")
def test_prod_runs_more_than_one_copy() -> None:
    assert "at least 2" in complaint("prod", "services.reference.replicas", services__reference__replicas=1)
    assert "greater than or equal to 1" in complaint(
        "prod", "services.reference.replicas", services__reference__replicas=0
    )


@pytest.mark.req("C4.11")
@pytest.mark.parametrize("field", ["memory_mib", "cpu_request_millis", "pods", "storage_gib"])
def test_a_quota_that_the_declared_parts_cannot_fit_into_is_refused(field: str) -> None:
    lowest = {"memory_mib": 256, "cpu_request_millis": 100, "pods": 5, "storage_gib": 1}[field]
    assert "must be at least" in complaint("dev", f"quota.{field}", **{f"quota__{field}": lowest})


def test_the_certificate_exporter_counts_in_the_quota() -> None:
    changes = {"certificates__exporter_memory_mib": 4608}  # as much as the whole namespace has
    assert "must be at least" in complaint("dev", "quota.memory_mib", **changes)


@pytest.mark.req("V28")
@pytest.mark.parametrize(
    ("until", "said"),
    [("2020-01-01", "ended on 2020-01-01"), ("2999-01-01", "days ahead"), ("soon", "must be a date such as")],
)
def test_pods_may_use_the_nodes_files_only_until_a_date_that_is_near(until: str, said: str) -> None:
    assert said in complaint("prod", "agents.waiver.until", agents__waiver__until=until)


def test_the_logs_size_cap_leaves_room_on_its_volume() -> None:
    said = complaint("prod", "logging.store.size_cap_gib", logging__store__size_cap_gib=401)
    assert "at most 80% of the volume, 409600 MiB of 500 GiB" in said
    load("prod", settings("prod", logging__store__size_cap_gib=400), {})


@pytest.mark.parametrize("retention", ["0d", "7", "12h", "forever"])
def test_a_retention_of_logs_has_a_number_above_zero_and_a_known_unit(retention: str) -> None:
    assert "d (days), w (weeks) or y (years)" in complaint(
        "dev", "logging.store.retention", logging__store__retention=retention
    )


@pytest.mark.parametrize(("pattern", "said"), [("(", "is no regular expression"), ("(?<=a)b", "no RE2 expression")])
def test_a_redaction_pattern_compiles(pattern: str, said: str) -> None:
    assert said in complaint("dev", "logging.redact.0", logging__redact=[pattern])


@pytest.mark.req("V20", "C6.8")
@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_logging_cannot_be_switched_off_where_people_depend_on_it(stack: str) -> None:
    assert f"must be true in {stack}" in complaint(stack, "logging.enabled", logging__enabled=False)
    load("dev", settings("dev", logging__enabled=False), {})


def test_a_log_collector_needs_the_agents_namespace() -> None:
    assert "logging has a log collector on each node" in complaint("dev", "agents.enabled", agents__enabled=False)


_REFERENCE = "registry.example.test/omnibase/reference:0.0.9" + PINNED


@pytest.mark.req("R5")
def test_a_pin_of_a_services_image_is_a_setting_like_any_other() -> None:
    loaded = load("prod", settings("prod", images__pins={"reference": _REFERENCE}), {})
    assert loaded.config.images.pins == {"reference": _REFERENCE}
    assert loaded.origins["images.pins.reference"] == "Pulumi.prod.yaml"


@pytest.mark.parametrize(
    ("image", "reference", "why"),
    [
        ("postgres", "registry.example.test/omnibase/postgres:17.1" + PINNED, "of the database cannot be pinned"),
        ("prometheus", "registry.example.test/omnibase/prometheus:1" + PINNED, "is not the image of a service"),
        ("referense", _REFERENCE, "did you mean 'reference'"),
        ("reference", "registry.example.test/omnibase/other:1" + PINNED, "must be of registry.example.test/omnibase/"),
        ("reference", "registry.example.test/omnibase/reference:1", "by registry and digest"),
        ("reference", "registry.example.test/omnibase/reference@sha256:abc", "by registry and digest"),
    ],
)
def test_a_pin_that_would_pin_nothing_or_something_else_is_refused(image: str, reference: str, why: str) -> None:
    assert why in complaint("prod", f"images.pins.{image}", images__pins={image: reference})
