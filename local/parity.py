"""`make test-parity PLUGINS=dir`: our offline parts against the official binaries, on the same program and cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local.errors import InputError
from local.paths import Paths
from local.progress import Progress

BINARIES = ("pulumi-language-python", "pulumi-resource-kubernetes")


def run(paths: Paths, plugins: str, progress: Progress) -> int:
    """Run the parity tests with the official binaries of a directory; returns pytest's exit code.

    Raises:
        InputError: no directory given, or it lacks one of the two binaries.
    """
    directory = Path(plugins).resolve() if plugins else None
    missing = [name for name in BINARIES if directory is None or not os.access(directory / name, os.X_OK)]
    if missing:
        raise InputError(
            f"PLUGINS={plugins!r} has no executable {' and no '.join(missing)}",
            hint="give PLUGINS=dir, a directory with both official binaries, of the versions in requirements/dev.txt",
        )
    progress.say(f"parity with the official binaries in {directory}")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/parity"],
        cwd=paths.root,
        check=False,
        env={**os.environ, "OMNIBASE_PARITY_PLUGINS": str(directory)},
    ).returncode
