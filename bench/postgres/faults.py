"""Faults of a primary, as they happen: by the operator, by the API server, by signals."""

from __future__ import annotations

import datetime
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.postgres.cluster import BenchError, Cluster

FREEZE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind."""

    name: str
    title: str
    target_seconds: float
    """Longest write gap that is accepted, as the median of all rounds."""
    inject: Callable[[Cluster], None]
    lasts_seconds: float = 5.0
    """How long it takes, at least until the operator knows of it."""


def _switchover(cluster: Cluster) -> None:
    """As `kubectl cnpg promote` does it."""
    old = cluster.primary()
    names = cluster.kubectl("get", "pods", "-l", f"cnpg.io/cluster={cluster.name},cnpg.io/podRole=instance",
                            "-o", "jsonpath={.items[*].metadata.name}").split()  # fmt: skip
    new = next(name for name in sorted(names) if name != old)
    now = datetime.datetime.now(datetime.UTC).isoformat()
    phase = {"phase": "Switchover in progress", "phaseReason": f"Switching over to {new}"}
    change = {"status": {"targetPrimary": new, "targetPrimaryTimestamp": now, **phase}}
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps(change))
    cluster.kubectl("patch", "clusters.postgresql.cnpg.io", cluster.name, *patch)


def _delete(cluster: Cluster) -> None:
    cluster.kubectl("delete", "pod", cluster.primary(), "--wait=false")


def _force_delete(cluster: Cluster) -> None:
    cluster.kubectl("delete", "pod", cluster.primary(), "--grace-period=0", "--force", "--wait=false")


def _kill_postgres(cluster: Cluster) -> None:
    os.kill(_postmaster(cluster), signal.SIGKILL)


def _kill_manager(cluster: Cluster) -> None:
    os.kill(_parent(_postmaster(cluster)), signal.SIGKILL)


def _freeze(cluster: Cluster) -> None:
    """All of PostgreSQL stands still; what is left of it goes on half a minute later."""
    frozen = list(_processes(cluster))
    _send_all(frozen, signal.SIGSTOP)
    thaw = threading.Timer(FREEZE_SECONDS, _send_all, (frozen, signal.SIGCONT))
    thaw.daemon = True
    thaw.start()


FAULTS = (
    Fault(name="switchover", title="switchover", target_seconds=3, inject=_switchover),
    Fault(name="deletion", title="pod deleted", target_seconds=3, inject=_delete),
    Fault(name="forced", title="pod deleted by force", target_seconds=9, inject=_force_delete),
    Fault(name="postgres", title="SIGKILL of postgres", target_seconds=8, inject=_kill_postgres),
    Fault(name="manager", title="SIGKILL of the instance manager", target_seconds=9, inject=_kill_manager),
    Fault(
        name="frozen",
        title=f"postgres frozen for {FREEZE_SECONDS:.0f} s",
        target_seconds=15,
        inject=_freeze,
        lasts_seconds=FREEZE_SECONDS + 5,
    ),
)


def _postmaster(cluster: Cluster) -> int:
    """The server's first process."""
    found = [pid for pid in _processes(cluster) if _name(_parent(pid)) == "manager"]
    if not found:
        raise BenchError(f"{cluster.namespace}: no server runs in {cluster.primary()}")
    return min(found)


def _processes(cluster: Cluster) -> Iterator[int]:
    """Pids on this machine of all of PostgreSQL in the primary's pod."""
    uid = str(cluster.pod(cluster.primary())["metadata"]["uid"])
    marks = (uid, uid.replace("-", "_"))
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = any(mark in (entry / "cgroup").read_text() for mark in marks)
        except OSError:
            continue
        if inside and _name(int(entry.name)) == "postgres":
            yield int(entry.name)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _send_all(pids: Sequence[int], number: int) -> None:
    """A process that is gone, or whose number somebody else has now, is left alone."""
    for pid in pids:
        if _name(pid) == "postgres":
            os.kill(pid, number)
