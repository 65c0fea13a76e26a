"""Which `pulumi` is used: the operator's own where it is new enough, else the one that is built here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.paths import Paths

VERSION = "3.259.0"
"""Of the engine that is built here and, by requirements/runtime.in, of the Python SDK: the two speak one protocol."""

_OLDEST = (3, 259, 0)  # an older engine lacks what the SDK asks of it


@dataclass(frozen=True, kw_only=True)
class Installation:
    """An engine and its language host."""

    pulumi: Path
    version: str
    official: bool
    """Whether it is the operator's own, with the official language host beside it."""

    def __str__(self) -> str:
        if self.official:
            return f"official pulumi v{self.version} ({self.pulumi})"
        return f"pulumi v{self.version}, patched, with the language host of omnibase-infra (offline stand-in)"


def installation(paths: Paths, env: Mapping[str, str] = os.environ) -> Installation:
    """The `pulumi` on PATH, if it is at least 3.259.0 and has its Python language host beside it; else ours.

    It may not have been built yet.
    """
    ours = paths.bin / "pulumi"
    elsewhere = [each for each in env.get("PATH", os.defpath).split(os.pathsep) if each and Path(each) != paths.bin]
    found = shutil.which("pulumi", path=os.pathsep.join(elsewhere))
    if found is not None and (Path(found).parent / "pulumi-language-python").exists():
        version = _version(Path(found))
        if version is not None and version >= _OLDEST:
            return Installation(pulumi=Path(found), version=".".join(map(str, version)), official=True)
    return Installation(pulumi=ours, version=VERSION, official=False)


def _version(pulumi: Path) -> tuple[int, ...] | None:
    command = [str(pulumi), "version"]
    env = {"PATH": os.defpath, "HOME": str(Path.home()), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10, env=env).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else None
