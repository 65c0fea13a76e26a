"""ManagedPostgres: what it registers, and what it refuses."""

from __future__ import annotations

import inspect
import itertools
import json
import re
from typing import Any, cast

import pulumi
import pulumi_postgresql as sdk
import pytest
from omnibase_infra import ArgsError, ManagedDatabaseArgs, ManagedPostgres, ManagedPostgresArgs
from omnibase_infra.migrations.plan import Plan
from omnibase_infra.migrations.rights import Rights
from omnibase_infra.postgres.managed import rights
from omnibase_infra.postgres.managed.checks import problems

from tests.stacks.support import examples
from tests.stacks.support.recorder import HIDDEN, Recorder, Registration, record
from tests.stacks.support.samples import IMAGE, MIGRATIONS

PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def args(database: str = "orders", **changes: Any) -> ManagedPostgresArgs:  # noqa: ANN401  # values of the TypedDict
    """Good arguments with changes; those of a database change its only one."""
    of_database = ManagedDatabaseArgs.__annotations__
    roles = {"owner": "orders_owner", "app_role": "orders_app"}
    given: dict[str, Any] = {
        "environment": "prod",
        "host": "db.example.test",
        "ca": PEM,
        "databases": {database: {**roles, **{key: changes.pop(key) for key in list(changes) if key in of_database}}},
        **changes,
    }
    return cast(ManagedPostgresArgs, given)


EVENTS = {"owner": "events_owner", "app_role": "events_app", "extensions": ["pgcrypto"]}
TWO: dict[str, Any] = {
    "databases": {
        "orders": {
            "owner": "orders_owner",
            "app_role": "orders_app",
            "read_only_role": "orders_reader",
            "migrator_role": "orders_migrator",
        },
        "events": EVENTS,
    },
    "first_database": "orders",
    "monitor_role": "orders_monitor",
}
"""Two databases, and every role that there can be."""

MIGRATED: dict[str, Any] = {
    "migrations": {"files": MIGRATIONS, "required_tables": ["notes"]},
    "migrator_image": IMAGE,
    "namespace": "shop",
    "server_cidrs": ["192.0.2.0/28"],
}
"""A database with a set, and what its Job needs."""


def recorded(**changes: Any) -> Recorder:  # noqa: ANN401  # as above
    def program() -> None:
        ManagedPostgres("orders", args(**changes))

    return record(program)


def resources(recorder: Recorder) -> dict[str, Registration]:
    return {item.name: item for item in recorder.registrations()}


def outputs(recorder: Recorder) -> dict[str, Any]:
    return next(found for urn, found in recorder.outputs.items() if "ManagedPostgres::" in urn)


@pytest.mark.req("C2.6")
def test_its_outputs_are_those_of_the_cluster_and_more() -> None:
    from omnibase_infra import PostgresCluster  # noqa: PLC0415  # only its annotations are looked at

    assert set(inspect.get_annotations(PostgresCluster)) <= set(inspect.get_annotations(ManagedPostgres))
    found = outputs(recorded(namespace="orders", ro_host="replica.example.test"))
    assert found == {
        "rw_host": "db.example.test",
        "ro_host": "replica.example.test",
        "direct_host": "db.example.test",
        "port": 5432,
        "database": "orders",
        "user": "orders_app",
        "password": HIDDEN,
        "passwords": HIDDEN,
        "password_secret": "orders-app-role",
        "role_secrets": {"orders_app": "orders-app-role"},
        "ca_secret": "orders-ca",
        "sslmode": "verify-full",
    }


def test_without_a_namespace_there_are_no_objects_in_kubernetes() -> None:
    recorder = recorded()
    assert not [item for item in recorder.registrations() if item.type.startswith("kubernetes:")]
    assert (outputs(recorder)["password_secret"], outputs(recorder)["ca_secret"]) == ("", "")


def test_the_password_is_secret_wherever_it_goes() -> None:
    found = resources(recorded(namespace="orders"))
    assert found["orders-app-role"].inputs["password"] == HIDDEN
    assert found["orders-app-secret"].inputs["data"] == HIDDEN
    assert found["orders-password-1"].ignore_changes == ("input",)


@pytest.mark.req("C2.6")
def test_a_database_that_is_there_already_is_never_dropped_for_the_letters_that_it_holds() -> None:
    found = resources(recorded())
    assert found["orders-database"].ignore_changes == ("template", "encoding", "lcCollate", "lcCtype")
    assert found["orders-owner"].ignore_changes == ()


def test_another_generation_makes_another_stash() -> None:
    assert "orders-password-7" in resources(recorded(password_generation=7))


def test_a_schema_of_its_own_is_the_owners_and_the_search_path() -> None:
    found = resources(recorded(schema="orders"))
    assert found["orders-schema"].inputs == {
        "name": "orders", "database": "orders", "owner": "orders_owner", "dropCascade": True,
    }  # fmt: skip
    assert found["orders-app-role"].inputs["searchPaths"] == ["orders"]
    assert found["orders-app-schema"].inputs["schema"] == "orders"
    assert "orders-schema" not in resources(recorded())


def test_protection_covers_what_holds_data() -> None:
    found = resources(recorded(protect=True, schema="orders"))
    guarded = {"orders-database", "orders-owner", "orders-app-role", "orders-schema"}
    assert {name for name, item in found.items() if item.protect and item.retain} == guarded
    assert not found["orders-schema"].inputs["dropCascade"]


def test_grants_on_one_object_follow_each_other() -> None:
    found = resources(recorded())
    for first, second in (
        ("orders-everybody-database", "orders-app-database"),
        ("orders-app-database", "orders-monitor-database"),
        ("orders-everybody-schema", "orders-app-schema"),
    ):
        assert found[first].urn in found[second].dependencies


def test_everything_in_a_database_comes_one_after_the_other() -> None:
    found = resources(recorded(**TWO, administrator="rds_admin"))
    for kind, names in (
        ("Grant", ["everybody-database", "app-database", "read-only-database", "migrator-database", "monitor-database",
                   "everybody-schema", "app-schema", "read-only-schema"]),
        ("DefaultPrivileges", ["app-tables", "app-sequences", "read-only-tables", "read-only-sequences"]),
    ):  # fmt: skip
        made = [f"orders-{name}" for name in names]
        for first, second in itertools.pairwise(made):
            assert found[second].type.endswith(f":{kind}")
            assert found[first].urn in found[second].dependencies, (first, second)


def test_a_second_database_renames_nothing_of_the_first() -> None:
    alone = resources(recorded())
    both = resources(recorded(databases={"orders": {"owner": "orders_owner", "app_role": "orders_app"},
                                         "events": EVENTS}, first_database="orders"))  # fmt: skip
    assert {name: item.inputs for name, item in alone.items() if item.type.startswith("postgresql:")} == {
        name: item.inputs for name, item in both.items() if name in alone and item.type.startswith("postgresql:")
    }
    assert both["orders-database-events"].inputs["owner"] == "events_owner"
    assert both["orders-extension-pgcrypto-events"].inputs["database"] == "events"


def test_each_role_has_a_password_and_a_secret_of_its_own() -> None:
    found = outputs(recorded(**TWO, namespace="orders"))
    assert found["role_secrets"] == {
        "orders_app": "orders-app-role",
        "orders_reader": "orders-role-orders-reader",
        "orders_migrator": "orders-role-orders-migrator",
        "events_app": "orders-role-events-app",
        "orders_monitor": "orders-role-orders-monitor",
    }
    stashes = {name for name in resources(recorded(**TWO)) if "password" in name}
    assert stashes == {
        "orders-password-1", "orders-orders_reader-password-1", "orders-orders_migrator-password-1",
        "orders-events_app-password-1", "orders-orders_monitor-password-1",
    }  # fmt: skip


def test_who_migrates_may_only_become_the_owner_and_who_watches_only_read_statistics() -> None:
    found = resources(recorded(**TWO))
    migrator = found["orders-migrator"].inputs
    assert (migrator["login"], migrator["inherit"], migrator["connectionLimit"]) == (True, False, 5)
    assert migrator["roles"] == ["orders_owner"]
    assert found["orders-owner"].urn in found["orders-migrator"].dependencies
    assert (found["orders-monitor"].inputs["roles"], found["orders-monitor"].inputs["inherit"]) == (
        ["pg_monitor"],
        True,
    )
    given = {item.inputs["role"] for item in found.values() if item.type.endswith(":DefaultPrivileges")}
    assert given == {"orders_app", "orders_reader", "events_app"}


def test_an_administrator_becomes_a_member_before_the_database_is_made() -> None:
    found = resources(recorded(administrator="rds_admin"))
    assert found["orders-administrator"].inputs["role"] == "rds_admin"
    assert found["orders-administrator"].urn in found["orders-database"].dependencies


@pytest.mark.req("C7.1")
def test_clients_get_a_flow_to_the_servers_networks() -> None:
    client = {"name": "shop", "namespace": "shop", "labels": {"app": "shop"}}
    found = resources(recorded(clients=[client], server_cidrs=["192.0.2.0/28"], port=6432))
    flow = found["orders-client-shop-egress"].inputs["spec"]["egress"][0]
    assert flow == {"to": [{"ipBlock": {"cidr": "192.0.2.0/28"}}], "ports": [{"port": 6432, "protocol": "TCP"}]}


@pytest.mark.req("C2.6")
def test_the_same_databases_are_what_a_cluster_in_kubernetes_takes() -> None:
    from omnibase_infra.postgres.checks import _databases  # noqa: PLC0415  # beside what it is compared with

    databases = {name: dict(each) for name, each in TWO["databases"].items()}
    given: dict[str, Any] = {"databases": databases, "first_database": "orders"}
    assert problems("orders", args(**given)) == []
    assert _databases(cast(Any, given)) == []


def test_the_application_may_do_with_rows_what_it_may_in_a_cluster() -> None:
    given = Rights(database="orders", migrator="pg_monitor", writers=["orders_app"], readers=[])
    text = "\n".join(given.statements([], []))
    for properties in rights.defaults("orders", "public", "orders_owner", {"app": "orders_app"}).values():
        words = ", ".join(properties["privileges"])
        assert f'GRANT {words} ON {properties["objectType"].upper()}S TO "orders_app"' in text
    for role, properties in rights.grants("orders", "public", {"app": "orders_app"}).items():
        subject = {"database": 'DATABASE "orders"', "schema": "SCHEMA public"}[properties["objectType"]]
        if properties["privileges"]:
            wanted = rf'GRANT {properties["privileges"][0]} ON {subject} TO .*"{properties["role"]}"'
            assert re.search(wanted, text), role
        else:
            assert f"REVOKE ALL ON {subject} FROM PUBLIC" in text, role


def test_a_reader_may_do_with_rows_what_it_may_in_a_cluster() -> None:
    given = Rights(database="orders", migrator="pg_monitor", writers=[], readers=["orders_reader"])
    text = "\n".join(given.statements([], []))
    found = rights.defaults("orders", "public", "orders_owner", {"read-only": "orders_reader"}).values()
    assert len(found) == text.count("ALTER DEFAULT PRIVILEGES")
    for properties in found:
        assert f'GRANT SELECT ON {properties["objectType"].upper()}S TO "orders_reader"' in text


@pytest.mark.req("C2.3", "C2.6")
def test_migrations_run_in_a_job_that_reaches_the_server_alone_and_knows_no_password() -> None:
    found = resources(recorded(**MIGRATED, read_only_role="orders_reader"))
    (made,) = [item for item in found.values() if item.type == "kubernetes:batch/v1:Job"]
    pod = made.inputs["spec"]["template"]["spec"]
    assert HIDDEN not in json.dumps(pod)
    secrets = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    assert secrets == {"orders-role-orders-migrator", "orders-ca"}
    (plan,) = [
        item.inputs["data"]["plan.json"] for item in found.values() if "plan.json" in item.inputs.get("data", {})
    ]
    assert Plan.model_validate_json(plan).limits.reach == 30, "a server of others may count logins that fail"
    orders = Plan.model_validate_json(plan).databases["orders"]
    assert (orders.owner, orders.writers, orders.readers) == ("orders_owner", ["orders_app"], ["orders_reader"])
    assert (orders.connection.host, orders.connection.user, orders.connection.sslmode) == (
        "db.example.test", "orders_migrator", "verify-full",
    )  # fmt: skip
    ways = [item.inputs["spec"]["egress"] for name, item in found.items() if name.startswith("orders-migrations") and
            item.type.endswith(":NetworkPolicy")]  # fmt: skip
    assert ways == [[{"to": [{"ipBlock": {"cidr": "192.0.2.0/28"}}], "ports": [{"port": 5432, "protocol": "TCP"}]}]]


@pytest.mark.req("C4.1")
def test_the_job_comes_after_roles_and_databases_and_before_everything_that_uses_them() -> None:
    databases = {
        "orders": {"owner": "orders_owner", "app_role": "orders_app", "migrations": MIGRATED["migrations"]},
        "events": EVENTS,
    }
    given = {**MIGRATED, "databases": databases, "first_database": "orders"}
    found = resources(recorded(**{key: value for key, value in given.items() if key != "migrations"}))
    job = found["orders-migrations"]
    for name in ("orders-app-schema", "orders-app-schema-events", "orders-extension-pgcrypto-events", "orders-ca",
                 "orders-secret-orders_migrator"):  # fmt: skip
        assert found[name].urn in job.dependencies, name
    (ran,) = [item.urn for item in found.values() if item.type == "kubernetes:batch/v1:Job"]
    # by these the runner knows whether a role is new; and the outputs wait for them
    for name in ("orders-app-tables", "orders-app-tables-events"):
        assert ran in found[name].dependencies, name


def test_a_host_that_is_known_only_later_is_a_variable_of_the_job() -> None:
    def program() -> None:
        ManagedPostgres("orders", args(**{**MIGRATED, "host": pulumi.Output.from_input("later.example.test")}))

    found = resources(record(program))
    (made,) = [item for item in found.values() if item.type == "kubernetes:batch/v1:Job"]
    (container,) = made.inputs["spec"]["template"]["spec"]["containers"]
    assert {"name": "PGHOST", "value": "later.example.test"} in container["env"]
    (plan,) = [
        item.inputs["data"]["plan.json"] for item in found.values() if "plan.json" in item.inputs.get("data", {})
    ]
    assert Plan.model_validate_json(plan).databases["orders"].connection.host is None


@pytest.mark.parametrize("kind", ["Database", "Role", "Grant", "DefaultPrivileges", "Schema", "Extension", "GrantRole"])
def test_tokens_and_properties_are_those_of_the_official_sdk(kind: str) -> None:
    mine = [item for item in examples.recorded("managed-postgres").registrations() if item.type.endswith(f":{kind}")]
    assert mine, f"the example makes no {kind}"
    known = set(inspect.signature(getattr(sdk, kind)._internal_init).parameters)
    resource = getattr(sdk, kind)
    for item in mine:
        assert item.type == resource.pulumi_type
        spelled = {pulumi_name_to_python(key) for key in item.inputs}
        assert spelled <= known


def pulumi_name_to_python(key: str) -> str:
    """`searchPaths` -> `search_paths`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


@pytest.mark.req("C1.3")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"app_role": "orders_owner"}, "databases[orders].app_role='orders_owner' is databases[orders].owner already"),
        ({"owner": "postgres"}, "owner='postgres' is reserved by PostgreSQL"),
        ({"owner": "pg_signal_backend"}, "owner='pg_signal_backend' is reserved"),
        ({"app_role": "rdsadmin"}, "app_role='rdsadmin' is reserved by a managed service"),
        ({"database": "template1"}, "database='template1' is reserved"),
        ({"database": "My-Orders"}, "database='My-Orders' must be lower-case letters"),
        ({"schema": "pg_toast"}, "schema='pg_toast' is reserved"),
        ({"schema": "auth"}, "schema='auth' is reserved"),
        ({"administrator": "orders_owner"}, "owner='orders_owner' must differ from administrator"),
        ({"sslmode": "prefer"}, "sslmode='prefer' must be one of verify-full, verify-ca, require, disable"),
        ({"sslmode": "disable"}, "sends passwords and rows in clear text to host='db.example.test'"),
        ({"sslmode": "require"}, "sslmode='require' is refused in prod"),
        ({"ca": ""}, "sslmode='verify-full' needs ca"),
        ({"ca": "MIIB"}, "ca is no certificate in PEM form"),
        ({"host": " "}, "host is empty"),
        ({"port": 0}, "port=0 is outside 1..65535"),
        ({"port": 6543}, "port=6543 is that of a transaction pooler"),
        ({"databases": {}}, "databases is empty"),
        ({"databases": TWO["databases"]}, "first_database is required with several databases; one of orders, events"),
        ({"first_database": "order"}, "first_database='order' is not among databases (orders)"),
        ({"monitor_role": "orders_app"}, "monitor_role='orders_app' is databases[orders].app_role already"),
        ({"read_only_role": "Reader"}, "databases[orders]: read_only_role='Reader' must be lower-case letters"),
        ({"migrator_role": "rds_superuser"}, "migrator_role='rds_superuser' is reserved by a managed service"),
        (
            {"databases": {"one": EVENTS, "two": EVENTS}, "first_database": "one"},
            "databases[two].owner='events_owner' is databases[one].owner already",
        ),
        (
            {"migrations": MIGRATED["migrations"]},
            "migrator_image is required: there are databases with migrations, which a Job of this image runs",
        ),
        ({**MIGRATED, "namespace": ""}, "namespace is required: there are databases with migrations"),
        ({**MIGRATED, "server_cidrs": []}, "server_cidrs is required: there are databases with migrations"),
        (
            {**MIGRATED, "schema": "orders"},
            "schema='orders' with migrations: their Job makes its tables with schema=public",
        ),
        ({**MIGRATED, "sslmode": "require"}, "sslmode='require' with migrations: their Job sends its password with"),
        (
            {**MIGRATED, "migrations": {"files": {"0001_a.up.sql": "SELECT 1"}}},
            "databases[orders].migrations: 0001_a has no down file",
        ),
        ({**MIGRATED, "migrations": {"files": MIGRATIONS, "after": ["events"]}}, "'events' is no other database"),
        ({"connection_limit": 0}, "connection_limit=0 lets nobody in"),
        ({"password_generation": 0}, "password_generation=0 is outside 1..1000000"),
        ({"extensions": ["dblink"]}, "extension 'dblink' is not on the list of allowed ones: btree_gin"),
        ({"extensions": ["pg_trgm", "pg_trgm"]}, "extension 'pg_trgm' is named twice"),
        ({"clients": [{"name": "shop", "namespace": "shop"}]}, "clients need server_cidrs"),
        ({"server_cidrs": ["192.0.2.1/28"]}, "server_cidrs: 192.0.2.1/28 has host bits set"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_allowed(changes: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems("orders", args(**changes))), problems("orders", args(**changes))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_clear_text_is_for_this_machine_and_development_only(host: str) -> None:
    assert problems("orders", args(environment="dev", host=host, sslmode="disable", ca="")) == []
    assert problems("orders", args(environment="prod", host=host, sslmode="disable", ca="")) != []


def test_clear_text_to_a_host_that_is_not_known_yet_is_refused() -> None:
    def program() -> None:
        host = pulumi.Output.from_input("localhost")
        found = problems("orders", args(environment="dev", host=host, sslmode="disable", ca=""))
        assert any("an output of another resource" in problem for problem in found)

    record(program)


def test_two_roles_do_not_share_a_secret() -> None:
    databases = {**TWO["databases"], "events": {"owner": "events_owner", "app_role": "orders_reader_"}}
    given = {**TWO, "databases": databases}
    assert problems("orders", args(**given)) == [], "without a namespace there are no Secrets"
    assert problems("orders", args(**given, namespace="shop")) == [
        "roles 'orders_reader' and 'orders_reader_' would share the Secret called 'orders-reader'; rename one of them"
    ]


def test_all_problems_come_together_and_nothing_is_registered() -> None:
    with pytest.raises(ArgsError) as refused:
        recorded(owner="x", app_role="x", sslmode="disable", extensions=["dblink"])
    assert len(refused.value.problems) == 4
