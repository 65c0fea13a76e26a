"""Brokers, identity providers and SQL: what the rules' own examples do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from omnibase_policies import check_registrations, evaluate
from omnibase_policies.examples import example

LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def broken(*manifests: object) -> set[str]:
    return {each.rule for each in evaluate(list(manifests), tier="prod") if each.state == "violated"}


@pytest.mark.req("V15")
@pytest.mark.parametrize(
    ("kind", "changes", "rule"),
    [
        ("Kafka", {"spec.kafka.listeners": [{"name": "a", "tls": True}]}, "broker-listeners-closed"),
        ("Kafka", {"spec.kafka.listeners.0.authentication": {"type": "none"}}, "broker-listeners-closed"),
        ("Kafka", {"spec.kafka.replicas": 1}, "broker-copies"),
        ("KafkaTopic", {"spec.config": {"cleanup.policy": "delete"}}, "broker-copies"),
        ("KafkaTopic", {"spec.config": {"retention.ms": -1}}, "broker-copies"),
    ],
)
def test_a_broker_that_is_open_or_alone_is_named(kind: str, changes: dict[str, object], rule: str) -> None:
    assert rule in broken(example({"kind": kind, **changes}))


@pytest.mark.req("V15")
def test_a_broker_of_another_make_is_judged_and_a_kind_of_the_same_name_is_not() -> None:
    spec: dict[str, Any] = {"clusterSpec": {"tls": {"enabled": False}, "statefulset": {"replicas": 1}}}
    own = {"apiVersion": "cluster.redpanda.com/v1alpha2", "kind": "Redpanda", "metadata": {"name": "a"}, "spec": spec}
    other = {**own, "apiVersion": "example.org/v1"}
    assert {"broker-listeners-closed", "broker-copies"} <= broken(own)
    assert broken(other).isdisjoint({"broker-listeners-closed", "broker-copies"})


@pytest.mark.parametrize("config", [{"cleanup.policy": "compact"}, {"retention.bytes": "1048576"}, LATER])
def test_a_topic_ends_by_age_by_size_or_by_key(config: object) -> None:
    assert "broker-copies" not in broken(example({"kind": "KafkaTopic", "spec.config": config}))


@pytest.mark.req("V15")
def test_two_services_share_no_consumer_group() -> None:
    def consumer(name: str, group: str) -> dict[str, Any]:
        variables = [{"name": "KAFKA_CONSUMER_GROUP_ID", "value": group}]
        return example({"kind": "Deployment", "metadata.name": name, "spec.template.spec.containers.0.env": variables})

    assert "consumer-group-of-one-service" in broken(consumer("a", "orders"), consumer("b", "orders"))
    assert "consumer-group-of-one-service" not in broken(consumer("a", "orders"), consumer("b", "payments"))


REALM = {"realm": "orders", "sslRequired": "external", "bruteForceProtected": True}


@pytest.mark.req("V16")
@pytest.mark.parametrize(
    "change", [{"sslRequired": "NONE"}, {"registrationAllowed": True}, {"bruteForceProtected": False}]
)
def test_a_soft_realm_is_named_in_each_form_that_it_comes_in(change: dict[str, object]) -> None:
    def said(realm: dict[str, object]) -> list[bool]:
        imported = example({"kind": "KeycloakRealmImport", "spec.realm": realm})
        exported = example({"kind": "ConfigMap", "data.realm.json": json.dumps(realm)})
        return ["identity-realm-hardened" in broken(each) for each in (imported, exported)]

    assert said({**REALM, **change}) == [True, True]
    assert said({**REALM}) == [False, False]


@pytest.mark.req("V16")
def test_a_realm_of_the_provider_is_judged_by_its_own_names() -> None:
    guard = {"securityDefenses": {"bruteForceDetection": {"maxLoginFailures": 5}}}

    def said(**inputs: object) -> bool:
        found = check_registrations([{"type": "keycloak:index/realm:Realm", "inputs": inputs}], tier="prod")
        return "identity-realm-hardened" in {each.rule for each in found}

    assert not said(sslRequired="all", **guard)
    assert said(sslRequired="all")
    assert said(sslRequired="none", **guard)
    assert said(registrationAllowed=True, **guard)


@pytest.mark.parametrize("text", ["", '{"realm"', '"realm" sslRequired', '["realm", "clients"]', "[" * 100_000])
def test_texts_that_are_no_realm_are_no_problem(text: str) -> None:
    assert "identity-realm-hardened" not in broken(example({"kind": "ConfigMap", "data.a.json": text}))


@pytest.mark.req("V14")
@pytest.mark.parametrize(
    ("instances", "size", "most", "is_too_many"),
    [
        (2, "20", "100", False),
        (5, "20", "100", True),
        (5, None, None, True),
        (2, LATER, "30", False),
        (1, 97, 100.0, False),
    ],
)
def test_pools_fit_into_the_connections_of_their_database(
    instances: int, size: object, most: object, is_too_many: bool
) -> None:
    cluster = example({"kind": "Cluster", "spec.postgresql.parameters.max_connections": most})
    parameters = {"spec.pgbouncer.parameters.default_pool_size": size}
    pooler = example({"kind": "Pooler", "spec.instances": instances, **parameters})
    other = example({"kind": "Pooler", "spec.instances": 90, "spec.cluster.name": "others"})
    assert ("pools-within-connections" in broken(cluster, pooler, other)) is is_too_many


@pytest.mark.req("V14")
def test_row_security_is_forced_by_any_text_of_the_same_object_whatever_the_form_of_the_name() -> None:
    enable, force = (
        'alter table "Orders" enable row level security',
        "ALTER TABLE ONLY public.orders\n FORCE ROW LEVEL SECURITY",
    )
    both = example({"kind": "ConfigMap", "data.a.sql": enable, "metadata.name": "a"})
    assert "row-security-forced" in broken(both)
    both["data"]["b.sql"] = force
    assert "row-security-forced" not in broken(both)
    cluster = example({"kind": "Cluster", "spec.bootstrap.initdb.postInitApplicationSQL": [enable]})
    assert "row-security-forced" in broken(cluster)
