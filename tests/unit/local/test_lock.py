"""The instance lock: one holder, who is named to the second; freed by the kernel when the holder is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import LockedError, MachineError
from local.lock import exclusive
from local.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(instance="unit", root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


def _holder(paths: Paths) -> subprocess.Popen[bytes]:
    """Another process that holds the lock until it is killed."""
    program = (
        "import sys, time; from pathlib import Path; from local.lock import exclusive; from local.paths import Paths\n"
        f"p = Path({str(paths.root)!r})\n"
        "with exclusive(Paths(instance='unit', root=p, cache=p / 'cache', state=p / 'state'), 'make up STACK=dev'):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_the_second_command_is_told_who_holds_the_lock(paths: Paths) -> None:
    with _holder(paths) as process:
        with pytest.raises(LockedError, match=rf"make up STACK=dev.*pid {process.pid}"), exclusive(paths, "make down"):
            pytest.fail("the lock was given twice")
        process.kill()


def test_a_killed_holder_leaves_the_lock_free(paths: Paths) -> None:
    with _holder(paths) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with exclusive(paths, "make up"):
            assert "make up" in paths.lock.read_text()
    assert paths.lock.read_text() == ""


def test_a_state_directory_that_cannot_be_made_is_a_clear_error(paths: Paths) -> None:
    paths.state.write_text("a file where the directory should be")
    with pytest.raises(MachineError, match="OMNIBASE_STATE"), exclusive(paths, "make up"):
        pytest.fail("held a lock without a directory")
