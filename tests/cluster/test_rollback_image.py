"""`ops rollback image` on the real service: forward, a digest that cannot start, back; callers are answered always."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.images.registry import Registry, machine_registry
from local.lock import exclusive
from local.paths import Paths
from tests.cluster.calls_kit import calling
from tests.cluster.conftest import Kubectl
from tests.cluster.failure_report import told
from tests.cluster.images_kit import with_configuration
from tests.cluster.node_kit import wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK, Service, silent_engine

_BROKEN = ["/usr/bin/python3.13", "-c", "raise SystemExit('broken on purpose')"]


def rollback(paths: Paths, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(paths.venv / "bin" / "ops"), "rollback", "image", *arguments, "--stack", STACK]
    return subprocess.run(command, cwd=paths.root, capture_output=True, text=True, check=False, timeout=1500)


@pytest.fixture(scope="module")
def stack_file(outputs: dict[str, Any], paths: Paths) -> Iterator[Path]:
    """The stack file, which a rollback changes; afterwards it and the environment are as before."""
    file = paths.root / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    yield file
    if file.read_text() != kept:  # a test failed half-way
        file.write_text(kept)
        engine, said = silent_engine(paths)
        assert engine.up() == 0, said()


@pytest.fixture(scope="module")
def registry(paths: Paths) -> Registry:
    return machine_registry(paths)


def images(kubectl: Kubectl) -> set[str]:
    """What the service's pods run; what is on its way out is not counted."""
    pods = kubectl.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="app.kubernetes.io/name=reference")
    alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return {container["image"] for pod in alive for container in pod["spec"]["containers"]}


def run_only(kubectl: Kubectl, image: str) -> None:
    """Assert that the service's pods run one image, once what the controllers owe has happened."""
    wait_for(lambda: images(kubectl) == {image}, 30, lambda: f"all pods run {image}, but {images(kubectl)}")


def reading(service: Service) -> str:
    """One call of the service."""
    status = service.call("GET", "/notes?limit=1", seconds=10)[0]
    return "" if status == 200 else f"status {status}"


def test_nothing_begins_that_cannot_end(stack_file: Path, paths: Paths) -> None:
    kept = stack_file.read_text()
    lost = rollback(paths, "reference", "--to", "sha256:" + "0" * 64, "--yes")
    assert lost.returncode == 2
    assert "the registry does not have" in lost.stderr
    with exclusive(paths, "make something else"):
        current = silent_engine(paths)[0].outputs()["images"]["reference"]
        locked = rollback(paths, "reference", "--to", current, "--yes")
    assert locked.returncode == 1
    assert "`make something else` (pid" in locked.stderr
    assert stack_file.read_text() == kept


@pytest.mark.req("R3", "R5", "R31", "C4.6")
def test_a_rollback_is_judged_taken_back_where_it_is_not_healthy_and_never_interrupts_the_service(
    stack_file: Path, registry: Registry, paths: Paths, service: Service, kubectl: Kubectl
) -> None:
    kept, original = stack_file.read_text(), silent_engine(paths)[0].outputs()["images"]["reference"]
    other = with_configuration(registry, original, Labels={"test": str(uuid.uuid4())})
    broken = with_configuration(registry, original, Entrypoint=_BROKEN)
    with calling(lambda: reading(service)) as calls:
        moved = rollback(paths, "reference", "--to", other, "--yes", "--now", "--watch", "3", "--json")
        assert moved.returncode == 0, told(moved.stderr)
        assert json.loads(moved.stdout)["runs"] == other
        run_only(kubectl, other)
        pinned = stack_file.read_text()
        assert f"      reference: {other} # rolled back " in pinned
        assert set(kept.splitlines()) < set(pinned.splitlines()), "comments of the stack file stay"

        started = time.monotonic()
        failed = rollback(paths, "reference", "--to", broken, "--yes", "--now", "--watch", "3")
        took = time.monotonic() - started
        assert failed.returncode == 1, told(failed.stdout)
        assert "was not healthy: pod reference-" in failed.stderr, told(failed.stderr)
        assert "'reference' runs" in failed.stderr.splitlines()[-2]
        run_only(kubectl, other)
        assert other in stack_file.read_text()
        assert broken not in stack_file.read_text()

        listed = json.loads(rollback(paths, "reference", "--list", "--json").stdout)
        marks = {each["reference"]: (each["current"], each["rejected"]) for each in listed["versions"]}
        assert marks[other] == (True, "")
        assert marks[broken] == (False, "was not healthy")

        back = rollback(paths, "reference", "--yes", "--watch", "3")
        assert back.returncode == 0, told(back.stderr)
    run_only(kubectl, original)  # the digest before, past the one that was rejected
    assert stack_file.read_text() == kept, "what the settings say themselves needs no pin"
    print(f"{calls.told()}; the failed rollback took {took:.0f} s")
    assert len(calls.made) > 50
    assert calls.hardly_missed(), calls.told()
    engine, said = silent_engine(paths)
    assert engine.preview("--expect-no-changes") == 0, said()
