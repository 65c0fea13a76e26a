"""The Job that migrates the databases of a cluster: its role, its plan, its pod, and what is refused beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra import PostgresCluster
from omnibase_infra.migrations.plan import Plan
from omnibase_infra.migrations.rights import Rights
from omnibase_infra.postgres import cluster_spec, databases, migrating, names, pooler_spec
from omnibase_infra.postgres.checks import problems
from omnibase_infra.workload import pod_template

from tests.stacks.support import schemas
from tests.stacks.support.recorder import Recorder, record
from tests.stacks.support.samples import MIGRATIONS, postgres

ROOT = Path(__file__).resolve().parents[3]


def two(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field of a set
    """A database with a set, another with a set and a reader behind it, a third without any."""
    return {
        "reference": {
            "owner": "reference_owner",
            "app_role": "reference_app",
            "migrations": {"files": MIGRATIONS, **changes},
        },
        "orders": {
            "owner": "orders_owner",
            "app_role": "orders_app",
            "read_only_role": "orders_reader",
            "migrations": {"files": MIGRATIONS, "after": ["reference"], "required_tables": ["notes"]},
        },
        "loose": {"owner": "loose_owner", "app_role": "loose_app"},
    }


def args(**changes: Any) -> Any:  # noqa: ANN401 -- arguments of the component
    return postgres(databases=two(), pooler_size=2, **changes)


def migrations(**changes: Any) -> migrating.Migrations:  # noqa: ANN401 -- arguments of the component
    return databases.migrations("db", args(**changes))


def recorded(**changes: Any) -> Recorder:  # noqa: ANN401 -- any argument
    return record(lambda: PostgresCluster("db", postgres(**{"databases": two(), "pooler_size": 2, **changes})))


def job(found: Recorder) -> dict[str, Any]:
    (made,) = [item for item in found.registrations() if item.type == "kubernetes:batch/v1:Job"]
    return dict(made.inputs)


@pytest.mark.req("V14", "C2.3")
def test_a_migrator_may_become_the_owner_of_its_database_and_nothing_else() -> None:
    roles = {each["name"]: each for each in databases.roles("db", args())}
    assert {name for name in roles if name.endswith("_migrator")} == {"reference_migrator", "orders_migrator"}
    migrator = roles["orders_migrator"]
    assert (migrator["inRoles"], migrator["inherit"], migrator["connectionLimit"]) == (["orders_owner"], False, 2)
    assert not any(migrator[right] for right in ("superuser", "createdb", "createrole"))
    assert migrator["passwordSecret"] == {"name": "db-role-orders-migrator"}


@pytest.mark.req("V14")
def test_a_migrator_logs_in_over_tls_from_the_jobs_pods_alone_and_never_through_a_pooler() -> None:
    spec = cluster_spec.cluster("db", args())["spec"]
    lines = [line for line in spec["postgresql"]["pg_hba"] if "migrator" in line]
    assert lines == [
        "hostssl reference reference_migrator ${podselector:migrations} scram-sha-256",
        "hostssl orders orders_migrator ${podselector:migrations} scram-sha-256",
    ]
    selectors = {each["name"]: each["selector"]["matchLabels"] for each in spec["podSelectorRefs"]}
    template = pod_template("db-migrations", migrating.job(migrations()), {"app.kubernetes.io/name": "db-migrations"})
    assert selectors["migrations"] == names.migrator("db", "space")["labels"] == template["metadata"]["labels"]
    assert not [
        line for line in pooler_spec.pooler("db", "rw", args())["spec"]["pgbouncer"]["pg_hba"] if "migrator" in line
    ]


def test_without_migrations_there_is_neither_job_nor_migrator() -> None:
    loose = {"databases": {"loose": two()["loose"]}, "first_database": "loose"}
    assert problems("db", postgres(**loose)) == []
    spec = cluster_spec.cluster("db", postgres(**loose))["spec"]
    assert [each["name"] for each in spec["podSelectorRefs"]] == ["poolers"]
    assert [item for item in recorded(**loose).registrations() if "Job" in item.type or "migrat" in item.name] == []


@pytest.mark.req("C2.1", "C2.11")
def test_the_runner_takes_the_plan_and_sees_its_order() -> None:
    plan = Plan.model_validate(json.loads(migrating.job(migrations())["settings"]["plan.json"]))
    assert plan.order() == ["reference", "orders"]
    orders = plan.databases["orders"]
    assert (orders.owner, orders.writers, orders.readers) == ("orders_owner", ["orders_app"], ["orders_reader"])
    place = orders.connection
    assert (place.host, place.user, place.sslmode) == (
        "db-rw.space.svc.cluster.local",
        "orders_migrator",
        "verify-full",
    )


def test_whatever_the_plan_names_is_mounted_where_it_says() -> None:
    found = migrating.job(migrations())
    plan = json.loads(found["settings"]["plan.json"])
    mounts = {mount["path"]: mount["keys"] for mount in found["secret_mounts"]}
    files = {mount["path"] for mount in found["config_mounts"]}
    for each in plan["databases"].values():
        directory, _, key = each["connection"]["password_file"].rpartition("/")
        assert key in mounts[directory]
        directory, _, key = each["connection"]["ca_file"].rpartition("/")
        assert key in mounts[directory]
        assert each["directory"] in files
    assert found["arguments"] == ["/etc/omnibase/plan.json", "apply"]


@pytest.mark.req("P6", "P7")
def test_the_job_is_another_one_when_a_file_the_version_or_the_cluster_is() -> None:
    def pod(sets: dict[str, Any], incarnation: str = "1") -> str:
        made = migrating.job(databases.migrations("db", postgres(databases=sets)), incarnation)
        return json.dumps(pod_template("db-migrations", made, {}), sort_keys=True)

    first = pod(two())
    assert pod(two()) == first
    others = [
        pod(two(files={**MIGRATIONS, "0001_create_notes.verify.sql": "SELECT 1;"})),
        pod(two(files={**MIGRATIONS, "0001_create_notes.down.sql": "DROP TABLE notes CASCADE;"})),
        pod(two(target_version=0)),
        pod(two(), incarnation="2"),
    ]
    assert len({first, *others}) == 5


def test_files_are_in_an_immutable_map_that_is_named_after_them() -> None:
    found = migrating.files(migrations(), "orders")
    assert schemas.problems(found) == []
    assert found["immutable"] is True
    assert found["data"] == MIGRATIONS
    digest = migrating.digest(args()["databases"]["orders"]["migrations"])
    assert found["metadata"]["name"] == f"db-migrations-orders-{digest}"


@pytest.mark.req("C4.1")
def test_the_job_comes_after_the_databases_and_is_not_tried_again_after_a_refusal() -> None:
    found = recorded()
    made = job(found)
    assert schemas.problems(made) == []
    rule = made["spec"]["podFailurePolicy"]["rules"][0]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [1, 2])
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    (registered,) = [item for item in found.registrations() if item.type.endswith(":HardenedWorkload")]
    before = {urn.rpartition("::")[2] for urn in registered.dependencies}
    digest = migrating.digest(args()["databases"]["reference"]["migrations"])
    assert {"db-cluster", "db-database-orders", f"db-migrations-reference-{digest}"} <= before


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"target_version": 2},
            "databases[reference].migrations: target_version=2: there is no such version; known are 0 to 1",
        ),
        ({"target_version": -1}, "target_version=-1: there is no such version"),
        ({"files": {}}, "databases[reference].migrations: there is no file; a wrong directory?"),
        ({"files": {"0001_a.up.sql": "SELECT 1"}}, "databases[reference].migrations: 0001_a has no down file"),
        ({"files": {"1_a.up.sql": ""}}, "must be named NNNN_name"),
        (
            {"files": {**MIGRATIONS, "0001_create_notes.up.sql": "SELECT 1;" + "-" * 1_000_000}},
            "bytes of at most 1000000",
        ),
        ({"after": ["orders"]}, "wait for each other"),
        ({"after": ["loose"]}, "'loose' is no other database of the plan"),
        ({"tracking_table": "Sch;ema"}, "databases.reference.tracking_table"),
    ],
)
def test_a_set_that_cannot_run_is_refused(changes: dict[str, Any], complaint: str) -> None:
    assert complaint in "; ".join(problems("db", postgres(databases=two(**changes), pooler_size=2)))


def test_an_image_for_the_job_is_required_and_its_role_is_nobody_elses() -> None:
    wrong = args()
    del wrong["migrator_image"]
    assert "migrator_image is required: there are databases with migrations" in problems("db", wrong)
    taken = two()
    taken["loose"]["app_role"] = "orders_migrator"
    found = "; ".join(problems("db", postgres(databases=taken, pooler_size=2)))
    assert "'orders_migrator' is databases[orders].migrator already" in found


def test_a_concurrent_index_is_welcome_as_no_transaction_holds_all_files() -> None:
    files = {
        **MIGRATIONS,
        "0002_b.up.sql": "-- migrate: concurrently\nCREATE INDEX CONCURRENTLY a_b ON notes (id);",
        "0002_b.down.sql": "-- migrate: concurrently\nDROP INDEX CONCURRENTLY a_b;",
    }
    assert problems("db", postgres(databases=two(files=files), pooler_size=2)) == []


def test_names_of_roles_are_quoted_and_readers_only_read() -> None:
    rights = Rights(database="orders", migrator="m", writers=["user"], readers=["reader"])
    missing = [("reader", "TABLES", "SELECT"), ("reader", "SEQUENCES", "SELECT")]
    found = list(rights.statements(missing, [("TABLES", "notes"), ("SEQUENCES", "notes_id_seq")]))
    assert 'GRANT USAGE ON SCHEMA public TO "user", "reader"' in found
    assert found[-2:] == [
        'GRANT SELECT ON TABLE notes TO "reader"',
        'GRANT SELECT ON SEQUENCE notes_id_seq TO "reader"',
    ]


def test_the_image_holds_the_runner_and_nothing_else_of_the_library() -> None:
    words = (ROOT / "images" / "migrator" / "Dockerfile").read_text()
    assert "COPY app/ /image/app/omnibase_infra/migrations/" in words
    assert 'ENTRYPOINT ["/usr/bin/python3.13", "-m", "omnibase_infra.migrations"]' in words
