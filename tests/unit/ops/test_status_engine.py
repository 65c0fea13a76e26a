"""The engine's part of the status, read from an export and a history as the engine writes them."""

from __future__ import annotations

import datetime
from typing import Any

from ops.status.engine import engine_status

NOW = datetime.datetime(2026, 11, 25, 18, 0, tzinfo=datetime.UTC)
SIGNATURE = "4dabf18193072939515e22adb298388d"


def resource(type_: str, name: str, **fields: object) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:dev::omnibase-infra::{type_}::{name}", "type": type_, **fields}


EXPORT = {
    "version": 3,
    "deployment": {
        "resources": [
            resource(
                "pulumi:pulumi:Stack",
                "omnibase-infra-dev",
                outputs={
                    "service_url": "http://reference:8080",
                    "password": {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"},
                    "nested": [{"token": {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": "hush"}}],
                },
            ),
            resource("omnibase-infra:index:HardenedWorkload", "reference"),
            resource(
                "kubernetes:apps/v1:Deployment",
                "reference",
                inputs={
                    "metadata": {"namespace": "dev"},
                    "spec": {
                        "template": {
                            "spec": {
                                "initContainers": [{"name": "wait", "image": "r/wait:1"}],
                                "containers": [{"name": "reference", "image": "r/reference:1@sha256:aa"}],
                            }
                        }
                    },
                },
                outputs={"metadata": {"namespace": "dev", "name": "reference-1a2b"}},
            ),
            resource(
                "kubernetes:postgresql.cnpg.io/v1:Cluster",
                "main",
                inputs={
                    "metadata": {"namespace": "data", "name": "main"},
                    "spec": {"imageName": "r/postgres:17", "instances": 2},
                },
            ),
            resource(
                "kubernetes:postgresql.cnpg.io/v1:Pooler",
                "main-rw",
                inputs={
                    "metadata": {"namespace": "data", "name": "main-rw"},
                    "spec": {"instances": 1, "pgbouncer": {"image": "r/p:1"}},
                },
            ),
        ],
        "pending_operations": [{"resource": {"urn": "urn:pending"}, "type": "creating"}],
    },
}
HISTORY = [
    {
        "kind": "update",
        "startTime": "2026-11-25T16:59:00.000Z",
        "endTime": "2026-11-25T17:00:00.000Z",
        "result": "succeeded",
        "environment": {"git.head": "0123456789", "git.dirty": "true"},
    }
]


def test_the_last_update_is_told_with_its_age_and_commit() -> None:
    last = engine_status("dev", EXPORT, HISTORY, NOW).last_update
    assert last is not None
    assert (last.kind, last.result, last.age_seconds) == ("update", "succeeded", 3600.0)
    assert (last.commit, last.dirty) == ("0123456789", True)


def test_an_update_that_has_not_finished_is_dated_by_its_start() -> None:
    running = [{"kind": "update", "startTime": "2026-11-25T17:59:00Z", "result": "in-progress"}]
    last = engine_status("dev", EXPORT, running, NOW).last_update
    assert last is not None
    assert (last.age_seconds, last.commit) == (60.0, "")


def test_secret_outputs_are_hidden_at_every_depth_even_when_they_are_in_plain_text() -> None:
    outputs = engine_status("dev", EXPORT, HISTORY, NOW).outputs
    assert outputs == {
        "service_url": "http://reference:8080",
        "password": "[secret]",
        "nested": [{"token": "[secret]"}],
    }


def test_declared_images_are_found_under_the_name_that_the_cluster_gave() -> None:
    found = engine_status("dev", EXPORT, HISTORY, NOW)
    assert found.declared == {
        "dev/Deployment/reference-1a2b": {"wait": "r/wait:1", "reference": "r/reference:1@sha256:aa"},
        "data/Cluster/main": {"postgres": "r/postgres:17"},
        "data/Deployment/main-rw": {"pgbouncer": "r/p:1"},
    }
    assert found.namespaces == ("data", "dev")


def test_wanted_copies_are_read_where_the_stack_names_them() -> None:
    found = engine_status("dev", EXPORT, HISTORY, NOW)
    assert found.replicas == {"data/Cluster/main": 2, "data/Pooler/main-rw": 1}


def test_interrupted_operations_are_listed() -> None:
    assert engine_status("dev", EXPORT, HISTORY, NOW).pending == ("urn:pending",)


def test_a_stack_that_was_never_deployed_has_no_resources_and_no_update() -> None:
    found = engine_status("dev", {"version": 3, "deployment": {}}, [], NOW)
    assert (found.resources, found.last_update, found.outputs) == (0, None, {})
