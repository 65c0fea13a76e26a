"""`ops preview` as an operator types it, and what its report says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cluster.platform_kit import Finished

_ROOT = Path(__file__).resolve().parents[2]


def ops(*words: str, **variables: str) -> Finished:
    """Run `ops` as an operator does, with settings overridden by variables."""
    kept = ("OMNIBASE_CACHE", "OMNIBASE_STATE")
    env = {
        key: value for key, value in os.environ.items() if key in kept or not key.startswith(("OMNIBASE_", "PULUMI_"))
    }
    done = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "ops"), *words],
        cwd=_ROOT,
        env={**env, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    return Finished(code=done.returncode, text=done.stdout if done.returncode == 0 else done.stdout + done.stderr)


def changes(report: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    """Name of each changed resource -> what is done to it, and the paths that differ."""
    return {each["name"]: (each["op"], each["paths"]) for group in report["components"] for each in group["changes"]}
