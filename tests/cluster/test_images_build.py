"""Building, pushing and finding images again."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from local.errors import LocalError
from local.images import build, build_images, processes
from local.images.build import pulled_base
from local.images.catalogue import IMAGES
from local.images.registry import Registry, machine_registry
from local.node import Node, control
from local.paths import Paths
from local.progress import Progress
from tests.cluster.images_kit import Docker
from tests.cluster.node_kit import all_ready, wait_for


@pytest.fixture
def progress(tmp_path: Path) -> Iterator[Progress]:
    """Prints into a file, which `said` reads."""
    with (tmp_path / "said").open("w") as file:
        yield Progress(Console(file=file, width=300))


@pytest.fixture
def registry(node: Node, paths: Paths) -> Registry:
    return machine_registry(paths)


@pytest.fixture
def variant(paths: Paths, image_references: dict[str, str], tmp_path: Path, progress: Progress) -> Iterator[Paths]:
    """A checkout whose `pause` was never built: other instances share the registry, and theirs must stay untouched."""
    root = tmp_path / "checkout"
    for directory in ("images", "services", *{image.source for image in IMAGES if image.source}):
        shutil.copytree(paths.root / directory, root / directory)
    with (root / "images/pause/Dockerfile").open("a") as dockerfile:
        dockerfile.write(f"LABEL test={uuid.uuid4()}\n")
    yield Paths(instance=paths.instance, root=root, cache=paths.cache, state=paths.state)
    assert build_images(paths, progress) == image_references  # lock file and tag `1` are the instance's own again


@pytest.mark.req("C4.6")
def test_a_second_build_changes_nothing_and_takes_seconds(
    paths: Paths, image_references: dict[str, str], progress: Progress
) -> None:
    started = time.monotonic()

    assert build_images(paths, progress) == image_references
    assert time.monotonic() - started < 90, "a build of all takes minutes; what else runs here may make this one wait"


def test_the_lock_file_says_what_was_built(paths: Paths, image_references: dict[str, str]) -> None:
    assert json.loads(paths.images_lock.read_text()) == {"images": image_references}


def test_an_image_that_the_registry_lost_is_there_again(variant: Paths, progress: Progress, registry: Registry) -> None:
    tag, digest = build_images(variant, progress)["pause"].split("pause:")[1].split("@")
    assert registry.ask("DELETE", f"/v2/omnibase/pause/manifests/{digest}")[0] == http.client.ACCEPTED
    assert registry.digest("omnibase/pause", tag) is None

    found = build_images(variant, progress)["pause"]

    assert found.split("@")[0].endswith(f"pause:{tag}")
    assert registry.digest("omnibase/pause", tag) == found.split("@")[1]
    assert registry.digest("omnibase/pause", "1") == found.split("@")[1]


def test_a_registry_that_is_down_is_one_clear_error_and_the_next_build_works(
    paths: Paths, image_references: dict[str, str], progress: Progress
) -> None:
    control.ask(paths, "stop-process", "registry", seconds=120)
    try:
        with pytest.raises(LocalError, match=r"registry 127\.0\.0\.1:5000 does not answer") as caught:
            build_images(paths, progress)
    finally:
        control.ask(paths, "start-process", "registry", seconds=120)
    assert "make up" in caught.value.hint
    wait_for(lambda: all_ready(paths), 30, "the registry")

    assert sorted(build_images(paths, progress)) == sorted(image_references)


def test_an_engine_that_is_down_is_one_clear_error_and_the_next_build_works(
    variant: Paths, paths: Paths, progress: Progress
) -> None:
    control.ask(paths, "stop-process", "dockerd", seconds=120)
    try:
        with pytest.raises(LocalError, match="the Docker engine does not answer"):
            build_images(variant, progress)
    finally:
        control.ask(paths, "start-process", "dockerd", seconds=120)
    wait_for(lambda: all_ready(paths), 60, "dockerd")

    assert "pause" in build_images(variant, progress)


@pytest.mark.usefixtures("node")
def test_a_base_that_can_be_pulled_is_taken_and_another_is_replaced_with_a_line_why(
    paths: Paths, image_references: dict[str, str], progress: Progress, tmp_path: Path
) -> None:
    reachable = image_references["pause"]

    assert pulled_base(paths, progress, reachable) == reachable
    assert pulled_base(paths, progress, "127.0.0.1:5000/omnibase/absent:1") == ""
    progress.console.file.flush()
    assert "the base made by mmdebstrap is used" in (tmp_path / "said").read_text()


def test_a_failed_build_names_its_log_and_the_command_to_repeat(variant: Paths, progress: Progress) -> None:
    before = variant.images_lock.read_text()
    (variant.root / "images/pause/Dockerfile").write_text("FROM scratch\nCOPY bin/nothing /\n")

    with pytest.raises(LocalError, match="step 'image pause' failed") as caught:
        build_images(variant, progress)
    assert "image-pause.log" in caught.value.hint
    assert "make up" in caught.value.hint
    assert "bin/nothing" in (variant.step_logs / "image-pause.log").read_text()
    assert variant.images_lock.read_text() == before


@pytest.fixture
def small_cache(variant: Paths, tmp_path: Path) -> Iterator[Paths]:
    """A cache on a disk of its own, on which the programs of `pause` just have room; its registry's blobs lie there."""
    place = tmp_path / "small"
    place.mkdir()
    program = variant.bin / "pause"
    size = program.stat().st_size + (500 << 10)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        (place / "bin").mkdir()
        shutil.copy2(program, place / "bin")
        (place / "debs").symlink_to(variant.cache / "debs")
        (place / "images/debian").mkdir(parents=True)
        (place / "images/debian/rootfs.tar").touch()  # asked for by name; nothing here is built on it
        yield replace(variant, cache=place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def small_registry(small_cache: Paths, node: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry on that disk, in the node's network."""
    spec = next(each for each in processes(small_cache, node.plan) if each.name == "registry")
    address = "127.0.0.1:5009"
    environment = {**os.environ, **spec.env, "REGISTRY_HTTP_ADDR": address}
    serving = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{node.plan.name}", *spec.argv], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        registry = machine_registry(small_cache, address)
        wait_for(lambda: _answers(registry), 30, "the registry on the small disk")
        monkeypatch.setattr(build, "REPOSITORY", f"{address}/omnibase")
        monkeypatch.setattr(build, "ENGINE_REPOSITORY", "0.0.0.0:5009/omnibase")
        yield
    finally:
        monkeypatch.undo()  # the next fixture to end builds the instance's own images
        serving.terminate()
        serving.wait(60)


def _answers(registry: Registry) -> bool:
    try:
        registry.digest("omnibase/pause", "1")
    except LocalError:
        return False
    return True


@pytest.mark.usefixtures("small_registry")
def test_a_disk_without_room_for_a_push_is_one_message_and_room_lets_the_next_build_finish(
    small_cache: Paths, progress: Progress
) -> None:
    only = [image for image in IMAGES if image.name == "pause"]
    started = time.monotonic()
    with pytest.raises(LocalError, match=r"image pause' failed: it has 1\.\d MiB, and the registry's disk") as caught:
        build_images(small_cache, progress, only)
    assert "make room (docs/runbooks/disk-full.md); then run `make up` again" in caught.value.hint
    assert time.monotonic() - started < 120

    subprocess.run(["mount", "-o", "remount,size=64m", small_cache.cache], check=True)

    assert build_images(small_cache, progress, only)["pause"].startswith("127.0.0.1:5009/omnibase/pause:")


def test_every_image_can_be_pulled_by_its_digest(node: Node, paths: Paths, image_references: dict[str, str]) -> None:
    docker = Docker(paths=paths)

    for reference in image_references.values():
        docker("pull", "--quiet", reference)
    wait_for(lambda: node.status().healthy, 60, "the node is healthy after all the pulling")
