"""`ops rollback database` on the real stack: a change with which nothing starts is deployed, and taken back."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from local.paths import Paths
from ops.stackfile import with_value
from tests.cluster.conftest import Kubectl
from tests.cluster.failure_report import told
from tests.cluster.platform_kit import NAMESPACE, STACK, Service, database_is_whole, silent_engine

_MORE_THAN_A_NODE_HAS = 9_000
"""Thousandths of a core."""
_POSTGRES = "omnibase-infra:postgres"


def rollback(paths: Paths, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(paths.venv / "bin" / "ops"), "rollback", "database", *arguments, "--stack", STACK]
    return subprocess.run(command, cwd=paths.root, capture_output=True, text=True, check=False, timeout=900)


def with_no_room(text: str, *path: str) -> str:
    """A stack file that asks for more than the node has, which the quota allows."""
    bad = with_value(text, ["config", _POSTGRES, *path, "cpu_request_millis"], _MORE_THAN_A_NODE_HAS)
    return with_value(bad, ["config", "omnibase-infra:quota"], {"cpu_request_millis": 100_000})


@pytest.mark.req("C2.5", "P14", "R31")
def test_a_change_of_the_database_that_does_not_start_is_taken_back_by_its_health(
    stack_file: Path, paths: Paths, service: Service, kubectl: Kubectl
) -> None:
    kept, key = stack_file.read_text(), str(uuid.uuid4())
    assert service.write(key)[0] in (200, 201)
    stack_file.write_text(with_no_room(kept))
    engine, said = silent_engine(paths)
    assert engine.up() == 0, said()  # the operator has hardly begun when it ends

    started = time.monotonic()
    failed = rollback(paths, "--yes", "--json")
    print(f"taken back within {time.monotonic() - started:.0f} s\n{failed.stderr}")
    assert failed.returncode == 1, told(failed.stderr)
    found = json.loads(failed.stdout)
    assert "not scheduled: " in found["error"]
    assert "runs again, healthy" in found["error"]
    assert found["changed"] == {"postgres.cpu_request_millis": {"from": 9000, "to": None}}
    assert [each["healthy"] for each in found["clusters_now"]] == [True]
    text = stack_file.read_text()
    assert "UTC, as the database did not start with it: postgres.cpu_request_millis was 9000\n" in text
    assert set(kept.splitlines()) < set(text.splitlines()), "comments of the stack file stay"

    assert database_is_whole(kubectl)
    again = rollback(paths)
    assert again.returncode == 0, told(again.stderr)
    assert "database: 2 of 2 instances run what is declared: healthy" in again.stdout
    stored = service.keys()
    assert key in stored
    assert engine.preview("--expect-no-changes") == 0, said()


@pytest.mark.req("C2.5", "P14")
def test_poolers_that_do_not_start_are_taken_back_while_those_before_serve(
    stack_file: Path, paths: Paths, service: Service, kubectl: Kubectl
) -> None:
    stack_file.write_text(with_no_room(stack_file.read_text(), "pooler"))
    engine, said = silent_engine(paths)
    assert engine.up() == 0, said()

    started = time.monotonic()
    failed = rollback(paths, "--yes", "--json")
    print(f"taken back within {time.monotonic() - started:.0f} s\n{failed.stderr}")
    assert failed.returncode == 1, told(failed.stderr)
    found = json.loads(failed.stdout)
    assert "pod database-pooler-" in found["error"]
    assert "runs again, healthy" in found["error"]
    assert found["changed"] == {"postgres.pooler.cpu_request_millis": {"from": 9000, "to": None}}
    assert service.write(str(uuid.uuid4()))[0] in (200, 201)
    pods = kubectl.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="cnpg.io/podRole=pooler")
    alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert [pod["status"]["phase"] for pod in alive] == ["Running", "Running"]
