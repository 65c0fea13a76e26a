"""Limits of the machine that all nodes on it share, and whether they leave room for one more.

A program that runs into one of them says "too many open files" or "no space left on device", which sends its reader to
look at files and disks. So they are counted before a node starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from local.node import kernel

_PROC = Path("/proc")
INSTANCES = 35
"""inotify instances of root that a node needs: 22 to 30 were counted, with the dev stack and without."""
WATCHES = 2048
"""inotify watches of root: 850 were counted."""
FILES = 8192
"""Open files of the whole machine: 1,700 were counted on a node with the dev stack, 2,300 with what works on it."""


def problems(cgroup: str, proc: Path = _PROC) -> list[str]:
    """What leaves no room for a node, each with what to do. What the node in the control group has already counts.

    Args:
        cgroup: the node's, which may run.
        proc: where the kernel tells.
    """
    ours = kernel.cgroup_pids(cgroup)
    instances, watches = _inotify(proc, _pids_of_root(proc))
    own_instances, own_watches = _inotify(proc, ours)
    found = []
    for name, needed, used, own in (
        ("fs/inotify/max_user_instances", INSTANCES, instances, own_instances),
        ("fs/inotify/max_user_watches", WATCHES, watches, own_watches),
    ):
        limit = _number(proc / "sys" / name)
        if limit is not None and limit - used < needed - own:
            found.append(_short(name, limit, limit - used, needed - own, used))
    opened, limit = _number(proc / "sys/fs/file-nr"), _number(proc / "sys/fs/file-max")
    if opened is not None and limit is not None and not ours and limit - opened < FILES:
        found.append(_short("fs/file-max", limit, limit - opened, FILES, opened))
    return found


def _short(name: str, limit: int, free: int, needed: int, used: int) -> str:
    setting = name.replace("/", ".")
    return (
        f"{setting} is {limit}, of which {max(free, 0)} are free and the node needs {needed}; stop another node, or "
        f"`sysctl -w {setting}={max(2 * limit, used + 2 * needed)}` (and a line in /etc/sysctl.d to keep it)"
    )


def _number(file: Path) -> int | None:
    """The first number in a file; None where the kernel does not have it."""
    try:
        return int(file.read_text().split()[0])
    except OSError:
        return None


def _pids_of_root(proc: Path) -> Iterator[int]:
    for entry in proc.iterdir():
        try:
            if entry.name.isdigit() and entry.stat().st_uid == 0:
                yield int(entry.name)
        except OSError:
            continue  # it has just ended


def _inotify(proc: Path, pids: Iterator[int] | set[int]) -> tuple[int, int]:
    """inotify instances and watches of these processes."""
    instances = watches = 0
    for pid in pids:
        directory = proc / str(pid)
        try:
            descriptors = [entry.name for entry in (directory / "fd").iterdir() if _is_inotify(entry)]
            instances += len(descriptors)
            watches += sum((directory / "fdinfo" / name).read_text().count("inotify wd:") for name in descriptors)
        except OSError:
            continue  # it has just ended
    return instances, watches


def _is_inotify(descriptor: Path) -> bool:
    try:
        return os.readlink(descriptor) == "anon_inode:inotify"  # noqa: PTH115 - a Path would not keep the text as it is
    except OSError:
        return False
