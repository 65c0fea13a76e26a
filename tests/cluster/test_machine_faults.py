"""The machine itself gives out: a build is cut short, there is no root, the disk is full. Each on real parts."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.machine_kit import NOBODY, SmallBuild, as_nobody, on_small_disk
from tests.cluster.platform_kit import STACK, kill_hard

_ROOT = Path(__file__).resolve().parents[2]
_MAKE_UP = ["make", "--no-print-directory", "up", f"STACK={STACK}"]


def test_a_go_build_that_is_interrupted_and_then_killed_is_continued_by_the_next_run(tmp_path: Path) -> None:
    build = SmallBuild(directory=tmp_path, cache=tmp_path / "cache")

    interrupted = build.start()
    build.wait_until_it_compiles(interrupted)
    interrupted.send_signal(signal.SIGINT)
    text, _ = interrupted.communicate(timeout=300)
    assert interrupted.returncode == 130, text
    assert "nothing is lost: run the same command again to continue" in text
    assert "Traceback" not in text
    build.wait_until_nothing_compiles()  # the kernel takes a moment to end what was killed
    assert list((build.cache / "scratch").iterdir()) == []
    assert not build.program.exists()

    killed = build.start()
    build.wait_until_it_compiles(killed)
    kill_hard(killed.pid)
    killed.communicate(timeout=300)
    assert not build.program.exists()

    code, text = build.run()
    assert code == 0, text
    assert subprocess.run([build.program], capture_output=True, text=True, check=True).stdout == "built\n"
    build.wait_until_nothing_compiles()
    assert list((build.cache / "scratch").iterdir()) == []
    code, text = build.run()
    assert (code, "build small" in text) == (0, False), text


@pytest.mark.parametrize("verb", ["up", "down"])
def test_without_root_there_is_one_clear_message_and_nothing_is_made(tmp_path: Path, verb: str) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)  # who could make the directories here, and must not
    places = {"OMNIBASE_CACHE": str(tmp_path / "cache"), "OMNIBASE_STATE": str(tmp_path / "state")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **places}

    done = as_nobody([sys.executable, "-m", "local", verb, "--stack", STACK], environment)

    assert done.returncode == 4, done.stdout
    said = done.stdout.splitlines()
    assert said[0] == f"error: the local node needs root, and this user is uid {NOBODY}; nothing was changed"
    assert said[1] == "  -> run the command as root, or set `target: existing` in the stack file"
    assert said[2:] == []
    assert list(tmp_path.iterdir()) == []
    # Times would tell of other tests' commands, which may write here; who has no rights can only make files of its own.
    made = subprocess.run(
        ["find", str(_ROOT), str(_ROOT / ".venv"), "-maxdepth", "1", "-ignore_readdir_race", "-uid", str(NOBODY)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert made.stdout == ""


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("OMNIBASE_CACHE", "has 8 MiB free and a first build needs 12288; nothing was changed"),
        ("OMNIBASE_STATE", "has 0.0 GiB free and the node needs 3 GiB; make room or move OMNIBASE_STATE"),
    ],
)
def test_a_disk_without_room_is_said_before_anything_is_made(tmp_path: Path, variable: str, message: str) -> None:
    small = tmp_path / "small"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMNIBASE_", "PULUMI_"))}
    cache = {"OMNIBASE_CACHE": os.environ["OMNIBASE_CACHE"]} if "OMNIBASE_CACHE" in os.environ else {}
    elsewhere = {"OMNIBASE_STATE": str(tmp_path / "state")}
    script = f"{shlex.join(_MAKE_UP)}; echo code $?; ls -A {small}"

    text = on_small_disk(small, "8m", script, {**kept, **cache, **elsewhere, variable: str(small / "here")})

    said = text.splitlines()
    assert said[0].startswith("error: "), text
    assert message in said[0]
    assert said[1].startswith("  -> ")
    assert said[-1] == "code 2", "nothing is on the small disk"
    assert "Traceback" not in text
    assert not (tmp_path / "state").exists()


def test_a_disk_that_fills_up_during_a_build_is_one_message_and_room_lets_the_next_run_finish(tmp_path: Path) -> None:
    small = tmp_path / "small"
    build = SmallBuild(directory=tmp_path, cache=small / "cache")
    command = shlex.join(build.command)
    script = f"{command}; echo code $?; mount -o remount,size=500m {small}; {command}; echo code $?; {build.program}"

    text = on_small_disk(small, "600k", script, build.environment)

    first, second = text.split("code 1\n")
    assert "step 'compile small' failed: " in first
    assert "found no space left on " in first
    assert "-> make room (docs/runbooks/disk-full.md); then run `make test-cluster` again, it continues here" in first
    assert first.count("error: ") == 1
    assert "Traceback" not in first
    assert second.endswith("code 0\nbuilt\n"), second
