"""Settings of several PostgreSQL clusters, and of those outside of the stack who use its databases."""

from __future__ import annotations

import re
from typing import Any

import pytest
from omnibase_infra.config import StackConfig, load

from tests.unit.components.test_config_rules import complaint, settings

_EVENTS = {"owner": "events_owner", "app_role": "events_app"}
_CONSUMER: dict[str, Any] = {"databases": {"reference": {}}}
_ROOM = {"cpu_request_millis": 8000, "memory_mib": 16_384, "pods": 80, "storage_gib": 100}


def postgres(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  # values of a stack file
    """The section of the dev stack with a second cluster, and changes."""
    found: dict[str, Any] = settings("dev")["postgres"]
    found["databases"]["events"] = {**_EVENTS, "cluster": "analytics"}
    return {**found, "authority": "environment", "clusters": {"analytics": {}}, **changes}


def loaded(**changes: Any) -> StackConfig:  # noqa: ANN401  # as above
    """The dev stack with it, and room for it."""
    return load("dev", settings("dev", postgres=postgres(**changes), quota=_ROOM), {}).config


def refused(path: str, stack: str = "dev", **changes: Any) -> str:  # noqa: ANN401  # as above
    return complaint(stack, path, postgres=postgres(**changes))


@pytest.mark.req("C2.1")
def test_a_further_cluster_is_like_the_main_one_where_it_does_not_say_otherwise() -> None:
    found = loaded(clusters={"analytics": {"memory_mib": 700, "pooler": {"pool_size": 5}}}).postgres
    main, further = found.by_cluster["database"], found.by_cluster["analytics-database"]
    assert (further.memory_mib, further.pooler.pool_size) == (700, 5)
    assert (further.instances, further.pooler.max_clients) == (main.instances, main.pooler.max_clients)
    assert (list(main.databases), list(further.databases)) == (["reference"], ["events"])
    assert (main.first, further.first) == ("reference", "events")


def test_a_stack_with_one_cluster_says_nothing_of_clusters() -> None:
    found = load("dev", settings("dev"), {}).config.postgres
    assert list(found.by_cluster) == ["database"]
    assert found.by_cluster["database"] == found


@pytest.mark.req("C1.3")
@pytest.mark.parametrize(
    ("path", "changes", "words"),
    [
        ("postgres.databases.events.cluster", {"clusters": {"analytic": {}}}, "did you mean 'analytic'"),
        ("postgres.clusters.empty", {"clusters": {"analytics": {}, "empty": {}}}, "needs at least one"),
        ("postgres.clusters.analytics.synchronous_standbys",
         {"clusters": {"analytics": {"instances": 1}}}, "raise postgres.clusters.analytics.instances"),
        ("postgres.clusters.analytics.pooler.pool_size",
         {"clusters": {"analytics": {"pooler": {"pool_size": 400}}}}, "exceed"),
        ("postgres.clusters.analytics.first_database",
         {"clusters": {"analytics": {"first_database": "reference"}}}, "is not among"),
        ("postgres.clusters." + "a" * 35, {"clusters": {"analytics": {}, "a" * 35: {}}}, "at most 31 are possible"),
        ("postgres.databases", {"databases": {"events": {**_EVENTS, "cluster": "analytics"}}}, "needs at least one"),
        ("postgres.consumers", {"authority": "operator", "consumers": {"shop": _CONSUMER}}, "set postgres.authority"),
        ("postgres.consumers.reference", {"consumers": {"reference": _CONSUMER}}, "is a service of this stack"),
        ("postgres.consumers.shop.databases.referenc",
         {"consumers": {"shop": {"databases": {"referenc": {}}}}}, "did you mean 'reference'"),
        ("postgres.consumers.shop.databases.events.role",
         {"consumers": {"shop": {"databases": {"events": {"role": "read_only"}}}}}, "has no read-only role"),
        ("postgres.consumers.shop.databases.events.endpoints",
         {"consumers": {"shop": {"databases": {"events": {"endpoints": ["ro", "ro"]}}}}}, "names one of them twice"),
        ("postgres.consumers.shop.databases.events.endpoints",
         {"clusters": {"analytics": {"instances": 1, "synchronous_standbys": 0}},
          "consumers": {"shop": {"databases": {"events": {"endpoints": ["rw", "ro"]}}}}}, "no standby to read from"),
        ("postgres.clusters.analytics.pooler.max_clients",
         {"consumers": {"shop": {"databases": {"events": {"pool_max": 1000}}}}}, "1000 connections"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_path_and_remedy(path: str, changes: dict[str, Any], words: str) -> None:
    assert words in refused(path, **changes)


def test_the_main_clusters_pool_is_not_filled_by_clients_of_another() -> None:
    use = {"events": {"pool_max": 190}, "reference": {"pool_max": 10}}
    loaded(consumers={"shop": {"databases": use}})


def test_two_clusters_need_room_for_both() -> None:
    quota = {**settings("dev")["quota"], "storage_gib": 7}
    load("dev", settings("dev", quota=quota), {})
    found = complaint("dev", "quota.storage_gib", postgres=postgres(), quota=quota)
    assert "must be at least 13" in found


def _backed_up(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  # values of a stack file
    """The section of backups into the node, with changes."""
    return {**settings("dev")["backup"], "enabled": True, "local_store": True, **changes}


@pytest.mark.req("P19")
def test_each_cluster_has_a_drill_that_needs_room() -> None:
    load("dev", settings("dev", postgres=postgres(), quota=_ROOM, backup=_backed_up()), {})
    tight = {**_ROOM, "memory_mib": 1024}
    drill = {**settings("dev")["backup"]["drill"]}
    needed = [
        int(re.findall(r"at least (\d+)", complaint("dev", "quota.memory_mib", postgres=postgres(), quota=tight,
                                                    backup=_backed_up(drill={**drill, "enabled": enabled})))[0])
        for enabled in (True, False)
    ]  # fmt: skip
    assert needed[0] - needed[1] == 2 * (drill["memory_mib"] + 2 * 96), "for two clusters"


@pytest.mark.req("R10")
@pytest.mark.parametrize(
    ("own", "path", "words"),
    [
        ({"recovery": {"source": "analytics-database-1"}}, "recovery.source",
         "raise backup.clusters.analytics.generation"),
        ({"generation": 4, "recovery": {"source": "analytics-database-4"}}, "recovery.source",
         "is the archive that would be written to"),
        ({"recovery": {"source": "old-1", "time": "2026-11-26T12:00:00Z", "lsn": "0/1"}}, "recovery.lsn",
         "has no meaning beside time"),
    ],
)  # fmt: skip
def test_a_further_cluster_is_not_restored_from_what_it_writes(own: dict[str, Any], path: str, words: str) -> None:
    given = _backed_up(clusters={"analytics": own})
    found = complaint("dev", f"backup.clusters.analytics.{path}", postgres=postgres(), backup=given)
    assert words in found


def test_a_further_cluster_may_be_restored_while_the_main_one_stays() -> None:
    own = {"analytics": {"generation": 2, "recovery": {"source": "analytics-database-1", "lsn": "0/3000148"}}}
    given = settings("dev", postgres=postgres(), quota=_ROOM, backup=_backed_up(clusters=own))
    found = load("dev", given, {}).config.backup
    assert (found.of_cluster("database").recovery, found.of_cluster("database").generation) == (None, 1)
    assert found.of_cluster("analytics-database").generation == 2


@pytest.mark.req("R10")
def test_a_further_cluster_with_a_hyphen_is_restored_alone_like_any_other() -> None:
    given = postgres(clusters={"order-archive": {}})
    given["databases"]["events"]["cluster"] = "order-archive"
    own = {"order-archive": {"generation": 2, "recovery": {"source": "order-archive-database-1"}}}
    found = load("dev", settings("dev", postgres=given, quota=_ROOM, backup=_backed_up(clusters=own)), {}).config
    assert found.backup.of_cluster("order-archive-database").generation == 2
    assert found.backup.of_cluster("database").recovery is None


def test_each_clusters_drill_has_time_for_its_own_volume() -> None:
    given = _backed_up(clusters={"analytics": {"drill_deadline": "3h"}})
    found = load("dev", settings("dev", postgres=postgres(), quota=_ROOM, backup=given), {}).config.backup
    assert found.drill_seconds("analytics-database", 500) == 3 * 3600
    assert found.drill_seconds("database", 2) == 3600 + 2 * 60


def test_a_service_is_not_called_like_a_cluster() -> None:
    services = settings("dev")["services"]
    services["analytics-database"] = {**services["reference"], "databases": {}, "rollout": {"enabled": False}}
    found = complaint("dev", "postgres.clusters.analytics", postgres=postgres(), services=services)
    assert "objects called analytics-database, as service analytics-database" in found


def test_without_the_environments_authority_its_certificates_are_refused() -> None:
    certificates = {**settings("dev")["certificates"], "enabled": False}
    found = complaint("dev", "postgres.authority", postgres=postgres(), certificates=certificates)
    assert "needs the environment's authority" in found


def test_migrations_wait_for_no_database_of_another_cluster() -> None:
    given = postgres()
    given["databases"]["events"]["migrations"] = {"directory": "migrations/reference", "after": ["reference"]}
    found = complaint("dev", "postgres.databases.events.migrations.after", postgres=given)
    assert "is in another cluster" in found
