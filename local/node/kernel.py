"""Namespaces, mounts and control groups: the few kernel calls that Python 3.11's library lacks."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SLAVE, _MS_SHARED = 4096, 16384, 1 << 19, 1 << 20
_MS_NOSUID, _MS_NODEV = 2, 4
_PR_SET_CHILD_SUBREAPER = 36
# What the kubelet would set for the whole machine (it would, for instance, make it panic on an oops).
_TUNABLES = (
    "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)  # fmt: skip
_MASKED = ("/run", "/var/log", "/var/lib")


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def join_namespace(file: str | Path, kind: int) -> None:
    """Enter a namespace given by its /proc or bind-mounted file."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", descriptor, kind)
    finally:
        os.close(descriptor)


def new_network_namespace() -> None:
    """Leave the present network namespace for an empty one."""
    _call("unshare", CLONE_NEWNET)


def become_subreaper() -> None:
    """Adopt orphaned descendants, also after exec: not every container's process 1 reaps them."""
    _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    _call(
        "mount", source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )


def enter_private_mounts(keep: Sequence[Path], links: Mapping[str, str]) -> None:
    """Make a mount namespace in which nothing outside `keep` is written.

    Mounts made on the machine later still appear inside, none appears outside. /run, /var/log and /var/lib become empty
    memory file systems, because the container runtime, the CNI library and the kubelet have fixed names there; `keep`
    (existing directories) stays visible. The kubelet's kernel tunables become plain files.

    Args:
        keep: existing directories.
        links: names in the memory file systems -> directories on disk that are found there, too.
    """
    _call("unshare", CLONE_NEWNS)
    mount("none", "/", flags=_MS_REC | _MS_SLAVE)
    mount("none", "/", flags=_MS_REC | _MS_SHARED)
    kept = [(path, os.open(path, os.O_PATH)) for path in keep]
    for masked in _MASKED:
        mount("tmpfs", masked, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=256m")
        for path, descriptor in kept:
            if path.is_relative_to(masked):
                path.mkdir(parents=True, exist_ok=True)
                mount(f"/proc/self/fd/{descriptor}", str(path), flags=_MS_BIND | _MS_REC)
    for _, descriptor in kept:
        os.close(descriptor)
    for name, directory in links.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).symlink_to(directory)
    for tunable in _TUNABLES:
        real, copy = Path("/proc/sys") / tunable, Path("/run/sysctl") / tunable
        if real.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(real.read_text())
            mount(str(copy), str(real), flags=_MS_BIND)


def cgroup_hierarchies() -> list[Path]:
    """Mount points of all control group hierarchies: one per controller (v1), the single one (v2), or both kinds."""
    rows = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted({Path(row[1]) for row in rows if row[2] in ("cgroup", "cgroup2")})


def make_cgroup(name: str) -> None:
    """Make `/<name>/node` for the node's programs (pods go to `/<name>/kubepods`) in every hierarchy."""
    for hierarchy in cgroup_hierarchies():
        group = hierarchy / name
        for directory in (group, group / "node"):
            directory.mkdir(exist_ok=True)
            if (directory / "cpuset.cpus").exists() and not (directory / "cgroup.controllers").exists():
                for file in ("cpuset.cpus", "cpuset.mems"):  # a new cpuset is empty, and nothing can run in it
                    (directory / file).write_text((directory.parent / file).read_text())
            if (directory / "cgroup.controllers").exists() and directory == group:
                for parent in (hierarchy, group):
                    _delegate(parent)


def _delegate(group: Path) -> None:
    wanted = {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"}
    have = set((group / "cgroup.controllers").read_text().split())
    for name in sorted(wanted & have):
        (group / "cgroup.subtree_control").write_text(f"+{name}")


def join_cgroup(name: str) -> None:
    """Move this process into `/<name>/node`."""
    for hierarchy in cgroup_hierarchies():
        (hierarchy / name / "node" / "cgroup.procs").write_text(str(os.getpid()))


def cgroup_pids(name: str) -> set[int]:
    """Every process in the group and below."""
    pids: set[int] = set()
    for hierarchy in cgroup_hierarchies():
        for file in (hierarchy / name).rglob("cgroup.procs"):
            try:
                pids.update(int(word) for word in file.read_text().split())
            except OSError:
                continue  # a group that vanished while we looked
    return pids


def remove_cgroup(name: str) -> list[Path]:
    """Remove the group in every hierarchy; return what could not be removed."""
    left = []
    for hierarchy in cgroup_hierarchies():
        root = hierarchy / name
        for group in [*sorted(_below(root), reverse=True), root]:
            try:
                group.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                left.append(group)
    return left


def _below(root: Path) -> Iterator[Path]:
    if root.exists():
        yield from (path for path in root.rglob("*") if path.is_dir())
