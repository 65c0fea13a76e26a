"""Whose lock is whose."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from local.engine.locks import stack_locks
from local.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return replace(Paths.from_environment({}), root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


def _lock(paths: Paths, content: str) -> None:
    directory = paths.pulumi_backend / ".pulumi" / "locks" / "organization" / "tiny" / "dev"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "0b5c.json").write_text(content)


def _content(pid: int, host: str) -> str:
    return json.dumps({"pid": pid, "username": "me", "hostname": host, "timestamp": "2026-01-02T03:04:05Z"})


def test_a_stack_that_nobody_works_on_has_no_locks(paths: Paths) -> None:
    assert stack_locks(paths, "tiny", "dev") == []


def test_the_lock_of_a_process_that_is_no_engine_is_stale(paths: Paths) -> None:
    _lock(paths, _content(os.getpid(), socket.gethostname()))  # the number was given to us since
    assert [lock.held for lock in stack_locks(paths, "tiny", "dev")] == [False]


def test_the_lock_of_a_dead_process_is_stale(paths: Paths) -> None:
    _lock(paths, _content(2**22 + 1, socket.gethostname()))  # above the kernel's largest number
    assert [lock.held for lock in stack_locks(paths, "tiny", "dev")] == [False]


def test_the_lock_of_another_machine_counts_as_held(paths: Paths) -> None:
    _lock(paths, _content(1, "elsewhere"))
    lock = stack_locks(paths, "tiny", "dev")[0]
    assert lock.held
    assert lock.since == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}'])
def test_a_lock_file_cut_short_by_a_kill_is_stale(paths: Paths, content: str) -> None:
    _lock(paths, content)
    assert [lock.held for lock in stack_locks(paths, "tiny", "dev")] == [False]
