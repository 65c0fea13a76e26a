"""Limits that all nodes of a machine share, on a made-up /proc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local.node import kernel, limits


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with room for everything, whose processes all count as root's."""
    for name, text in {
        "fs/inotify/max_user_instances": "128",
        "fs/inotify/max_user_watches": "65536",
        "fs/file-max": "1000000",
        "fs/file-nr": "2567\t0\t1000000",
    }.items():
        file = tmp_path / "sys" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    monkeypatch.setattr(kernel, "cgroup_pids", lambda _name: set())
    monkeypatch.setattr(
        limits, "_pids_of_root", lambda where: [int(e.name) for e in where.iterdir() if e.name != "sys"]
    )
    return tmp_path


def process(proc: Path, pid: int, *, instances: int = 0, watches: int = 0) -> None:
    for kind in ("fd", "fdinfo"):
        (proc / str(pid) / kind).mkdir(parents=True)
    (proc / str(pid) / "fd" / "0").symlink_to("/dev/null")
    for number in range(1, instances + 1):
        (proc / str(pid) / "fd" / str(number)).symlink_to("anon_inode:inotify")
        text = "inotify wd:1 ino:2\n" * (watches if number == 1 else 0)
        (proc / str(pid) / "fdinfo" / str(number)).write_text(text)


def test_a_machine_with_room_is_taken(proc: Path) -> None:
    process(proc, 7, instances=40, watches=300)
    assert limits.problems("omnibase-x", proc) == []


def test_the_last_inotify_instances_are_refused_with_a_number_that_is_enough(proc: Path) -> None:
    process(proc, 7, instances=60)
    process(proc, 8, instances=40)
    (problem,) = limits.problems("omnibase-x", proc)
    assert problem == (
        "fs.inotify.max_user_instances is 128, of which 28 are free and the node needs 35; stop another node, or "
        "`sysctl -w fs.inotify.max_user_instances=256` (and a line in /etc/sysctl.d to keep it)"
    )


def test_a_node_that_runs_needs_only_what_it_has_not_yet(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process(proc, 7, instances=60)
    process(proc, 8, instances=40)
    monkeypatch.setattr(kernel, "cgroup_pids", lambda name: {8} if name == "omnibase-x" else set())
    assert limits.problems("omnibase-x", proc) == []
    assert limits.problems("omnibase-y", proc) != []


def test_watches_and_open_files_count_too(proc: Path) -> None:
    process(proc, 7, instances=1, watches=65_000)
    (proc / "sys/fs/file-nr").write_text("995000 0 1000000\n")
    found = limits.problems("omnibase-x", proc)
    assert [problem.split()[0] for problem in found] == ["fs.inotify.max_user_watches", "fs.file-max"]
    assert "of which 536 are free and the node needs 2048" in found[0]


def test_a_limit_that_the_kernel_does_not_have_is_no_problem(proc: Path) -> None:
    (proc / "sys/fs/inotify/max_user_instances").unlink()
    assert limits.problems("omnibase-x", proc) == []


def test_instances_of_this_process_are_counted_for_real() -> None:
    import ctypes  # noqa: PLC0415  # for this test alone

    before, _ = limits._inotify(Path("/proc"), {os.getpid()})
    descriptor = ctypes.CDLL(None).inotify_init()
    assert descriptor >= 0
    try:
        assert limits._inotify(Path("/proc"), {os.getpid()})[0] == before + 1
    finally:
        os.close(descriptor)
