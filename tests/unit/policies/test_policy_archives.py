"""Stores and schedules of backups: what the rules' own examples do not show."""

from __future__ import annotations

from typing import Any

import pytest
from omnibase_policies import State, evaluate
from omnibase_policies.examples import example

BARMAN = {"name": "barman-cloud.cloudnative-pg.io"}
TAGGED, PINNED = "registry.example/postgres:17", f"registry.example/postgres:17@sha256:{'1' * 64}"


def broken(changes: dict[str, Any]) -> set[str]:
    found = evaluate([example(changes)], tier="prod", together=False)
    return {each.rule for each in found if each.state is State.VIOLATED}


@pytest.mark.req("V14")
@pytest.mark.parametrize(
    "place",
    [
        {"spec.backup": {"barmanObjectStore": {"endpointURL": "http://objects.example"}, "retentionPolicy": "8w"}},
        {"spec.externalClusters": [{"name": "old", "barmanObjectStore": {"endpointURL": "http://objects.example"}}]},
        {"spec.externalClusters": [{"name": "old", "barmanObjectStore": {"destinationPath": "http://a.example/b"}}]},
    ],
)
def test_stores_that_a_cluster_names_itself_are_reached_by_tls_as_well(place: dict[str, Any]) -> None:
    assert broken({"kind": "Cluster", **place}) - {"cnpg-archive-encrypted"} == {"cnpg-archive-tls"}


def test_what_is_read_need_not_be_encrypted_by_us_and_stores_of_azure_always_are() -> None:
    read = {"destinationPath": "s3://old/", "endpointURL": "https://objects.example"}
    assert broken({"kind": "Cluster", "spec.externalClusters": [{"name": "old", "barmanObjectStore": read}]}) == set()
    azure = {"destinationPath": "https://orders.blob.core.windows.net/backups", "azureCredentials": {}}
    assert broken({"kind": "ObjectStore", "spec.configuration": azure}) == set()
    s3 = {"destinationPath": "s3://orders/"}
    assert broken({"kind": "ObjectStore", "spec.configuration": s3}) == {"cnpg-archive-encrypted"}


def test_stores_and_schedules_of_other_operators_are_not_judged() -> None:
    for kind in ("ObjectStore", "ScheduledBackup"):
        changes = {
            "kind": kind,
            "apiVersion": "other.example/v1",
            "spec.schedule": "daily",
            "spec.retentionPolicy": None,
        }
        assert broken(changes) == set()


@pytest.mark.req("V14")
@pytest.mark.parametrize(
    ("plugins", "is_refused"),
    [
        ([{**BARMAN, "isWALArchiver": True}], False),
        ([BARMAN], True),
        ([{**BARMAN, "isWALArchiver": False}], True),
        ([{**BARMAN, "isWALArchiver": True, "enabled": False}], True),
    ],
)
def test_backups_without_the_log_are_none(plugins: list[dict[str, Any]], is_refused: bool) -> None:
    changes = {"kind": "Cluster", "spec.backup": None, "spec.plugins": plugins}
    assert ("cnpg-backed-up" in broken(changes)) is is_refused


@pytest.mark.parametrize(
    ("schedule", "is_refused"),
    [
        ("0 0 3 * * *", False),
        ("0 15 * * * MON-FRI", False),
        ("@daily", False),
        ("@every 6h", False),
        ("0 3 * * *", True),
        ("", True),
        (3, True),
    ],
)
def test_a_schedule_has_six_fields(schedule: object, is_refused: bool) -> None:
    changes = {"kind": "ScheduledBackup", "spec.schedule": schedule}
    assert ("cnpg-backup-six-fields" in broken(changes)) is is_refused


@pytest.mark.req("V4")
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("Cluster", {"spec.imageName": TAGGED}),
        ("Cluster", {"spec.postgresql.extensions": [{"name": "postgis", "image": {"reference": TAGGED}}]}),
        ("Pooler", {"spec.pgbouncer.image": TAGGED}),
        ("Cluster", {"kind": "Cluster", "spec.images": [{"major": 17, "image": TAGGED}]}),
    ],
)
def test_every_image_that_the_databases_operator_runs_is_named_by_digest(kind: str, place: dict[str, Any]) -> None:
    assert "image-digest" in broken({"kind": kind, **place})
    assert "image-digest" not in broken({"kind": kind, **{path: _pinned(value) for path, value in place.items()}})


def _pinned(value: object) -> object:
    """The same with every image by digest."""
    if isinstance(value, dict):
        return {key: _pinned(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_pinned(below) for below in value]
    return PINNED if value == TAGGED else value
