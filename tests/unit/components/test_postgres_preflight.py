"""What cannot work of a PostgreSQL cluster is refused before anything is registered, by its settings and by itself."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import settings as run
from hypothesis import strategies as st
from omnibase_infra.config import ConfigError, Environment, load, load_stack_file
from omnibase_infra.config.archives import refuse_shared_archives
from omnibase_infra.config.backup import FurtherBackupConfig
from omnibase_infra.config.clusters import FurtherClusterConfig
from omnibase_infra.config.database_sizes import CONNECTION_MIB, RESERVED_CONNECTIONS
from omnibase_infra.config.defaults import TIER_DEFAULTS
from omnibase_infra.platform.database import _cluster_args
from omnibase_infra.platform.room import Room
from omnibase_infra.postgres import PostgresClusterArgs, cluster_spec, databases, names, pooler_spec
from omnibase_infra.postgres.checks import problems

from tests.stacks.support.samples import MIGRATIONS, POSTGRES, postgres
from tests.unit.components.test_config_rules import ROOT, complaint, settings

_GUARDED = {"environment": "prod", "instances": 3, "pooler_instances": 2}
_READER = {"name": "x", "namespace": "space", "labels": {"app.kubernetes.io/name": "drill"}}


def one(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field
    return {"reference": {"owner": "reference_owner", "app_role": "reference_app", **changes}}


@pytest.mark.req("C2.9")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {**_GUARDED, "synchronous_standbys": 2},
            "synchronous_standbys=2 of instances=3 is refused in prod: one lost standby would stop writes; at most 1",
        ),
        (
            {**_GUARDED, "pooler_instances": 1},
            "pooler_instances=1 must be at least 2 in prod: one pod is no way around a lost node",
        ),
        (
            {"databases": one(extensions=["pg_trgm", "pg_trgm"])},
            "databases[reference]: extension 'pg_trgm' is named twice",
        ),
        (
            {"inspectors": {"reference_app": _READER}},
            "inspectors[reference_app] is databases[reference].app_role already; a role has one use",
        ),
        (
            {"inspectors": {"ops_monitor": _READER}},
            "inspectors: role='ops_monitor' is reserved by PostgreSQL, its operator or `ops`",
        ),
        (
            {"memory_mib": 256, "max_connections": 100},
            "memory_mib=256 leaves room for max_connections=80, not 100: beside the server's own memory each needs "
            "2 MiB at the least; raise the one or lower the other",
        ),
    ],
)
def test_what_would_fail_later_is_refused_with_what_to_do(changes: dict[str, Any], said: str) -> None:
    assert said in problems("db", postgres(**changes))


@pytest.mark.parametrize("name", ["db-pooler", "db-pooler-rw", "db-pooler-ro", "db-role"])
def test_a_cluster_is_not_called_like_what_another_one_makes(name: str) -> None:
    (said,) = problems(name, postgres())
    assert said.startswith(f"name {name!r} is that of an object which a cluster 'db' makes; take another")


def test_every_database_holds_utf_8_and_sorts_the_same_in_every_image() -> None:
    several = {**one(), "other": {"owner": "other_owner", "app_role": "other_app"}}
    args = postgres(databases=several, first_database="reference")
    made = [
        cluster_spec.cluster("db", args)["spec"]["bootstrap"]["initdb"],
        databases.database("db", "other", args)["spec"],
    ]
    for each in made:
        assert (each["encoding"], each["localeProvider"], each["builtinLocale"]) == ("UTF8", "builtin", "C.UTF-8")


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_staging_and_prod_write_on_without_any_one_standby(stack: str) -> None:
    text = complaint(stack, "postgres.synchronous_standbys", postgres__synchronous_standbys=2)
    assert "may be at most 1 with 3 instances" in text
    assert "one lost standby would stop writes" in text


@pytest.mark.req("V14")
def test_prod_keeps_what_holds_data() -> None:
    assert "must be true in prod" in complaint("prod", "protect", protect=False)
    load("staging", settings("staging", protect=False), {})


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        ("reference.owner", {"owner": "postgres"}, "is reserved by PostgreSQL"),
        ("reference.app_role", {"app_role": "ops_monitor"}, "is reserved by PostgreSQL"),
        ("reference.read_only_role", {"read_only_role": "pg_reader"}, "is reserved by PostgreSQL"),
        ("reference.read_only_role", {"read_only_role": "reference_app_"}, "would share the object's name"),
        ("reference.extensions", {"extensions": ["pg_trgm", "pg_trgm"]}, "names pg_trgm twice"),
        ("reference.app_role", {"app_role": "reference_migrator"}, "is that of the migrations of reference already"),
    ],
)
def test_names_that_cannot_be_are_refused_by_the_settings(path: str, changes: dict[str, Any], said: str) -> None:
    database = {**settings("dev")["postgres"]["databases"]["reference"], **changes}
    found = complaint("dev", f"postgres.databases.{path}", postgres__databases__reference=database)
    assert said in found


def test_two_databases_do_not_share_an_object() -> None:
    databases = {**settings("dev")["postgres"]["databases"], "reference_": {"owner": "o", "app_role": "a"}}
    changed = {**settings("dev")["postgres"], "databases": databases, "first_database": "reference"}
    assert "would share the object's name" in complaint("dev", "postgres.databases.reference_", postgres=changed)


def stacks(directory: Path, **changes: str) -> Path:
    """The stack files, with texts that are replaced in the one of prod."""
    for each in [*ROOT.glob("Pulumi*.yaml"), ROOT / "catalogue.yaml"]:
        shutil.copy(each, directory)
    file = directory / "Pulumi.prod.yaml"
    text = file.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return directory


@pytest.mark.req("P19")
def test_two_stacks_do_not_write_into_one_archive(tmp_path: Path) -> None:
    load_stack_file(stacks(tmp_path), "prod", {})
    shared = {"s3://omnibase-prod-backups/postgres": "s3://omnibase-staging-backups/postgres"}
    with pytest.raises(ConfigError) as caught:
        load_stack_file(stacks(tmp_path, **shared), "prod", {})
    (problem,) = caught.value.problems
    assert problem.path == "backup.target.bucket"
    assert problem.allowed == "its archive database-1 is that of Pulumi.staging.yaml too"
    assert "a prefix of its own" in problem.hint


@pytest.mark.req("P19")
@pytest.mark.parametrize(
    ("mine", "others", "shared"),
    [
        ((1, 2), (2, None), ["analytics-database-2"]),
        ((2, None), (1, 2), ["analytics-database-2"]),
        ((1, 2), (1, 3), ["database-1"]),
        ((3, None), (3, None), ["analytics-database-3", "database-3"]),
        ((1, 3), (2, None), []),
    ],
)
def test_an_archive_is_shared_where_the_generations_of_a_cluster_are_the_same(
    tmp_path: Path, mine: tuple[int, int | None], others: tuple[int, int | None], shared: list[str]
) -> None:
    further = f"\n    clusters: {{analytics: {{generation: {others[1]}}}}}" if others[1] else ""
    (tmp_path / "Pulumi.other.yaml").write_text(
        "config:\n  omnibase-infra:postgres:\n    clusters: {analytics: {}}\n  omnibase-infra:backup:\n"
        f"    target: {{bucket: 's3://shared/postgres'}}\n    generation: {others[0]}{further}\n"
    )
    prod = load_stack_file(ROOT, "prod", {}).config
    target = prod.backup.target
    assert target
    backup = prod.backup.model_copy(update={
        "target": target.model_copy(update={"bucket": "s3://shared/postgres"}), "generation": mine[0],
        "clusters": {"analytics": FurtherBackupConfig(generation=mine[1])},
    })  # fmt: skip
    postgres = prod.postgres.model_copy(update={"clusters": {"analytics": FurtherClusterConfig()}})
    config = prod.model_copy(update={"backup": backup, "postgres": postgres})
    found = list[str]()
    try:
        refuse_shared_archives(tmp_path, "prod", config)
    except ConfigError as error:
        found = [each.allowed.split()[2] for each in error.problems]
    assert found == shared


@pytest.mark.req("P19")
def test_a_stack_that_rescues_another_writes_beside_its_archive(tmp_path: Path) -> None:
    shared = {"s3://omnibase-prod-backups/postgres": "s3://omnibase-staging-backups/postgres"}
    directory = stacks(
        tmp_path, **shared, **{"  omnibase-infra:backup:\n": "  omnibase-infra:backup:\n    generation: 2\n"}
    )
    load_stack_file(directory, "prod", {})


def test_a_neighbours_file_that_cannot_be_read_is_its_own_problem(tmp_path: Path) -> None:
    (stacks(tmp_path) / "Pulumi.staging.yaml").write_text("config: [\n")
    load_stack_file(tmp_path, "prod", {})


def sound(args: PostgresClusterArgs) -> None:
    """What must hold of every cluster that is accepted, seen in what is asked of the operator."""
    spec, bouncer = cluster_spec.cluster("db", args)["spec"], pooler_spec.pooler("db", "rw", args)["spec"]
    sizes = {key: value for key, value in spec["postgresql"]["parameters"].items() if value.endswith("MB")}
    mib = {key: int(value.removesuffix("MB")) for key, value in sizes.items()}
    volume = args["wal_storage_gib"] * 1024
    assert mib["max_slot_wal_keep_size"] + mib["max_wal_size"] < volume
    assert mib["wal_keep_size"] < volume
    backends = args["max_connections"] * CONNECTION_MIB
    assert mib["shared_buffers"] + mib["maintenance_work_mem"] + backends <= args["memory_mib"]
    pooled = 2 * (bouncer["instances"] + 1) * int(bouncer["pgbouncer"]["parameters"]["max_db_connections"])
    assert pooled * len(args["databases"]) <= args["max_connections"] - RESERVED_CONNECTIONS
    limits = [role["connectionLimit"] for role in spec["managed"]["roles"] if role["name"].endswith("_app")]
    assert all(limit == pooled for limit in limits), "a role may have what its pools open, and no more"
    lease = spec["primaryLease"]
    assert lease["leaseDurationSeconds"] > lease["renewDeadlineSeconds"] > 1.2 * lease["retryPeriodSeconds"]
    assert set(names.certificate_hosts("db", args["namespace"])) <= set(spec["certificates"]["serverAltDNSNames"])
    standbys = spec["instances"] - 1
    number = spec["postgresql"].get("synchronous", {}).get("number", 0)
    assert number <= standbys
    if args["environment"] in cluster_spec.GUARDED:
        assert 1 <= number < standbys, "any one standby may be lost"
        assert bouncer["instances"] > 1


def tier(environment: Environment, **changes: Any) -> PostgresClusterArgs:  # noqa: ANN401 -- any argument
    """A cluster with the numbers of a tier."""
    given = copy.deepcopy(TIER_DEFAULTS[environment]["postgres"])
    pooler = given.pop("pooler")
    numbers = {
        key: given[key] for key in ("instances", "storage_gib", "wal_storage_gib", "memory_mib", "max_connections")
    }
    return postgres(
        **numbers,
        environment=environment.value,
        pooler_instances=pooler["instances"],
        pooler_size=pooler["pool_size"],
        pooler_max_clients=pooler["max_clients"],
        pooler_memory_mib=pooler["memory_mib"],
        **changes,
    )


@pytest.mark.req("C2.9")
@pytest.mark.parametrize("environment", list(Environment))
def test_every_tiers_numbers_pass_every_check(environment: Environment) -> None:
    args = tier(environment)
    assert problems("db", args) == []
    sound(args)


@pytest.mark.req("C2.9")
@given(
    environment=st.sampled_from(list(Environment)),
    databases=st.integers(min_value=1, max_value=3),
    changes=st.fixed_dictionaries(
        {},
        optional={
            "instances": st.integers(1, 9),
            "synchronous_standbys": st.integers(0, 8),
            "wal_storage_gib": st.integers(1, 4096),
            "memory_mib": st.integers(256, 20_000),
            "max_connections": st.integers(20, 1000),
            "pooler_instances": st.integers(1, 6),
            "pooler_size": st.integers(1, 40),
            "fast_failover": st.booleans(),
        },
    ),
)
def test_whatever_of_a_tier_is_changed_is_sound_or_refused(
    environment: Environment, databases: int, changes: dict[str, Any]
) -> None:
    made = {f"db_{n}": {"owner": f"db_{n}_owner", "app_role": f"db_{n}_app"} for n in range(databases)}
    args = cast(PostgresClusterArgs, {**tier(environment, databases=made, first_database="db_0"), **changes})
    if not problems("db", args):
        sound(args)


_NAMES = st.sampled_from(
    ["orders", "orders_", "_orders", "order_s", "postgres", "public", "ops_monitor", "pg_shop", "shop", "shop_migrator",
     "streaming_replica", "a" * 63, "a" * 55, "orders_app", "orders_owner", "shop_app"]
)  # fmt: skip


@st.composite
def _databases(draw: st.DrawFn) -> dict[str, Any]:
    found = {}
    for name in draw(st.lists(_NAMES, min_size=1, max_size=2, unique=True)):
        roles = {"owner": draw(_NAMES), "app_role": draw(_NAMES)}
        optional = st.fixed_dictionaries(
            {},
            optional={
                "read_only_role": _NAMES,
                "extensions": st.lists(st.sampled_from(["pg_trgm", "pgcrypto"]), max_size=2),
                "migrations": st.just({"directory": "migrations/reference"}),
            },
        )
        found[name] = {**roles, **draw(optional)}
    return found


@run(max_examples=40)
@given(
    stack=st.sampled_from(["dev", "staging"]),
    databases=_databases(),
    changes=st.fixed_dictionaries(
        {},
        optional={
            "instances": st.integers(1, 5),
            "synchronous_standbys": st.integers(0, 4),
            "memory_mib": st.sampled_from([256, 512, 4096]),
            "max_connections": st.sampled_from([20, 60, 200, 1000]),
        },
    ),
)
def test_what_the_settings_accept_the_component_accepts(
    stack: str, databases: dict[str, Any], changes: dict[str, Any]
) -> None:
    given = {**settings(stack)["postgres"], "consumers": {}, **changes}
    given |= {"databases": databases, "first_database": next(iter(databases))}
    room = {"cpu_request_millis": 64_000, "memory_mib": 524_288, "pods": 500, "storage_gib": 4000}
    services = {name: {**each, "databases": {}} for name, each in settings(stack)["services"].items()}
    try:
        config = load(stack, settings(stack, postgres=given, quota=room, services=services), {}).config
    except ConfigError as error:
        told = {problem.path.partition(".")[0] for problem in error.problems}
        assume("postgres" in told)
        return
    place = SimpleNamespace(
        config=config,
        tier=config.environment.value,
        namespace="space",
        args=SimpleNamespace(
            images={"postgres": POSTGRES, "migrator": POSTGRES}, migrations=dict.fromkeys(databases, MIGRATIONS)
        ),
        environment=SimpleNamespace(data_priority_class="data"),
        services={},
        waivers=[],
    )
    for name, each in config.postgres.by_cluster.items():
        args = _cluster_args(cast(Room, place), name, each)
        assert problems(name, args) == []
        sound(args)
