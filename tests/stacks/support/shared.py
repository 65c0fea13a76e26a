"""What one worker of a test run made, for its other workers."""

from __future__ import annotations

from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path

_places: list[Path] = []


def share_below(directory: Path) -> None:
    """Use a directory that all workers of this run have, and no other run."""
    _places[:] = [directory]


def shared(name: str, make: Callable[[], str]) -> str:
    """A text that the first worker that asks makes, while others who ask wait for it; alone, just what was made."""
    if not _places:
        return make()
    file = _places[0] / name
    with file.with_suffix(".lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not file.exists():
            file.write_text(make(), encoding="utf-8")
    return file.read_text(encoding="utf-8")
