"""The way to the documents of this machine: the engine's command line, git, and the lock file of images."""

from __future__ import annotations

import dataclasses
import datetime
import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.errors import LocalError
from local.paths import Paths
from local.stack import Stack
from ops.engine import EngineCommand
from ops.status.engine import EngineStatus, engine_status
from ops.status.report import Checkout


def engine_documents(paths: Paths, stack: Stack, now: datetime.datetime) -> EngineStatus:
    """What the engine recorded; says why where it cannot be asked."""
    try:
        command = EngineCommand.of(paths, stack)
        with ThreadPoolExecutor(2) as pool:
            export, history = pool.submit(command.export), pool.submit(command.history)
            found = engine_status(stack.name, export.result(), history.result(), now)
        return dataclasses.replace(found, working=command.working())
    except LocalError as error:
        return EngineStatus(stack=stack.name, unavailable=str(error))


def checkout(paths: Paths, stack: Stack, deployed: str) -> Checkout:
    """The newest commit, how far the deployed one is behind, and the images built last on this machine."""
    newest = _git(paths.root, "rev-parse", "HEAD")
    behind = _git(paths.root, "rev-list", "--count", f"{deployed}..HEAD") if newest and deployed else ""
    images: Mapping[str, str] = {}
    if stack.is_local and paths.images_lock.exists():
        images = json.loads(paths.images_lock.read_text(encoding="utf-8"))["images"]
    return Checkout(commit=newest, behind=int(behind) if behind.isdigit() else None, images=images)


def _git(root: Path, *words: str) -> str:
    try:
        ended = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
