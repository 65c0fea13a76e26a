"""What work costs: CPU time and memory of processes, their start and their children included, and wall time."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_MEBIBYTE = 1024


@dataclass(frozen=True, kw_only=True, order=True)
class Cost:
    """User and system time first: wall time of busy cores says little."""

    cpu_seconds: float
    wall_seconds: float
    memory_mib: float | None = None
    """The most that one process had; None where it is not of one process."""


def of_command(command: Sequence[str], directory: Path) -> Cost:
    """Run a command to its end, whatever it finds.

    Raises:
        RuntimeError: it ended with something else than 0 and 1, which tools end with when they find something.
    """
    before = time.monotonic()
    with (directory / "errors").open("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=errors)
        found = of_ended(process, before)
        errors.seek(0)
        if process.returncode not in (0, 1):
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {errors.read()[-500:]}")
    return found


def of_ended(process: subprocess.Popen[bytes], began: float) -> Cost:
    """Wait for a process that was started at `began`, by the monotonic clock."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(
        cpu_seconds=used.ru_utime + used.ru_stime,
        wall_seconds=time.monotonic() - began,
        memory_mib=used.ru_maxrss / _MEBIBYTE,
    )


def of_children(work: Callable[[], object]) -> Cost:
    """Everything that the processes use which some work starts and ends."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu_seconds=cpu, wall_seconds=wall)
