"""`ops rollback image` on the real service: forward, a digest that cannot start, back; callers are answered always."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.images.registry import Registry, machine_registry
from local.lock import exclusive
from local.paths import Paths
from tests.cluster.conftest import Kubectl
from tests.cluster.images_kit import with_configuration
from tests.cluster.platform_kit import NAMESPACE, STACK, Service, silent_engine

_BROKEN = ["/usr/bin/python3.13", "-c", "raise SystemExit('broken on purpose')"]


def rollback(paths: Paths, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(paths.venv / "bin" / "ops"), "rollback", "image", *arguments, "--stack", STACK]
    return subprocess.run(command, cwd=paths.root, capture_output=True, text=True, check=False, timeout=500)


@pytest.fixture(scope="module")
def stack_file(outputs: dict[str, Any], paths: Paths) -> Iterator[Path]:
    """The stack file, which a rollback changes; afterwards it and the environment are as before."""
    file = paths.root / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    yield file
    file.write_text(kept)
    engine, said = silent_engine(paths)
    if engine.preview("--expect-no-changes") != 0:  # a test failed half-way
        assert engine.up() == 0, said()


@pytest.fixture(scope="module")
def registry(paths: Paths) -> Registry:
    return machine_registry(paths)


def images(kubectl: Kubectl) -> set[str]:
    """What the service's pods run, and what is on its way out not counted."""
    pods = json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=reference", "-o", "json"))
    alive = [pod for pod in pods["items"] if "deletionTimestamp" not in pod["metadata"]]
    return {container["image"] for pod in alive for container in pod["spec"]["containers"]}


@contextmanager
def calling(service: Service) -> Iterator[list[int]]:
    """Read notes again and again while the block runs; yields the statuses, 0 for no reply."""
    statuses: list[int] = []
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            statuses.append(service.call("GET", "/notes?limit=1", seconds=10)[0])
            time.sleep(0.1)

    caller = threading.Thread(target=loop, daemon=True)
    caller.start()
    try:
        yield statuses
    finally:
        stop.set()
        caller.join(timeout=30)


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
    with calling(service) as statuses:
        moved = rollback(paths, "reference", "--to", other, "--yes", "--now", "--watch", "5", "--json")
        assert moved.returncode == 0, moved.stderr[-4000:]
        assert json.loads(moved.stdout)["runs"] == other
        assert images(kubectl) == {other}
        pinned = stack_file.read_text()
        assert f"      reference: {other} # rolled back " in pinned
        assert set(kept.splitlines()) < set(pinned.splitlines()), "comments of the stack file stay"

        started = time.monotonic()
        failed = rollback(paths, "reference", "--to", broken, "--yes", "--now", "--watch", "5")
        took = time.monotonic() - started
        assert failed.returncode == 1, failed.stdout[-4000:]
        assert "was not healthy: pod reference-" in failed.stderr, failed.stderr[-4000:]
        assert "'reference' runs" in failed.stderr.splitlines()[-2]
        assert images(kubectl) == {other}
        assert other in stack_file.read_text()
        assert broken not in stack_file.read_text()

        listed = json.loads(rollback(paths, "reference", "--list", "--json").stdout)
        marks = {each["reference"]: (each["current"], each["rejected"]) for each in listed["versions"]}
        assert marks[other] == (True, "")
        assert marks[broken] == (False, "was not healthy")

        back = rollback(paths, "reference", "--yes", "--watch", "5")
        assert back.returncode == 0, back.stderr[-4000:]
    assert images(kubectl) == {original}, "the digest before, past the one that was rejected"
    assert stack_file.read_text() == kept, "what the settings say themselves needs no pin"
    bad = [status for status in statuses if status != 200]
    print(f"{len(bad)} of {len(statuses)} calls failed: {bad}; the failed rollback took {took:.0f} s")
    assert len(statuses) > 100
    assert len(bad) <= len(statuses) // 100
    engine, said = silent_engine(paths)
    assert engine.preview("--expect-no-changes") == 0, said()
