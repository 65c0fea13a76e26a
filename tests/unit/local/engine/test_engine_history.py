"""Of past updates the newest records and states stay, and nothing but the engine's own files is ever removed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from local.engine.history import RECORDS, STATES, prune
from local.paths import Paths

_FIRST = 1_764_131_286_000_000_000  # nanoseconds, as the engine writes them
_UPDATES = 30


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return replace(Paths.from_environment({}), root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


def directory(paths: Paths, place: str, stack: str = "dev") -> Path:
    made = paths.pulumi_backend / ".pulumi" / place / "tiny" / stack
    made.mkdir(parents=True, exist_ok=True)
    return made


def update(paths: Paths, number: int, stack: str = "dev", end: str = "") -> None:
    """The three files of one update; `end` is that of compressed ones."""
    time = _FIRST + number
    (directory(paths, "history", stack) / f"{stack}-{time}.history.json{end}").touch()
    (directory(paths, "history", stack) / f"{stack}-{time}.checkpoint.json{end}").touch()
    (directory(paths, "backups", stack) / f"{stack}.{time}.json{end}").touch()


def times(paths: Paths, place: str, pattern: str) -> list[int]:
    """Which updates are left, by number."""
    found = directory(paths, place).glob(pattern)
    return sorted(int(file.name.replace("-", ".").split(".")[1]) - _FIRST for file in found)


def test_the_newest_records_and_states_stay_and_older_ones_go(paths: Paths) -> None:
    for number in range(_UPDATES):
        update(paths, number)

    removed = prune(paths, "tiny", "dev")

    assert times(paths, "history", "*.history.json") == list(range(_UPDATES - RECORDS, _UPDATES))
    assert times(paths, "history", "*.checkpoint.json") == list(range(_UPDATES - STATES, _UPDATES))
    assert times(paths, "backups", "*.json") == list(range(_UPDATES - STATES, _UPDATES))
    assert len(removed) == (_UPDATES - RECORDS) + 2 * (_UPDATES - STATES)
    assert prune(paths, "tiny", "dev") == []


def test_compressed_and_plain_states_count_together(paths: Paths) -> None:
    for number in range(_UPDATES):
        update(paths, number, end=("", ".gz", ".zst")[number % 3])

    prune(paths, "tiny", "dev")

    assert times(paths, "backups", "*.json*") == list(range(_UPDATES - STATES, _UPDATES))


def test_other_stacks_and_files_of_other_names_are_left_alone(paths: Paths) -> None:
    for number in range(_UPDATES):
        update(paths, number, stack="prod")
        (directory(paths, "backups") / f"before-the-migration-{number}").touch()
        update(paths, number)

    prune(paths, "tiny", "dev")

    assert len(list(directory(paths, "backups", "prod").iterdir())) == _UPDATES
    assert len(list(directory(paths, "backups").glob("before-*"))) == _UPDATES


def test_a_stack_that_was_never_updated_has_nothing_to_remove(paths: Paths) -> None:
    assert prune(paths, "tiny", "dev") == []
