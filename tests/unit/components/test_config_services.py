"""Rules of services, of what they need, and of databases: each cause alone, with what the message says."""

from __future__ import annotations

import time
from typing import Any

import pytest
from omnibase_infra.config import load
from omnibase_infra.config.services import ServiceConfig, provided

from tests.unit.components.test_config_rules import complaint, settings

_ROLES = {"owner": "orders_owner", "app_role": "orders_app"}
_UNTIL = {"reason": "the program keeps its own state", "owner": "platform", "until": "2027-05-01"}


def service(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    """A second service beside the reference service, as small as can be."""
    found = {"image": "reference", "ports": {"http": 8081}, "health": {"path": "/health"}, **changes}
    return {key: value for key, value in found.items() if value is not None}


def stateful(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    return service(kind="stateful", volumes={"data": {"path": "/data", "size_gib": 1}}, **changes)


def job(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    return service(kind="job", ports={}, health=None, **changes)


def said(path: str, other: dict[str, Any], stack: str = "dev", **changes: Any) -> str:  # noqa: ANN401
    """What is wrong with a setting of the second service."""
    return complaint(stack, f"services.other.{path}", services__other=other, **changes)


def loaded(other: dict[str, Any], stack: str = "dev", **changes: Any) -> ServiceConfig:  # noqa: ANN401
    return load(stack, settings(stack, services__other=other, **changes), {}).config.services["other"]


@pytest.mark.req("V23")
@pytest.mark.parametrize("name", ["database", "messages", "messages-controller", "certificate-exporter", "database-rw"])
def test_a_service_is_not_called_like_a_part_of_the_platform(name: str) -> None:
    text = complaint("dev", f"services.{name}", **{f"services__{name.replace('-', '_DASH_')}": service()})
    assert "is taken by the platform's own" in text


def test_names_that_only_resemble_a_part_of_the_platform_are_free() -> None:
    named = {"services__databases": service(), "services__my_DASH_messages": service()}
    load("dev", settings("dev", quota__memory_mib=8192, **named), {})


@pytest.mark.parametrize("make", [service, stateful, job])
def test_a_service_of_each_kind_is_a_few_lines(make: Any) -> None:  # noqa: ANN401 -- one of the functions above
    found = loaded(make())
    assert (found.replicas, found.user, found.writable_root, found.stop_grace_seconds) == (1, 10_001, False, 30)
    assert found.writable_paths == {"/tmp": "64Mi"}  # noqa: S108 -- a directory in a container


@pytest.mark.req("P2")
@pytest.mark.parametrize("kind", ["stateful", "job"])
def test_what_cannot_be_copied_has_one_pod_in_every_environment(kind: str) -> None:
    make = {"stateful": stateful, "job": job}[kind]
    for stack in ("dev", "staging", "prod"):
        given = make(exceptions=[{"setting": "single-replica", **_UNTIL}]) if stack == "prod" else make()
        assert loaded(given, stack).replicas == 1
    assert f"must be 1 for kind {kind}" in said("replicas", make(replicas=2))


@pytest.mark.req("V6", "C3.1")
@pytest.mark.parametrize("make", [service, stateful])
def test_whoever_runs_on_shows_its_health(make: Any) -> None:  # noqa: ANN401 -- one of the functions above
    assert "is required for kind" in said("health", make() | {"health": None})


def test_a_job_has_no_health_check_but_an_end() -> None:
    assert "is not for a job" in said("health", job() | {"health": {"command": ["true"]}})


@pytest.mark.parametrize(
    ("health", "path", "why"),
    [
        ({}, "health", "exactly one of path, command and tcp"),
        ({"path": "/health", "tcp": True}, "health", "exactly one of path, command and tcp"),
        ({"path": "/health", "command": ["true"]}, "health", "exactly one of path, command and tcp"),
        ({"path": "/health", "interval_seconds": 10}, "health.timeout_seconds", "must be below interval_seconds = 10"),
        ({"path": "/health", "port": "htp"}, "health.port", "did you mean 'http'?"),
        ({"path": "health"}, "health.path", "must be the path of a request"),
        ({"path": "/health", "start_seconds": 1801}, "health.start_seconds", "less than or equal to 1800"),
        ({"path": "/health", "retries": 0}, "health.retries", "greater than or equal to 1"),
        ({"command": []}, "health.command", "at least 1 item"),
    ],
)
def test_a_health_check_that_cannot_work_is_refused(health: dict[str, Any], path: str, why: str) -> None:
    assert why in said(path, service(health=health))


def test_a_health_check_has_the_users_defaults_and_finds_its_port() -> None:
    found = loaded(service())
    assert found.health is not None
    assert (found.health.interval_seconds, found.health.timeout_seconds, found.health.retries) == (30, 10, 3)
    assert found.http_check == (8081, "/health")
    assert loaded(service(ports={"rest": 8085})).http_check == (8085, "/health")
    assert loaded(service(health={"command": ["true"]}, ports={})).http_check is None
    assert "none is called http" in said("health.port", service(ports={"rest": 8085, "other": 8086}))


@pytest.mark.req("V23")
def test_two_ports_of_a_service_differ() -> None:
    text = said("ports.admin", service(ports={"http": 8081, "admin": 8081}))
    assert "is the port of http and admin" in text


@pytest.mark.parametrize(("port", "why"), [(80, "1024"), (65_536, "65535"), ("8081", "valid integer")])
def test_a_port_is_a_number_that_needs_no_rights(port: object, why: str) -> None:
    assert why in said("ports.http", service(ports={"http": port}))


def test_metrics_are_read_from_a_port_that_exists() -> None:
    assert "did you mean 'http'?" in said("metrics.port", service(metrics={"port": "htpp"}))
    assert loaded(service(metrics={})).metrics is not None


@pytest.mark.parametrize(
    ("changes", "path", "why"),
    [
        ({"volumes": {"data": {"path": "/data", "size_gib": 1}}}, "volumes", "is for kind stateful, not for service"),
        ({"kind": "stateful"}, "volumes", "needs at least one volume"),
        ({**stateful(), "ports": {}, "health": {"command": ["true"]}}, "ports", "needs at least one port"),
        ({"kind": "daemon"}, "kind", "must be one of service, stateful, job"),
        ({"layer": "runtme"}, "layer", "did you mean 'runtime'?"),
        ({"user": 0}, "user", "greater than or equal to 1"),
        ({"stop_grace_seconds": 91}, "stop_grace_seconds", "less than or equal to 90"),
        ({"writable_paths": {"/data/../etc": "1Mi"}}, "writable_paths./data/../etc", "without '..'"),
        ({"writable_paths": {"/data": 64}}, "writable_paths./data", "valid string"),
        ({"writable_paths": {"/data": "64"}}, "writable_paths./data", "512Mi or 2Gi"),
        ({"writable_paths": {"/a": "1Mi", "/a/b": "1Mi"}}, "writable_paths", "lies in /a, which is writable already"),
        ({"cpu_limit_millis": 49}, "cpu_request_millis", "must be at most cpu_limit_millis = 49"),
        ({"memory_request_mib": 257}, "memory_request_mib", "must be at most memory_mib = 256"),
        ({"kind": "job", "ports": {}, "health": None, "rollout": {"enabled": True}}, "rollout.enabled", "not for job"),
        ({"ports": {"rest": 8081}, "rollout": {"enabled": True}}, "ports", "needs a port http for a rollout"),
        ({"health": {"tcp": True}, "rollout": {"enabled": True}}, "health.path", "is required for a rollout"),
        ({"documents": ["mpc"]}, "documents.0", "did you mean 'mcp'?"),
    ],
)
def test_settings_of_a_service_that_do_not_fit_are_refused(changes: dict[str, Any], path: str, why: str) -> None:
    assert why in said(path, service(**changes))


@pytest.mark.req("V7")
def test_one_pod_in_prod_needs_a_dated_permission() -> None:
    assert "the exception single-replica" in said("replicas", service(replicas=1), "prod")
    loaded(service(replicas=1, exceptions=[{"setting": "single-replica", **_UNTIL}]), "prod")


@pytest.mark.req("V28", "V3")
def test_a_writable_root_needs_a_permission_and_a_permission_something_to_permit() -> None:
    permission = {"setting": "writable-root", **_UNTIL}
    assert "needs the exception writable-root" in said("writable_root", service(writable_root=True))
    loaded(service(writable_root=True, exceptions=[permission]))
    assert "permits nothing" in said("exceptions.0.setting", service(exceptions=[permission]))


@pytest.mark.req("V28")
@pytest.mark.parametrize(
    ("change", "path", "why"),
    [
        ({"until": "2020-01-01"}, "exceptions.0.until", "ended on 2020-01-01"),
        ({"until": "2999-01-01"}, "exceptions.0.until", "more than 366 days ahead"),
        ({"until": "soon"}, "exceptions.0.until", "a date such as"),
        ({"reason": "because"}, "exceptions.0.reason", "at least 10"),
        ({"setting": "root"}, "exceptions.0.setting", "must be one of writable-root, single-replica, open-egress"),
    ],
)
def test_a_permission_has_a_near_date_and_a_reason(change: dict[str, str], path: str, why: str) -> None:
    permission = {"setting": "writable-root", **_UNTIL, **change}
    assert why in said(path, service(writable_root=True, exceptions=[permission]))


@pytest.mark.req("V10")
def test_a_flow_to_everywhere_needs_a_permission_where_people_depend_on_it() -> None:
    egress = {"llm": {"cidrs": ["0.0.0.0/0"], "ports": [443]}}
    loaded(service(egress=egress))
    assert "in staging needs the exception open-egress" in said("egress", service(egress=egress), "staging")
    loaded(service(egress=egress, exceptions=[{"setting": "open-egress", **_UNTIL}]), "staging")
    assert "at least 1 item" in said(
        "egress.llm.ports", service(egress={"llm": {"cidrs": ["192.0.2.0/24"], "ports": []}})
    )


@pytest.mark.req("V11", "V30", "P7")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "short"),
        ("LINEAR_API_KEY", "x"),
        ("WEBHOOK_SECRETS", "x"),
        ("DSN", "postgresql://role:hunter2hunter2@db.example.test/x"),
        ("CACHE", "redis://:hunter2hunter2@cache.example.test:6379"),
        ("CERT", "-----BEGIN RSA PRIVATE KEY-----hunter2hunter2"),
        ("LLM", "sk-hunter2hunter2hunter2"),
        ("GIT", "ghp_hunter2hunter2hunter2hunter2"),
        ("SEED", "0123456789abcdef0123456789abcdef"),
        ("ADMIN", "valkey-dev-password"),
        ("USER_NAME", "CHANGE_ME"),
    ],
)
def test_a_credential_never_stands_in_env_and_is_never_repeated(name: str, value: str) -> None:
    text = said(f"env.{name}", service(env={name: value}))
    assert "secrets" in text
    assert "hunter2" not in text
    assert value not in text
    assert "[hidden]" in text


@pytest.mark.req("V26")
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("http://localhost:8080", "is an address of the pod itself"),
        ("127.0.0.1", "is an address of the pod itself"),
        ("http://[::1]:80", "is an address of the pod itself"),
        ("http://192.168.86.201:8000/v1", "is a private address"),
        ("10.0.0.5:9092,10.0.0.6:9092", "is a private address"),
        ("172.17.0.1", "is a private address"),
        ("${POSTGRES_HOST:-db}", "nothing is filled in"),
    ],
)
def test_an_address_of_one_place_does_not_stand_in_env(value: str, why: str) -> None:
    assert why in said("env.TARGET", service(env={"TARGET": value}))


@pytest.mark.parametrize(
    "value", ["", "https://llm.example.test/v1", "192.0.2.10", "v1.10.0.5.2", "localhosts", "DEBUG", "30", "a=b:c"]
)
def test_ordinary_text_stands_in_env(value: str) -> None:
    assert loaded(service(env={"TARGET": value})).env["TARGET"] == value


@pytest.mark.parametrize(
    ("env", "path", "why"), [({"target": "x"}, "env.target", "upper case"), ({"A": 3}, "env.A", "string")]
)
def test_variables_are_text_with_a_name_in_upper_case(env: dict[str, Any], path: str, why: str) -> None:
    assert why in said(path, service(env=env))


@pytest.mark.req("V25")
def test_a_variable_that_a_service_requires_comes_from_somewhere() -> None:
    text = said("requires", service(requires=["LLM_MODEL"]))
    assert "LLM_MODEL: is required by other, and nothing provides it" in text
    loaded(service(requires=["LLM_MODEL"], env={"LLM_MODEL": "x"}))
    loaded(service(requires=["OTHER_RECEIPT_KEY", "OTHER_LOG_LEVEL"], secrets=["receipt-key"]))
    loaded(service(requires=["REFERENCE_DATABASE_RW_HOST"], databases={"reference": {}}))
    assert "OTHER_MESSAGES_URL" not in provided("other", loaded(service()), bus=False)
    assert "OTHER_MESSAGES_URL" in provided("other", loaded(service()), bus=True)


@pytest.mark.req("V24")
@pytest.mark.parametrize(
    ("depends_on", "path", "why"),
    [
        ({"refrence": "started"}, "depends_on.refrence", "is not among services; did you mean 'reference'?"),
        ({"other": "started"}, "depends_on.other", "is the service itself"),
        ({"reference": "completed"}, "depends_on.reference", "needs a job, reference is a service; wait for `healthy`"),
        ({"reference": "ready"}, "depends_on.reference", "must be one of started, healthy, completed"),
    ],
)
def test_a_dependency_is_a_service_that_can_be_waited_for(depends_on: dict[str, str], path: str, why: str) -> None:
    assert why in said(path, service(depends_on=depends_on))


@pytest.mark.req("V24")
def test_a_job_is_waited_for_until_it_is_completed() -> None:
    text = said("depends_on.setup", service(depends_on={"setup": "healthy"}), services__setup=job())
    assert "needs a health check, setup has none; wait for `completed`" in text
    loaded(service(depends_on={"setup": "completed", "reference": "healthy"}), services__setup=job())


@pytest.mark.req("V24")
def test_a_cycle_of_dependencies_is_shown_as_a_way() -> None:
    given = {
        "services__a": service(depends_on={"b": "started"}),
        "services__b": service(depends_on={"c": "healthy"}),
        "services__c": service(depends_on={"a": "started"}),
    }
    assert "a -> b -> c -> a: is a cycle" in complaint("dev", "services.a.depends_on", **given)


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        (["refrence"], "is not among services; did you mean 'reference'?"),
        (["other"], "is the service itself"),
        (["setup"], "has no ports to call"),
    ],
)
def test_a_call_goes_to_another_service_with_ports(calls: list[str], why: str) -> None:
    assert why in said("calls", service(calls=calls), services__setup=job())


@pytest.mark.req("V9")
def test_a_call_into_another_segment_needs_its_consent() -> None:
    store = service(segment="memory", memory_mib=64)
    closed = {"memory": {"description": "vector, graph and cache"}}
    opened = {"memory": {"description": "vector, graph and cache", "accepts_from": ["default"]}}
    given: dict[str, Any] = {"services__store": store, "segments": closed}
    text = said("calls", service(calls=["store"]), **given)
    assert "is in segment memory, which does not accept calls from default" in text
    loaded(service(calls=["store"]), services__store=store, segments=opened)
    loaded(service(calls=["store"], segment="memory"), **given)
    loaded(service(calls=["reference"], segment="memory"), segments=closed)


def test_segments_that_are_named_exist() -> None:
    closed = {"memory": {"description": "vector, graph and cache", "accepts_from": ["defualt"]}}
    assert "did you mean 'memory'?" in said(
        "segment", service(segment="memry"), segments={"memory": {"description": "x"}}
    )
    assert "did you mean 'default'?" in complaint("dev", "segments.memory.accepts_from", segments=closed)


@pytest.mark.req("V24")
def test_a_service_uses_databases_and_roles_that_are_declared() -> None:
    assert "did you mean 'reference'?" in said("databases.refrence", service(databases={"refrence": {}}))
    reader = {"reference": {"role": "read_only"}}
    assert "reference has no read-only role" in said("databases.reference.role", service(databases=reader))
    loaded(service(databases=reader), postgres__databases__reference__read_only_role="reference_reader")


@pytest.mark.req("V24")
def test_a_service_needs_topics_that_are_declared_and_name_it() -> None:
    topic = "onex.evt.reference.note-created.v1"
    assert "did you mean" in said("topics", service(topics=["onex.evt.reference.note-create.v1"]))
    assert "names other neither as publisher nor as consumer" in said("topics", service(topics=[topic]))
    assert "must be a topic such as onex.evt." in said("topics.0", service(topics=["notes"]))


@pytest.mark.req("C2.9", "V14")
def test_the_pools_of_all_pods_fit_into_the_poolers() -> None:
    # the reference service has two pods while it rolls: 2 x 10, and with 18 x 10 more it is 200
    loaded(
        service(replicas=18, databases={"reference": {}}),
        quota__pods=100,
        quota__memory_mib=65_536,
        quota__cpu_request_millis=9000,
    )
    more = {"services__other": service(replicas=19, databases={"reference": {}})}
    text = complaint(
        "dev",
        "postgres.pooler.max_clients",
        **more,
        quota__pods=100,
        quota__memory_mib=65_536,
        quota__cpu_request_millis=9000,
    )
    assert "may open 210 connections, of which 1 pooler pods (one is lost) take 200" in text


@pytest.mark.req("C2.1")
def test_several_databases_say_which_was_first() -> None:
    given = {"postgres__databases__orders": _ROLES, "postgres__pooler__pool_size": 5}
    assert "is required with several databases" in complaint("dev", "postgres.first_database", **given)
    config = load("dev", settings("dev", **given, postgres__first_database="reference"), {}).config
    assert config.postgres.first == "reference"
    text = complaint("dev", "postgres.first_database", **given, postgres__first_database="refrence")
    assert "did you mean 'reference'?" in text


@pytest.mark.req("C2.9", "V14")
def test_every_database_counts_against_the_servers_connections() -> None:
    given = {"postgres__databases__orders": _ROLES, "postgres__first_database": "reference"}
    # 2 poolers x (1 + 1) pods x 5 x 2 databases = 40 of 60 - 15 = 45; with 6 it is 48
    load("dev", settings("dev", **given, postgres__pooler__pool_size=5), {})
    text = complaint("dev", "postgres.pooler.pool_size", **given, postgres__pooler__pool_size=6)
    assert "x 6 x 2 databases = 48 server connections exceed 45" in text


@pytest.mark.req("V12")
def test_a_role_belongs_to_one_database() -> None:
    given = {
        "postgres__databases__orders": {**_ROLES, "app_role": "reference_app"},
        "postgres__first_database": "reference",
        "postgres__pooler__pool_size": 5,
    }
    text = complaint("dev", "postgres.databases.orders.app_role", **given)
    assert "is postgres.databases.reference.app_role already" in text


@pytest.mark.parametrize(
    ("changes", "path", "why"),
    [
        ({"extensions": ["pg_trm"]}, "extensions.0", "did you mean 'pg_trgm'?"),
        ({"owner": "Orders"}, "owner", "at most 63 lower-case"),
        ({"migrations": {"directory": "/etc"}}, "migrations.directory", "below the project"),
        (
            {"migrations": {"directory": "x", "after": ["orders"]}},
            "migrations.after",
            "no other database of this stack",
        ),
    ],
)
def test_settings_of_a_database_that_do_not_fit_are_refused(changes: dict[str, Any], path: str, why: str) -> None:
    given = {"postgres__databases__orders": {**_ROLES, **changes}, "postgres__first_database": "reference"}
    text = complaint("dev", f"postgres.databases.orders.{path}", **given, postgres__pooler__pool_size=5)
    assert why in text


def test_migrations_that_wait_for_each_other_are_a_cycle() -> None:
    after = {"directory": "migrations/reference", "after": ["orders"]}
    given = {
        "postgres__databases__reference__migrations": after,
        "postgres__databases__orders": {**_ROLES, "migrations": {**after, "after": ["reference"]}},
        "postgres__first_database": "reference",
        "postgres__pooler__pool_size": 5,
    }
    text = complaint("dev", "postgres.databases.reference.migrations.after", **given)
    assert "reference -> orders -> reference: is a cycle" in text


@pytest.mark.req("C4.11")
def test_volumes_of_services_count_in_the_quota() -> None:
    large = stateful() | {"volumes": {"data": {"path": "/data", "size_gib": 100}}}
    assert "must be at least" in complaint("dev", "quota.storage_gib", services__other=large)


@pytest.mark.req("C4.11")
def test_what_is_declared_fits_onto_the_nodes() -> None:
    large = {"nodes": 4, "cpu": "32", "memory": "128Gi"}
    load("prod", settings("prod", cluster__capacity=large), {})
    for field, small in (("cpu", "1"), ("memory", "9Gi")):
        text = complaint("prod", f"cluster.capacity.{field}", cluster__capacity={**large, field: small})
        assert "3 nodes (staging and prod count without one) have" in text
    assert "no node has room for a pod of" in complaint(
        "prod", "cluster.capacity.memory", cluster__capacity={**large, "memory": "1Gi"}
    )
    two = complaint("prod", "cluster.capacity.nodes", cluster__capacity={**large, "nodes": 2})
    assert "each server has a node of its own" in two
    assert "250m" in complaint("prod", "cluster.capacity.cpu", cluster__capacity={**large, "cpu": "0.5"})


def test_a_stack_of_forty_five_services_is_checked_in_time() -> None:
    names = [f"service-{number}" for number in range(45)]
    many = {
        name: service(
            replicas=2,
            env={f"SETTING_{key}": "text" for key in range(40)},
            requires=[f"SETTING_{key}" for key in range(20)],
            depends_on=dict.fromkeys(names[max(0, number - 3) : number], "healthy"),
            calls=names[max(0, number - 3) : number],
        )
        for number, name in enumerate(names)
    }
    quota = {"quota__cpu_request_millis": 200_000, "quota__memory_mib": 400_000, "quota__pods": 1000}
    given = settings("dev", **quota)
    given["services"] |= many
    load("dev", given, {})
    # Of this thread: what other processes do beside counts for them.
    began = time.thread_time()
    config = load("dev", given, {}).config
    assert len(config.effective_services()) == 46
    assert time.thread_time() - began <= 0.15
