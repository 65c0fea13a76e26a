"""What the node's mount namespace shows. It is settled when the first program starts: only a restart changes it."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from pathlib import Path

from local.node import control, kernel
from local.paths import Paths


def visible(paths: Paths) -> list[Path]:
    """What the node's programs need, wherever it lies."""
    return [paths.state, paths.cache, paths.root, Path(sys.prefix), Path(sys.base_prefix)]


def host_directories(paths: Paths) -> dict[str, Path]:
    """Directories that pods find by the names they have on any node: containers' logs, and agents' own files."""
    return {"/var/log/pods": paths.node / "pod-logs", "/var/lib/omnibase": paths.node / "host"}


def record(paths: Paths) -> None:
    """Keep what the mounts are made from now, for `outdated`; called when the first program is about to start."""
    _file(paths).write_text(_fingerprint(paths) + "\n")


def outdated(paths: Paths) -> bool:
    """Whether a node that runs has other mounts than one that would start now; one without a record has."""
    file = _file(paths)
    return not file.exists() or file.read_text().strip() != _fingerprint(paths)


def _file(paths: Paths) -> Path:
    return control.directory(paths) / "mounts"


def _fingerprint(paths: Paths) -> str:
    """Of the directories, and of the code that mounts them: a changed line there is another mount namespace."""
    shown = [str(path) for path in visible(paths)]
    links = {name: str(directory) for name, directory in host_directories(paths).items()}
    code = inspect.getsource(kernel.enter_private_mounts) + repr((kernel._MASKED, kernel._TUNABLES))
    return hashlib.sha256(json.dumps([shown, links, code], sort_keys=True).encode()).hexdigest()
