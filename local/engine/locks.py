"""Locks of the file backend, and what a killed engine leaves running."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from local.paths import Paths

MARK = "OMNIBASE_ENGINE_OF"
"""Variable in the environment of an engine and of all that it starts; its value is the instance's PULUMI_HOME."""

_GRACE_SECONDS = 10.0  # a provider may be in the middle of a request whose result nobody records any more


@dataclass(frozen=True, kw_only=True)
class Lock:
    """One lock file of a stack."""

    path: Path
    pid: int
    host: str
    since: str
    """RFC 3339."""

    @property
    def held(self) -> bool:
        """Whether its engine lives. Of another machine's engine that cannot be seen, so it counts as alive."""
        if self.host != socket.gethostname():
            return True
        try:
            # The number alone is not enough: after a reboot it belongs to some other program.
            return _is_engine(self.pid) and not _is_zombie(self.pid)
        except OSError:
            return False


def stack_locks(paths: Paths, project: str, stack: str) -> list[Lock]:
    """The locks on a stack; more than one only where engines raced for it."""
    directory = paths.pulumi_backend / ".pulumi" / "locks" / "organization" / project / stack
    locks = []
    for path in sorted(directory.glob("*.json")):
        try:
            content = json.loads(path.read_text())
            locks.append(
                Lock(
                    path=path,
                    pid=int(content.get("pid", 0)),
                    host=str(content.get("hostname", "")),
                    since=str(content.get("timestamp", "")),
                )
            )
        except FileNotFoundError:
            continue  # given back between listing and reading
        except (OSError, ValueError, AttributeError):  # cut short by the kill: an engine's own lock file is complete
            locks.append(Lock(path=path, pid=0, host=socket.gethostname(), since=""))
    return locks


def end_orphans(paths: Paths) -> list[int]:
    """End what a killed engine of this instance started and left behind; returns the process IDs.

    They carry this instance's mark in their environment, and their parent does not. Each is asked to end, so that a
    provider can finish its requests, and killed after 10 s.
    """
    mark = f"{MARK}={paths.pulumi_home}".encode()
    deadline = time.monotonic() + _GRACE_SECONDS
    asked: list[int] = []
    while orphans := _orphans(mark):  # again: the children of an orphan become orphans when it ends
        late = time.monotonic() > deadline
        for pid in orphans:
            if late or pid not in asked:
                _signal(pid, signal.SIGKILL if late else signal.SIGTERM)
                asked.append(pid)
        time.sleep(0.05)
    return sorted(set(asked))


def _orphans(mark: bytes) -> list[int]:
    parents = {pid: _parent(pid) for pid in _processes() if _has_mark(pid, mark)}
    return [pid for pid, parent in parents.items() if parent not in parents and not _is_engine(pid)]


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False  # it has ended, or is none of ours to look at


def _is_engine(pid: int) -> bool:
    """Whether it is `pulumi` itself: one that lives works on another stack."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "pulumi"
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        return int(_status(pid).split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _status(pid: int) -> str:
    """State, parent and so on of a process; its name, which may hold spaces and brackets, comes before."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]


def _is_zombie(pid: int) -> bool:
    return _status(pid).split()[0] == "Z"


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
