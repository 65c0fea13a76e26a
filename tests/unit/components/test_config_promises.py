"""Objectives, backups and ages of credentials: each rule alone with its words."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from omnibase_infra.config import backup, load, rotation
from omnibase_infra.config.errors import ConfigError
from omnibase_infra.config.objectives import Objective
from omnibase_infra.config.timetable import longest_gap

from tests.unit.components.test_config_rules import complaint, settings

TODAY = datetime.date(2026, 12, 24)
TARGET = {
    "bucket": "s3://omnibase-backups/prod",
    "endpoint": "https://objects.example.test",
    "cidrs": ["192.0.2.96/28"],
    "access_key": "backup-access-key",
    "secret_key": "backup-secret-key",
}


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (backup, rotation):
        monkeypatch.setattr(module, "today", lambda: TODAY)


def problem(stack: str, path: str, **changes: Any) -> str:  # noqa: ANN401 -- values of a stack file
    return complaint(stack, path, **changes).removeprefix(f"Pulumi.{stack}.yaml: {path} = ")


@pytest.mark.req("P19", "V14", "V20", "C5.5", "R13")
@pytest.mark.parametrize(
    ("stack", "path", "changes", "said"),
    [
        (
            "prod",
            "backup.enabled",
            {"backup__enabled": False},
            "false: must be true in prod; what is lost with the cluster would be lost for ever",
        ),
        (
            "prod",
            "backup.target",
            {"backup__target": None},
            "nothing: is required; name a bucket outside of the cluster: backup.target.bucket",
        ),
        (
            "prod",
            "backup.wal_retention",
            {"backup__wal_retention": "7d"},
            "\"7d\": is an unknown key; did you mean 'retention'?",
        ),
        (
            "prod",
            "backup.target.endpoint",
            {"backup__target__endpoint": "https://minio.storage.svc"},
            "https://minio.storage.svc: must be outside of the cluster; "
            "a backup that is lost together with the cluster is none",
        ),
        (
            "dev",
            "backup.target.endpoint",
            {"backup__target": {**TARGET, "endpoint": "http://store.example.test"}},
            "http://store.example.test: must be https; backups hold all data",
        ),
        (
            "dev",
            "backup.target.access_key",
            {"backup__target": {**TARGET, "access_key": "receipt-keys"}},
            "receipt-keys: is not among secrets.entries; did you mean 'receipt-key'?",
        ),
        (
            "dev",
            "backup.restored_on",
            {"backup__restored_on": "2026-12-25"},
            "2026-12-25: must not be after today, 2026-12-24; write the day of the last proof",
        ),
        (
            "prod",
            "backup.restored_on",
            {"backup__restored_on": "2026-09-24"},
            "2026-09-24: is 91 days ago, more than restore_every = 90d; restore into a new cluster, then write the day",
        ),
        (
            "staging",
            "rotation.enabled",
            {"rotation__enabled": False},
            "false: must be true in staging; a credential that nobody looks at becomes as old as the stack",
        ),
        (
            "prod",
            "rotation.since",
            {"rotation__since": None},
            "nothing: is required: without it nobody knows how old credentials are; "
            "write the day of the first deployment, for example 2026-11-26",
        ),
        (
            "prod",
            "rotation.made.secrets.receipt-key",
            {"rotation__made__secrets": {"receipt-key": "2026-12-25"}},
            "2026-12-25: must not be after today, 2026-12-24; write the day on which it was made",
        ),
        (
            "prod",
            "rotation.made.secrets.receipt-kei",
            {"rotation__made__secrets": {"receipt-kei": "2026-12-01"}},
            "receipt-kei: is not among secrets.entries; did you mean 'receipt-key'?",
        ),
        (
            "prod",
            "rotation.made.clients.partners",
            {"rotation__made__clients": {"partners": "2026-12-01"}},
            "partners: is not among gateway.clients; did you mean 'partner'?",
        ),
        (
            "prod",
            "objectives.availability",
            {"objectives__availability": "100%"},
            "100%: must be below 100%; what may never fail has no budget; say how often it may",
        ),
        (
            "prod",
            "objectives.targets.notes.latency_share",
            {"objectives__targets__notes__latency_share": "93%"},
            "93%: must be above 93.1% with a window of 30d; "
            "the alert would wait for more failures than there are requests",
        ),
        (
            "prod",
            "objectives.targets.notes.service",
            {"objectives__targets__notes__service": "referense"},
            "referense: is not a service of this stack; did you mean 'reference'?",
        ),
        (
            "dev",
            "objectives.targets.notes.service",
            {
                "objectives__targets": {"notes": {"service": "worker"}},
                "services__worker": {"image": "reference", "health": {"command": ["/bin/true"]}},
            },
            "worker: serves no metrics, so nobody counts its requests; set services.worker.metrics",
        ),
        (
            "prod",
            "objectives.targets.other.service",
            {"objectives__targets__other": {"service": "reference"}},
            "reference: has an objective already: 'notes'; keep one",
        ),
        (
            "dev",
            "objectives.targets",
            {
                "objectives__targets": {"notes": {"service": "reference"}},
                "monitoring__enabled": False,
                "services__reference__rollout__enabled": False,
            },
            "1 objectives: need monitoring, which counts; set monitoring.enabled to true, or remove the objectives",
        ),
    ],
)
def test_a_promise_that_nobody_could_keep_is_refused_in_words(
    stack: str, path: str, changes: dict[str, Any], said: str
) -> None:
    assert problem(stack, path, **changes) == said


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        ("backup.schedule", {"backup__schedule": "15 * * *"}, "must be five cron fields"),
        ("backup.schedule", {"backup__schedule": "60 * * * *"}, "must be five cron fields"),
        ("backup.retention", {"backup__retention": "12h"}, "must be from 1d to 3650d"),
        ("backup.drill.deadline", {"backup__drill__deadline": "4m"}, "must be from 5m to 1d"),
        (
            "backup.target.bucket",
            {"backup__target": {**TARGET, "bucket": "backups"}},
            "must be a bucket with or without a prefix",
        ),
        (
            "backup.target.encryption",
            {"backup__target": {**TARGET, "encryption": "AES-256"}},
            "must be one of AES256, aws:kms",
        ),
        ("backup.restored_on", {"backup__restored_on": "24.12.2026"}, "must be a date such as 2027-05-31"),
        ("rotation.since", {"rotation__since": "2026-02-30"}, "must be a date such as 2027-05-31"),
        ("rotation.ages.secrets", {"rotation__ages__secrets": "12h"}, "must be from 1d to 730d"),
        ("objectives.window", {"objectives__window": "6d"}, "must be from 7d to 90d"),
        ("objectives.availability", {"objectives__availability": "99.9"}, "must be a share from 0% to 100%"),
        ("objectives.latency_ms", {"objectives__latency_ms": 200}, "must be one of 5, 10, 25, 50, 100, 250, 500, 1000"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_at_its_field(path: str, changes: dict[str, Any], said: str) -> None:
    assert said in problem("prod", path, **changes)


@pytest.mark.req("P19")
def test_the_last_good_day_of_a_restore_is_accepted() -> None:
    load("prod", settings("prod", backup__restored_on="2026-09-25"), {})
    load("dev", settings("dev", backup__restored_on="2020-01-01"), {})


def test_a_key_of_the_backups_store_needs_no_service_that_gets_it() -> None:
    changes = {
        "secrets__entries__store-key": {"source": "generated"},
        "backup__target": {**TARGET, "access_key": "store-key"},
    }
    assert "secrets.entries.store-key" not in str(refused("prod", **changes))
    changes["backup__target"] = TARGET
    assert "is given to no service" in complaint("prod", "secrets.entries.store-key", **changes)


def refused(stack: str, **changes: Any) -> ConfigError:  # noqa: ANN401 -- values of a stack file
    with pytest.raises(ConfigError) as caught:
        load(stack, settings(stack, **changes), {})
    return caught.value


LOCAL = {"backup__enabled": True, "backup__local_store": True}


@pytest.mark.req("P19")
@pytest.mark.parametrize(
    ("stack", "path", "changes", "said"),
    [
        (
            "prod",
            "backup.target.endpoint",
            {"backup__target__endpoint": None},
            "nothing: is required where backups are made; the store's https address",
        ),
        (
            "staging",
            "backup.target.cidrs",
            {"backup__target__cidrs": []},
            "nothing: is required where backups are made; its networks: from the database nothing else outside can be "
            "reached",
        ),
        (
            "prod",
            "backup.target.secret_key",
            {"backup__target__secret_key": None},
            "nothing: is required where backups are made; an entry of secrets.entries, imported or external",
        ),
        (
            "prod",
            "backup.local_store",
            {"backup__local_store": True},
            "true: is for the local node in dev and test; a backup that is lost together with the cluster is none; "
            "name a target",
        ),
        (
            "dev",
            "backup.target",
            {**LOCAL, "backup__target": TARGET},
            "a section: has no meaning beside local_store; remove one of them",
        ),
        (
            "dev",
            "backup.target",
            {"backup__enabled": True},
            "nothing: is required; name a bucket outside of the cluster: backup.target.bucket",
        ),
        (
            "prod",
            "backup.drill.enabled",
            {"backup__drill__enabled": False},
            "false: must be true in prod; a backup that was never restored is a hope",
        ),
        (
            "prod",
            "backup.drill.schedule",
            {"backup__drill__schedule": "40 3 1 1 *", "backup__drill__deadline": "2h"},
            "40 3 1 1 *: must come round and end, after 120 min at most, within restore_every = 90d; drill more often, "
            "or lower backup.drill.deadline",
        ),
        (
            "prod",
            "backup.drill.schedule",
            {"backup__restore_every": "7d", "backup__restored_on": TODAY.isoformat(), "backup__drill__deadline": "5m"},
            "40 3 * * 0: must come round and end, after 5 min at most, within restore_every = 7d; drill more often, or "
            "lower backup.drill.deadline",
        ),
        (
            "prod",
            "backup.recovery.source",
            {"backup__recovery": {"source": "database-1"}},
            "database-1: is the archive that would be written to; raise backup.generation: what was archived must "
            "stay as it is",
        ),
        (
            "prod",
            "backup.recovery.lsn",
            {"backup__recovery": {"source": "database-9", "time": "2026-11-26T12:00:00Z", "lsn": "0/30"}},
            "0/30: has no meaning beside time; remove one of them",
        ),
        (
            "prod",
            "backup.recovery.time",
            {"backup__recovery": {"source": "database-9", "time": "2026-12-26T00:00:00Z"}},
            "2026-12-26T00:00:00Z: is in the future; a restore ends with the newest log that there is",
        ),
        (
            "prod",
            "backup.clusters.analytics",
            {"backup__clusters": {"analytics": {"generation": 2}}},
            "analytics: is not among postgres.clusters",
        ),
        (
            "dev",
            "backup.recovery",
            {"backup__recovery": {"source": "database-9"}},
            "a section: needs backup.enabled; the archive is read as it is written",
        ),
        (
            "dev",
            "backup.drill.enabled",
            {**LOCAL, "postgres__version": 18},
            "true: needs a drill of PostgreSQL 18; switch it off, or name an image of it under images.references; the "
            "one built here is 17",
        ),
        (
            "prod",
            "images.references.drill",
            {"postgres__version": 18},
            "registry.example.test/omnibase/drill:17.6: must be tagged 18; a drill of the version restores what the "
            "version wrote",
        ),
    ],
)
def test_a_backup_or_a_restore_that_cannot_be_is_refused_with_what_to_do(
    stack: str, path: str, changes: dict[str, Any], said: str
) -> None:
    assert problem(stack, path, **changes) == said


@pytest.mark.req("P19")
def test_a_drill_has_time_for_all_that_the_databases_volume_holds() -> None:
    backup = load("prod", settings("prod"), {}).config.backup
    assert backup.drill_seconds("database", 100) == 3600 + 100 * 60
    assert backup.drill_seconds("database", 16_384) == 86_400, "what a job may have at most"
    asked = load("prod", settings("prod", backup__drill__deadline="2h"), {}).config.backup
    assert asked.drill_seconds("database", 100) == 7200


@pytest.mark.parametrize("lsn", ["3000148", "0/", "0/3000148x", "123456789/0", "0/30 00"])
def test_a_position_to_restore_to_has_two_halves(lsn: str) -> None:
    changes = {"backup__recovery": {"source": "database-9", "lsn": lsn}}
    assert "must be a position in the log such as 0/3000148" in problem("prod", "backup.recovery.lsn", **changes)


def test_a_moment_of_tomorrow_may_be_one_of_today_elsewhere() -> None:
    changes = {"source": "database-9", "time": "2026-12-25T09:00:00+14:00"}
    load("prod", settings("prod", backup__recovery=changes), {})


def test_a_part_that_sends_needs_room_for_one_base_backup_and_one_segment() -> None:
    assert "greater than or equal to 192" in problem(
        "prod", "backup.sidecar_memory_mib", backup__sidecar_memory_mib=191
    )


def test_a_moment_to_restore_to_has_a_zone() -> None:
    changes = {"backup__recovery": {"source": "database-9", "time": "2026-11-26T12:00:00"}}
    assert "must be a moment with its zone" in problem("prod", "backup.recovery.time", **changes)


def test_a_local_store_needs_nothing_else() -> None:
    load("dev", settings("dev", **LOCAL), {})
    without = {**LOCAL, "certificates__enabled": False}
    assert "needs certificates.enabled" in problem("dev", "backup.enabled", **without)


@pytest.mark.parametrize(
    ("table", "seconds"),
    [
        ("15 * * * *", 3600),
        ("*/20 * * * *", 1200),
        ("30 3 * * *", 86_400),
        ("0 6,18 * * *", 43_200),
        ("40 3 * * 0", 7 * 86_400),
        ("40 3 * * 7", 7 * 86_400),
        ("0 0 1 * *", 31 * 86_400),
        ("0 0 1 * 1", 7 * 86_400),
        ("0 0 1 1 *", 366 * 86_400),
        ("10 9-17 * * 1-5", (2 * 24 + 16) * 3600),
    ],
)
def test_the_longest_gap_of_a_time_table(table: str, seconds: int) -> None:
    assert longest_gap(table) == seconds


@pytest.mark.req("C5.5")
def test_every_credential_that_is_rotated_here_has_a_day() -> None:
    made = {"secrets": {"receipt-key": "2026-12-01"}, "clients": {}, "database": "2026-12-02"}
    config = load("prod", settings("prod", rotation__since="2026-11-26", rotation__made=made), {}).config
    due = rotation.due_times(config.rotation, config.secrets, config.gateway, config.messaging)
    days = {name: datetime.datetime.fromtimestamp(time, tz=datetime.UTC).date() for name, time in due.items()}
    others = datetime.date(2027, 2, 24)
    named = {"receipt-key": datetime.date(2027, 3, 1)}
    kept = [name for name, entry in config.secrets.entries.items() if entry.source != "external"]
    assert days == {
        **{f"secrets.entries.{name}": named.get(name, others) for name in kept},
        **{f"gateway.clients.{name}": others for name in config.gateway.clients},
        "postgres.password_generation": datetime.date(2027, 3, 2),
        "messaging.credential_generation": others,
    }


def test_what_a_store_rotates_is_not_watched_here() -> None:
    changes: dict[str, Any] = {
        "secrets__entries__receipt-key": {"source": "external", "remote_key": "receipts"},
        "secrets__store": {"name": "vault"},
    }
    config = load("prod", settings("prod", **changes), {}).config
    due = rotation.due_times(config.rotation, config.secrets, config.gateway, config.messaging)
    assert "secrets.entries.receipt-key" not in due
    text = problem(
        "prod",
        "rotation.made.secrets.receipt-key",
        rotation__made__secrets={"receipt-key": "2026-12-01"},
        **changes,
    )
    assert text == "receipt-key: is external: its store rotates it; remove it"


def test_dev_watches_no_ages() -> None:
    config = load("dev", settings("dev"), {}).config
    assert rotation.due_times(config.rotation, config.secrets, config.gateway, config.messaging) == {}


def test_an_objective_says_only_what_differs() -> None:
    targets = {"notes": {"service": "reference", "latency_ms": 250, "availability": "99.95%"}}
    objectives = load("prod", settings("prod", objectives__targets=targets), {}).config.objectives
    assert objectives.effective() == [
        Objective(service="reference", availability=0.9995, latency_ms=250, latency_share=0.95)
    ]
    assert objectives.fastest_burn == pytest.approx(14.4)
    assert not load("dev", settings("dev"), {}).config.objectives.enabled
