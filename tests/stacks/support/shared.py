"""What one worker of a test run made, for its other workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

_places: list[Path] = []


@pytest.fixture(scope="session", autouse=True)
def shared_between_workers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """For a conftest.py: a worker of pytest-xdist shares the directory above its own, which no other run has."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        _places[:] = [tmp_path_factory.getbasetemp().parent]


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
