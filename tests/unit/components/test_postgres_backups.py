"""Backups of a cluster and clusters out of backups: what is asked of operator and plugin, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from omnibase_infra.network import Party
from omnibase_infra.postgres import backups, cluster_spec
from omnibase_infra.postgres.checks import problems

from tests.stacks.support import schemas
from tests.stacks.support.samples import postgres

STORE = {
    "destination": "s3://backups/test",
    "endpoint": "https://objects.example.test",
    "secret": "store-keys",
    "access_key": "access-key",
    "secret_key": "secret-key",
    "ca_secret": "store-ca",
    "party": {"name": "store", "cidrs": ["192.0.2.96/28"]},
}
BACKUPS = {"store": STORE, "schedule": "15 * * * *", "retention_days": 30}
DRILL: Party = {"name": "drill", "namespace": "space", "labels": {"app.kubernetes.io/name": "drill"}}


def spec(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    found: dict[str, Any] = cluster_spec.cluster("db", postgres(**changes))["spec"]
    return found


@pytest.mark.req("P19", "V14")
def test_the_log_is_archived_by_the_plugin_into_an_archive_with_a_generation() -> None:
    found = spec(backups=BACKUPS)
    assert found["plugins"] == [
        {
            "name": "barman-cloud.cloudnative-pg.io",
            "isWALArchiver": True,
            "parameters": {"barmanObjectName": "db-backups", "serverName": "db-1"},
        }
    ]
    assert found["postgresql"]["parameters"]["archive_timeout"] == "300s"
    assert "backup" not in found, "the operator's own support is deprecated"


@pytest.mark.parametrize(
    "changes",
    [
        {"backups": BACKUPS},
        {"backups": {**BACKUPS, "generation": 2}, "recovery": {"source": "db-1", "target_lsn": "0/3000148"}},
        {"recovery": {"source": "other-1", "store": STORE, "target_time": "2026-11-26T12:00:00Z"}},
        {"backups": BACKUPS, "inspectors": {"drill": DRILL}},
    ],
)
def test_every_object_fits_the_definitions_of_operator_and_plugin(changes: dict[str, Any]) -> None:
    args = postgres(**changes)
    objects = [cluster_spec.cluster("db", args), *backups.objects("db", args).values()]
    objects += [backups.schedule("db", args)] if "backups" in changes else []
    assert [problem for each in objects for problem in schemas.problems(each)] == []
    assert problems("db", args) == []


def test_a_backup_is_made_at_once_and_then_by_the_hour_with_the_operators_six_fields() -> None:
    found = backups.schedule("db", postgres(backups=BACKUPS))["spec"]
    assert (found["schedule"], found["immediate"], found["method"]) == ("0 15 * * * *", True, "plugin")


def test_what_is_older_than_asked_is_removed_but_never_from_an_archive_that_is_only_read() -> None:
    args = postgres(backups=BACKUPS, recovery={"source": "old-3", "store": STORE})
    found = backups.objects("db", args)
    assert found["store"]["spec"]["retentionPolicy"] == "30d"
    assert "retentionPolicy" not in found["origin"]["spec"]


@pytest.mark.req("C7.1")
@pytest.mark.parametrize("encryption", ["AES256", "aws:kms"])
def test_the_store_is_asked_to_encrypt_what_is_written_and_nothing_is_asked_of_one_that_is_read(
    encryption: str,
) -> None:
    store = {**STORE, "encryption": encryption}
    args = postgres(backups={**BACKUPS, "store": store}, recovery={"source": "old-3", "store": store})
    assert problems("db", args) == []
    found = backups.objects("db", args)
    assert [problem for each in found.values() for problem in schemas.problems(each)] == []
    asked = {
        role: {part: each["spec"]["configuration"][part].get("encryption") for part in ("wal", "data")}
        for role, each in found.items()
    }
    assert asked == {"store": {"wal": encryption, "data": encryption}, "origin": {"wal": None, "data": None}}


def test_where_nothing_is_said_the_bucket_decides_how_it_encrypts() -> None:
    assert "encryption" not in str(backups.objects("db", postgres(backups=BACKUPS)))


@pytest.mark.parametrize("memory", [*range(192, 640, 8), 65_536])
def test_barman_has_no_more_processes_at_once_than_have_room(memory: int) -> None:
    # as measured with a database of 1 GiB: the plugin and a base backup, each of its workers, each segment of the log
    configuration = backups.objects("db", postgres(backups={**BACKUPS, "sidecar_memory_mib": memory}))["store"]["spec"][
        "configuration"
    ]
    workers, segments = configuration["data"]["jobs"], configuration["wal"]["maxParallel"]
    assert workers >= 1 and segments >= 1  # noqa: PT018 -- one claim
    assert 40 + 36 + workers * 38 + segments * 59 <= memory


@pytest.mark.parametrize(
    ("memory", "workers", "segments"), [(192, 1, 1), (320, 2, 2), (423, 2, 3), (424, 2, 4), (4096, 2, 4)]
)
def test_with_more_memory_more_of_the_log_is_sent_at_once(memory: int, workers: int, segments: int) -> None:
    assert backups.parallel(memory) == (workers, segments)


def test_a_cluster_out_of_an_archive_is_made_to_the_position_that_was_asked_for() -> None:
    found = spec(backups={**BACKUPS, "generation": 2}, recovery={"source": "db-1", "target_lsn": "0/3000148"})
    assert found["bootstrap"]["recovery"]["recoveryTarget"] == {"targetLSN": "0/3000148"}


def test_a_cluster_out_of_an_archive_is_made_to_the_moment_that_was_asked_for() -> None:
    moment = "2026-11-26T12:00:00Z"
    found = spec(backups={**BACKUPS, "generation": 2}, recovery={"source": "db-1", "target_time": moment})
    assert found["bootstrap"] == {
        "recovery": {
            "source": "origin",
            "database": "reference",
            "owner": "reference_owner",
            "recoveryTarget": {"targetTime": moment},
        }
    }
    assert found["externalClusters"][0]["plugin"]["parameters"]["serverName"] == "db-1"
    assert found["plugins"][0]["parameters"]["serverName"] == "db-2"


def test_an_inspector_reads_everything_changes_nothing_and_comes_from_its_own_pods_only() -> None:
    found = spec(inspectors={"drill": DRILL})
    role = next(each for each in found["managed"]["roles"] if each["name"] == "drill")
    assert role["inRoles"] == ["pg_monitor", "pg_read_all_data"]
    assert (role["superuser"], role["createdb"], role["createrole"], role["bypassrls"]) == (False, False, False, True)
    assert "hostssl all drill ${podselector:inspector-drill} scram-sha-256" in found["postgresql"]["pg_hba"]
    assert {"name": "inspector-drill", "selector": {"matchLabels": DRILL["labels"]}} in found["podSelectorRefs"]


@pytest.mark.req("P19")
@pytest.mark.parametrize(("count", "limit"), [(1, 20), (9, 20), (20, 42)])
def test_an_inspector_may_read_all_databases_at_one_moment_twice_at_once(count: int, limit: int) -> None:
    several = {f"db{number}": {"owner": f"owner{number}", "app_role": f"app{number}"} for number in range(count)}
    found = spec(databases=several, first_database="db0", inspectors={"drill": DRILL})
    assert [each["connectionLimit"] for each in found["managed"]["roles"] if each["name"] == "drill"] == [limit]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"backups": {**BACKUPS, "store": {**STORE, "destination": "backups"}}},
            "backups.store.destination='backups' must be a bucket such as s3://backups/orders",
        ),
        (
            {"backups": {**BACKUPS, "store": {**STORE, "endpoint": "http://objects.example.test"}}},
            "backups.store.endpoint='http://objects.example.test' must be an https address: backups hold all data",
        ),
        (
            {"backups": {**BACKUPS, "store": {**STORE, "encryption": "aes"}}},
            "backups.store.encryption='aes' must be one of AES256, aws:kms; leave it out where the bucket itself is "
            "set to encrypt",
        ),
        ({"backups": {**BACKUPS, "retention_days": 0}}, "backups.retention_days=0 is outside 1..3650"),
        (
            {"backups": {**BACKUPS, "sidecar_memory_mib": 191}},
            "backups.sidecar_memory_mib=191 is outside 192..65536",
        ),
        ({"backups": {**BACKUPS, "archive_seconds": 5}}, "backups.archive_seconds=5 is outside 10..3600"),
        (
            {"backups": {**BACKUPS, "schedule": "0 15 * * * *"}},
            "backups.schedule='0 15 * * * *' must be five cron fields (minute hour day month weekday)",
        ),
        (
            {"backups": BACKUPS, "recovery": {"source": "db-1"}},
            "recovery.source='db-1' is the archive that this cluster would write to; raise backups.generation: what "
            "was archived must stay as it is",
        ),
        (
            {"recovery": {"source": "old-1"}},
            "recovery.store is required where the cluster itself has no backups: it says where the archive is",
        ),
        (
            {
                "backups": BACKUPS,
                "recovery": {"source": "old-1", "target_lsn": "0/1", "target_time": "2026-11-26T12:00:00Z"},
            },
            "recovery has target_time and target_lsn; name one of them",
        ),
        (
            {"backups": BACKUPS, "recovery": {"source": "old-1", "target_time": "2026-11-26 12:00"}},
            "recovery.target_time='2026-11-26 12:00' must be a moment with its zone such as 2026-11-26T12:00:00Z",
        ),
        (
            {"backups": BACKUPS, "recovery": {"source": "old-1", "target_lsn": "12"}},
            "recovery.target_lsn='12' must be a position such as 0/3000148",
        ),
    ],
)  # fmt: skip
def test_a_backup_or_restore_that_cannot_be_is_refused_with_what_to_do(changes: dict[str, Any], said: str) -> None:
    assert problems("db", postgres(**changes)) == [said]
