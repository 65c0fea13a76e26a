"""What is asked of the PostgreSQL operator: durability, TLS, roles, sizes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.config.database_sizes import RESERVED_CONNECTIONS, pooled_connections
from omnibase_infra.postgres import bloat, cluster_spec, databases, names, pooler_spec, queries, sizing
from omnibase_infra.postgres.checks import problems

from tests.stacks.support import schemas
from tests.stacks.support.samples import MIGRATIONS, POSTGRES, postgres


def spec(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    found: dict[str, Any] = cluster_spec.cluster("db", postgres(**changes))["spec"]
    return found


def pooler(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    found: dict[str, Any] = pooler_spec.pooler("db", "rw", postgres(**changes))["spec"]
    return found


def one(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field
    sets = {"files": MIGRATIONS}
    return {"reference": {"owner": "reference_owner", "app_role": "reference_app", "migrations": sets, **changes}}


def other(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field
    return {"owner": "other_owner", "app_role": "other_app", **changes}


def test_a_commit_waits_for_a_standby_and_only_one_that_has_it_is_promoted() -> None:
    assert spec()["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
        "failoverQuorum": True,
    }
    assert "synchronous" not in spec(instances=1, synchronous_standbys=0)["postgresql"]


@pytest.mark.req("P13")
def test_clear_text_is_refused_everywhere_and_certificates_are_verified_in_full() -> None:
    hba = spec()["postgresql"]["pg_hba"]
    assert hba[0] == "hostssl reference reference_app ${podselector:poolers} scram-sha-256"
    assert hba[-2:] == ["hostnossl all all all reject", "host all all all reject"]
    bouncer = pooler()["pgbouncer"]
    assert bouncer["parameters"]["server_tls_sslmode"] == "verify-full"
    assert bouncer["parameters"]["client_tls_sslmode"] == "require"
    assert bouncer["pg_hba"][-2:] == ["host all all 0.0.0.0/0 reject", "host all all ::/0 reject"]


def test_the_certificate_holds_every_name_of_both_poolers() -> None:
    hosts = spec()["certificates"]["serverAltDNSNames"]
    assert len(hosts) == 8
    assert "db-pooler-rw" in hosts
    assert "db-pooler-ro.space.svc.cluster.local" in hosts


@pytest.mark.req("V14")
def test_nobody_logs_in_as_superuser_or_owner() -> None:
    found = spec()
    assert found["enableSuperuserAccess"] is False
    owner, app, *others = found["managed"]["roles"]
    assert (owner["name"], owner["login"], owner["superuser"]) == ("reference_owner", False, False)
    assert (app["name"], app["login"], app["superuser"]) == ("reference_app", True, False)
    assert app["passwordSecret"] == {"name": names.app_secret("db")}
    assert app["connectionLimit"] == 40
    assert not any(role["superuser"] for role in others)


@pytest.mark.req("V14")
def test_the_roles_of_ops_come_from_the_servers_own_pod_only_and_one_of_them_sees_no_row() -> None:
    monitor, explain = spec()["managed"]["roles"][-2:]
    assert (monitor["name"], monitor["inRoles"]) == ("ops_monitor", ["pg_monitor"])
    assert (explain["name"], explain["inRoles"]) == ("ops_explain", ["pg_monitor", "pg_read_all_data"])
    lines = [line for line in spec()["postgresql"]["pg_hba"] if " ops_" in line]
    assert lines == [
        f"hostssl all {role} {source} scram-sha-256"
        for role in ("ops_monitor", "ops_explain")
        for source in ("127.0.0.1/32", "::1/128")
    ]
    assert not [line for line in pooler()["pgbouncer"]["pg_hba"] if "ops_" in line]


def test_no_database_has_a_role_with_the_name_of_one_of_ops() -> None:
    (problem,) = problems("db", postgres(databases=one(app_role="ops_monitor")))
    assert "is reserved by PostgreSQL, its operator or `ops`" in problem


def test_transactions_can_be_prepared_only_where_that_is_asked_for() -> None:
    assert "max_prepared_transactions" not in spec()["postgresql"]["parameters"]
    assert spec(prepared_transactions=20)["postgresql"]["parameters"]["max_prepared_transactions"] == "20"
    (problem,) = problems("db", postgres(prepared_transactions=-1))
    assert problem == "prepared_transactions=-1 is outside 0..10000"


def test_passwords_in_statements_are_not_recorded_and_plans_show_no_parameters() -> None:
    for environment in ("dev", "prod"):
        parameters = spec(environment=environment, instances=3)["postgresql"]["parameters"]
        assert parameters["pg_stat_statements.track_utility"] == "off"
        assert parameters["auto_explain.log_parameter_max_length"] == parameters["log_parameter_max_length"] == "0"
        assert parameters["auto_explain.log_analyze"] == ("on" if environment == "dev" else "off")


def test_the_exporter_reads_our_queries_beside_its_own() -> None:
    (named,) = spec()["monitoring"]["customQueriesConfigMap"]
    made = queries.config_map("db", postgres())
    assert (made["metadata"]["name"], list(made["data"])) == (named["name"], [named["key"]])
    assert yaml.safe_load(made["data"][named["key"]]) == queries.queries()
    assert "cnpg.io/reload" in made["metadata"]["labels"], "else a change waits for the next restart"


@pytest.mark.req("C2.7")
def test_client_connections_have_bounds_in_number_and_time() -> None:
    parameters = pooler()["pgbouncer"]["parameters"]
    assert parameters["max_client_conn"] == "200"
    assert parameters["max_db_connections"] == parameters["default_pool_size"] == "10"
    assert parameters["query_wait_timeout"] == "30"
    assert parameters["idle_transaction_timeout"] == "60"
    assert parameters["server_lifetime"] == "1800"
    assert parameters["server_login_retry"] == "0.3", "after a refused login a pool waits so long"
    assert int(parameters["server_idle_timeout"]) <= 20, "a database is dropped once nobody is connected"
    assert spec()["postgresql"]["parameters"]["idle_in_transaction_session_timeout"] == "60s"


def test_a_pooler_is_deleted_without_the_operator_making_its_parts_anew() -> None:
    notes = pooler_spec.pooler("db", "rw", postgres())["metadata"]["annotations"]
    assert notes["pulumi.com/deletionPropagationPolicy"] == "background"


@pytest.mark.req("C2.4")
def test_statements_and_slow_queries_are_recorded() -> None:
    parameters = spec()["postgresql"]["parameters"]
    assert parameters["pg_stat_statements.track"] == "all"
    assert parameters["log_min_duration_statement"] == "1s"
    assert parameters["log_lock_waits"] == "on"


@pytest.mark.parametrize(("environment", "kind"), [("dev", "preferred"), ("staging", "required"), ("prod", "required")])
def test_instances_share_a_node_in_dev_only(environment: str, kind: str) -> None:
    changes = {"environment": environment, "instances": 3, "pooler_instances": 2, "max_connections": 200}
    assert spec(**changes)["affinity"]["podAntiAffinityType"] == kind
    # a pooler's rollout needs a place for one pod more, whatever the number of nodes
    affinity = pooler(**changes)["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert list(affinity) == ["preferredDuringSchedulingIgnoredDuringExecution"]


def test_the_lease_obeys_the_order_that_the_operator_demands() -> None:
    for fast in (True, False):
        lease = spec(fast_failover=fast)["primaryLease"]
        assert lease["leaseDurationSeconds"] > lease["renewDeadlineSeconds"] > 1.2 * lease["retryPeriodSeconds"]
    assert spec(fast_failover=True)["primaryLease"]["leaseDurationSeconds"] == 3


def test_a_standby_without_a_primary_asks_often_and_is_not_always_deaf_meanwhile() -> None:
    pause = spec()["postgresql"]["parameters"]["wal_retrieve_retry_interval"]
    two_restore_commands_ms = 2 * 140
    assert two_restore_commands_ms < int(pause.removesuffix("ms")) <= 500


def test_an_instance_that_is_asked_to_end_refuses_new_sessions_for_seconds_only() -> None:
    assert spec()["smartShutdownTimeout"] <= 2 < spec()["stopDelay"]


@given(st.integers(min_value=256, max_value=524_288), st.integers(min_value=1, max_value=4096))
def test_settings_stay_below_memory_and_log_volume(memory: int, wal_gib: int) -> None:
    sizes = {**sizing.memory_parameters(memory), **sizing.wal_parameters(wal_gib)}
    number = {key: int(value.removesuffix("MB")) for key, value in sizes.items()}
    assert number["shared_buffers"] <= memory / 4
    assert number["effective_cache_size"] < memory
    assert number["max_slot_wal_keep_size"] + number["max_wal_size"] < wal_gib * 1024


@given(
    instances=st.integers(min_value=2, max_value=9),
    poolers=st.integers(min_value=1, max_value=5),
    size=st.integers(min_value=1, max_value=50),
    memory=st.integers(min_value=2048, max_value=100_000),
    environment=st.sampled_from(["dev", "test"]),
)
def test_whatever_is_accepted_the_operators_schema_takes_too(
    instances: int, poolers: int, size: int, memory: int, environment: str
) -> None:
    connections = pooled_connections(poolers, size) + RESERVED_CONNECTIONS
    args = postgres(
        instances=instances,
        pooler_instances=poolers,
        pooler_size=size,
        memory_mib=memory,
        environment=environment,
        max_connections=connections,
    )
    assert problems("db", args) == []
    assert schemas.problems(cluster_spec.cluster("db", args)) == []
    assert schemas.problems(pooler_spec.pooler("db", "ro", args)) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"image": POSTGRES.replace(":17.6", "")}, "the operator reads the tag"),
        ({"image": "registry.example.test/postgres:17.6"}, "must end in :<major version>"),
        ({"instances": 1}, "synchronous_standbys=1 needs 2 instances, there are 1"),
        ({"instances": 10}, "instances=10 is outside 1..9"),
        ({"environment": "prod"}, "instances=2 must be at least 3 in prod"),
        ({"environment": "staging", "instances": 3, "synchronous_standbys": 0}, "acknowledged rows could be lost"),
        ({"pooler_size": 12}, "may open 48 server connections to 1 database while they roll"),
        ({"databases": one(owner="reference_app")}, "must differ from owner"),
        ({"databases": one(owner="postgres")}, "reserved"),
        ({"databases": {"Ref": one()["reference"]}, "first_database": "Ref"}, "must be lower-case"),
        ({"databases": {**one(), "a; drop table b": other()}}, "must be lower-case"),
        ({"first_database": "referense"}, "is not among databases (reference)"),
        ({"databases": one(read_only_role="reference_app")}, "reference_app' is databases[reference].app_role already"),
        ({"databases": {**one(), "other": one()["reference"]}}, "a role belongs to one database"),
        ({"databases": one(extensions=["vector"])}, "extension 'vector' is not in the server's image"),
        ({"pooler_size": 6, "databases": {**one(), "other": other()}}, "may open 48 server connections to 2 databases"),
        ({"clients": [{"name": "x"}]}, "clients[0] must have either namespace or cidrs"),
        ({"clients": [{"name": "a", "cidrs": ["192.0.2.1/32"]}] * 2}, "'a' is used more than once"),
        ({"clients": [{"name": "-", "cidrs": ["192.0.2.1/32"]}]}, "needs a name"),
        ({"api_server_cidrs": []}, "hold their lease at the API server"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], complaint: str) -> None:
    assert complaint in "; ".join(problems("db", postgres(**changes)))


def test_a_name_leaves_room_for_its_children() -> None:
    assert "at most 40" in "; ".join(problems("d" * 41, postgres()))


def several() -> dict[str, Any]:
    return {**one(read_only_role="reference_reader"), "other": other(extensions=["pg_trgm"])}


@pytest.mark.req("C2.1")
def test_every_role_enters_its_own_database_and_no_other() -> None:
    args = {"databases": several(), "pooler_size": 5}
    lines = [line for line in spec(**args)["postgresql"]["pg_hba"] if " ops_" not in line]
    assert lines == [
        "hostssl reference reference_app ${podselector:poolers} scram-sha-256",
        "hostssl reference reference_reader ${podselector:poolers} scram-sha-256",
        "hostssl other other_app ${podselector:poolers} scram-sha-256",
        "hostssl reference reference_migrator ${podselector:migrations} scram-sha-256",
        "hostnossl all all all reject",
        "host all all all reject",
    ]
    bouncer = pooler(**args)["pgbouncer"]["pg_hba"]
    assert [line for line in bouncer if "0.0.0.0/0 scram" in line] == [
        line.replace("${podselector:poolers}", "0.0.0.0/0") for line in lines[:3]
    ]


@pytest.mark.req("C2.1")
def test_owners_cannot_log_in_and_readers_only_read() -> None:
    roles = {each["name"]: each for each in spec(databases=several())["managed"]["roles"][:-2]}
    assert {name: role["login"] for name, role in roles.items()} == {
        "reference_owner": False,
        "other_owner": False,
        "reference_app": True,
        "reference_reader": True,
        "other_app": True,
        "reference_migrator": True,
    }
    assert "inRoles" not in roles["reference_app"], "where there are migrations, their Job gives rights"
    assert "inRoles" not in roles["reference_reader"]
    assert roles["other_app"]["inRoles"] == ["pg_read_all_data", "pg_write_all_data"]
    assert not any(role["superuser"] or role["createdb"] or role["createrole"] for role in roles.values())
    secrets = [role["passwordSecret"]["name"] for role in roles.values() if role["login"]]
    assert secrets == [
        "db-app-role", "db-role-reference-reader", "db-role-other-app", "db-role-reference-migrator"
    ]  # fmt: skip


@pytest.mark.parametrize(("protect", "policy"), [(True, "retain"), (False, "delete")])
def test_a_further_database_is_an_object_of_the_operator_and_valid(protect: bool, policy: str) -> None:
    args = postgres(databases=several(), protect=protect)
    made = databases.database("db", "other", args)
    assert schemas.problems(made) == []
    assert made["spec"]["databaseReclaimPolicy"] == policy
    assert made["spec"]["extensions"] == [bloat.EXTENSION, {"name": "pg_trgm"}]
    assert made["metadata"]["annotations"]["pulumi.com/waitFor"] == "jsonpath={.status.applied}=true"


def test_the_first_database_gets_its_extensions_from_the_operator_and_is_never_dropped() -> None:
    args = postgres(databases=one(extensions=["uuid-ossp"]))
    made = databases.database("db", "reference", args)["spec"]
    assert made["databaseReclaimPolicy"] == "retain"
    assert made["extensions"] == [bloat.EXTENSION, {"name": "uuid-ossp"}]


def test_a_database_that_is_new_while_its_cluster_sleeps_is_not_waited_for() -> None:
    made = databases.database("db", "reference", postgres(environment="dev", hibernate=True))
    assert made["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
