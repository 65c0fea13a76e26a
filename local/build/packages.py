"""Debian packages that must be installed on the machine: tools and shared libraries, no daemons."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from local.errors import MachineError
from local.paths import Paths
from local.steps import Step, StepContext


def packages_step(paths: Paths) -> Step:
    """The step `debian packages`: installs what requirements/debian.txt names and the machine lacks.

    Raises (when it runs):
        MachineError: something is missing and we are not root, or this is no Debian.
    """
    pins = paths.root / "requirements" / "debian.txt"

    def run(context: StepContext) -> None:
        missing = missing_packages(pins)
        if not missing:
            return
        if os.geteuid() != 0:
            raise MachineError(f"Debian packages are missing: {' '.join(missing)}", hint="run as root, or install them")
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        context.command(["apt-get", "update", "-qq"], env=environment)
        context.command(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], env=environment)

    # What is installed belongs to the fingerprint: a package removed by hand must be put back.
    return Step(name="debian packages", run=run, inputs=[pins, *missing_packages(pins)], seconds=40, shares="apt")


def missing_packages(pins: Path) -> list[str]:
    """The packages of the list that dpkg does not have in state `installed`."""
    wanted = [line.strip() for line in pins.read_text().splitlines() if line.strip() and not line.startswith("#")]
    try:
        answer = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
    except OSError as error:
        raise MachineError(
            "dpkg-query does not run: this machine is no Debian or Ubuntu",
            hint="use a machine of that kind, or set `target: existing` in the stack file",
        ) from error
    installed = {line.split()[0] for line in answer.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]
