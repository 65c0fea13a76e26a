"""Builds the images with the Docker engine and pushes them to the machine's registry.

An image's tag carries a hash over everything that goes into it. A tag that the registry has is therefore an image that
need not be built, whoever built it and on whichever node; one that the registry lost is built again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalError
from local.images.catalogue import DEBIAN, ENGINE_REPOSITORY, IMAGES, PAUSE_TAG, REPOSITORY, Image
from local.images.contents import Contents
from local.images.engine import docker
from local.images.registry import Registry, machine_registry
from local.paths import Paths
from local.progress import Progress
from local.steps import ROOM_HINT, Step, StepContext, run_steps, write_atomically

BASE_VARIABLE = "OMNIBASE_DEBIAN_IMAGE"
"""An image of Debian trixie to build on, best with its digest, where the engine can pull one."""

_CONTEXT = ".context-"
_KEEP_HOURS = 24


def build_images(
    paths: Paths, progress: Progress, images: Sequence[Image] = IMAGES, *, retry: str = "make up"
) -> dict[str, str]:
    """Make the registry hold these images, default all that every stack may need, and write `Paths.images_lock`.

    The registry must run, and the Docker engine too unless the registry has everything. `retry` is the command that the
    operator should give after mending a failure.

    Returns:
        References by name: `127.0.0.1:5000/omnibase/<name>:<version>-<hash>@sha256:<digest>`.

    Raises:
        LocalError: the registry or the engine does not answer, or a build failed (its log is named).
    """
    run = _Run(paths, progress, machine_registry(paths, REPOSITORY.partition("/")[0]), retry)
    references = run.all(images)
    write_atomically(paths.images_lock, json.dumps({"images": references}, indent=2, sort_keys=True) + "\n")
    return references


class _Run:
    """One call of build_images."""

    def __init__(self, paths: Paths, progress: Progress, registry: Registry, retry: str) -> None:
        self.paths, self.progress, self.registry, self.retry = paths, progress, registry, retry
        self.contents = Contents(paths)
        self.base = ""
        self._tags: dict[str, str] = {}

    def all(self, images: Sequence[Image]) -> dict[str, str]:
        self.base = (
            pulled_base(self.paths, self.progress, os.environ.get(BASE_VARIABLE, ""))
            or f"{REPOSITORY}/{DEBIAN.name}:{self._tag(DEBIAN)}"
        )
        absent = [image for image in images if self._digest(image) is None]
        if any(image.on_debian for image in absent) and self.base.startswith(f"{REPOSITORY}/{DEBIAN.name}:"):
            absent += [DEBIAN] if self._digest(DEBIAN) is None else []
        if absent:
            self._require_engine()
            run_steps([self._step(image, absent) for image in absent], self.paths, self.progress, retry=self.retry)
            # Stages of earlier builds. Those of the last day make the next build fast.
            _docker(self.paths, "image", "prune", "--force", f"--filter=until={_KEEP_HOURS}h")
        self._tag_pause()
        return {image.name: self._reference(image) for image in images}

    def _step(self, image: Image, absent: list[Image]) -> Step:
        after = [f"image {DEBIAN.name}"] if image.on_debian and DEBIAN in absent else []
        # The registry says that it is missing, so a stamp of an earlier run must not count: the clock is an input.
        return Step(
            name=f"image {image.name}",
            run=lambda context: self._build(image, context),
            inputs=[str(time.time_ns())],
            after=after,
            seconds=image.seconds,
        )

    def _build(self, image: Image, context: StepContext) -> None:
        name = f"{ENGINE_REPOSITORY}/{image.name}:{self._tag(image)}"
        labels = {"title": image.name, "version": self.contents.version(image), "vendor": "omnibase-infra"}
        words = [f"--label=org.opencontainers.image.{key}={value}" for key, value in labels.items()]
        # Tags are made of the base's usual name: an image does not change with the address that it is pulled from.
        source = self.base.replace(f"{REPOSITORY}/", f"{ENGINE_REPOSITORY}/", 1)
        base = [f"--build-arg=BASE={source}"] if image.on_debian else []
        environment = docker_environment(self.paths)
        with self._context_directory(image) as directory:
            arguments = ["--network=none", "--force-rm", *words, *base, f"--tag={name}", str(directory)]
            context.command([str(docker(self.paths)), "build", *arguments], env=environment)
            if self._present_tag(image) != self._tag(image):  # a tag that lies about its contents would stay for ever
                raise LocalError("its files changed while it was built", hint="leave them alone for a moment")
        self._require_room(name)
        context.command([docker(self.paths), "push", "--quiet", name], env=environment)

    def _require_room(self, name: str) -> None:
        """Refuse a push that cannot fit: the client would try it five times, for a minute, and not say why it fails."""
        answer = _docker(self.paths, "image", "inspect", "--format", "{{.Size}}", name)
        place = self.paths.cache
        size, free = int(answer.stdout or 0) / 2**20, shutil.disk_usage(place).free / 2**20
        if free < size:
            raise LocalError(
                f"it has {size:.1f} MiB, and the registry's disk ({place}) {free:.1f} MiB free", hint=ROOM_HINT
            )

    @contextmanager
    def _context_directory(self, image: Image) -> Iterator[Path]:
        """A directory of hard links: a Docker client sends one directory, and copying 200 MB would take seconds."""
        parent = self.paths.cache / "images" / image.name
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        directory = Path(tempfile.mkdtemp(prefix=_CONTEXT, dir=parent))
        try:
            for name, source in self.contents.files(image).items():
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(source, target)
            yield directory
        finally:
            shutil.rmtree(directory)

    def _tag(self, image: Image) -> str:
        """The tag, as the files were when this call first asked for it."""
        if image.name not in self._tags:
            self._tags[image.name] = self._present_tag(image)
        return self._tags[image.name]

    def _present_tag(self, image: Image) -> str:
        extra = self.base if image.on_debian else ""
        return f"{self.contents.version(image)}-{self.contents.fingerprint(image, extra)[:12]}"

    def _digest(self, image: Image) -> str | None:
        return self.registry.digest(f"omnibase/{image.name}", self._tag(image))

    def _reference(self, image: Image) -> str:
        digest = self._digest(image)
        if digest is None:
            raise LocalError(
                f"image {image.name!r} was pushed, but the registry does not have it",
                hint="free disk space if there is none, then run `make up` again: it builds the image anew",
            )
        return f"{REPOSITORY}/{image.name}:{self._tag(image)}@{digest}"

    def _tag_pause(self) -> None:
        pause = next(image for image in IMAGES if image.name == "pause")
        if self.registry.digest("omnibase/pause", PAUSE_TAG) != self._digest(pause):
            self.registry.add_tag("omnibase/pause", self._tag(pause), PAUSE_TAG)

    def _require_engine(self) -> None:
        answer = _docker(self.paths, "version", "--format", "{{.Server.Version}}")
        if answer.returncode != 0:
            raise LocalError(
                f"the Docker engine does not answer: {answer.stderr.strip()}",
                hint="`make status` shows whether dockerd runs; `make up` starts it again",
            )


def pulled_base(paths: Paths, progress: Progress, wanted: str) -> str:
    """`wanted`, an operator's own base image, if the engine can pull it; else nothing, and a line why."""
    if not wanted:
        return ""
    answer = _docker(paths, "pull", "--quiet", wanted)
    if answer.returncode == 0:
        return wanted
    reason = answer.stderr.strip().splitlines()[-1:] or ["no reason given"]
    progress.say(f"{BASE_VARIABLE}={wanted} cannot be pulled ({reason[0]}): the base made by mmdebstrap is used")
    return ""


def _remove_abandoned(parent: Path) -> None:
    """Delete the context of a build that was killed. A young one may belong to another instance's build."""
    for directory in parent.glob(f"{_CONTEXT}*"):
        if time.time() - directory.stat().st_mtime > _KEEP_HOURS * 3600:
            shutil.rmtree(directory, ignore_errors=True)


def _docker(paths: Paths, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **docker_environment(paths)}
    command = [str(docker(paths)), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def docker_environment(paths: Paths) -> Mapping[str, str]:
    """Variables for the Docker command line: our engine, none of the user's settings, the builder that it has."""
    return {
        "DOCKER_HOST": f"unix://{paths.docker_socket}",
        "DOCKER_CONFIG": str(paths.cache / "images" / "docker"),
        "DOCKER_BUILDKIT": "0",
        "DOCKER_CONTEXT": "",
    }


def _link_or_copy(source: Path, target: Path) -> None:
    """Hard link a file; copy it where cache and checkout are on different file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


__all__ = ["BASE_VARIABLE", "build_images", "docker_environment", "pulled_base"]
