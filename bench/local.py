"""Times and memory of the local machine, kept as one row per run in docs/benchmarks.md.

    python -m bench.local            brings dev up if it is not, then measures what changes nothing
    python -m bench.local --warm     also measures the node alone, and `make up` with everything built but no node;
                                     deletes the dev stack and its data on the way
    python -m bench.local --full     also `make up` with nothing built, which takes another half hour

Figures of one machine are comparable with figures of the same machine only; that is why every row names it.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- bench-local: rows, newest last -->", "<!-- /bench-local -->"
_REPEATS = 3
_SETTLE_SECONDS = 30.0  # start-up allocations are given back within this time; a single look right after up is too high
_GIBIBYTE = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of everything that the node runs."""

    proportional: int
    """Shared pages counted once."""
    resident: int
    """Shared pages counted for each process."""
    pods: int = 0
    """The pods' part of `proportional`; 0 where no stack runs."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one run measured; None was not measured. Times in seconds."""

    up_unchanged: float | None = None
    preview: float | None = None
    node_alone: Memory | None = None
    with_dev: Memory | None = None
    make_test: float | None = None
    up_warm: float | None = None
    up_cold: float | None = None


HEADINGS = {
    "up_unchanged": "up, nothing to change",
    "preview": "preview of dev",
    "node_alone": "node alone",
    "with_dev": "node with dev",
    "make_test": "make test",
    "up_warm": "up, builds cached, no node",
    "up_cold": "up, nothing built",
}
TARGETS = {  # of the whole stack; the first one, of 80 resources, had 12 s, 5 s, 150 s and 1200 s
    "up_unchanged": "<= 15 s",
    "preview": "<= 8 s",
    "node_alone": "<= 1.0 GiB",
    "with_dev": "<= 2.5 GiB",
    "make_test": "<= 90 s",
    "up_warm": "<= 300 s",
    "up_cold": "<= 1800 s",
}


class BenchError(Exception):
    """A measured command did not succeed: its time would mean nothing."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print and keep one row; 1 where a command failed and nothing was kept."""
    unknown = [word for word in arguments if word not in ("--warm", "--full")]
    if unknown:
        print(f"bench.local: unknown argument {unknown[0]!r}; --warm and --full are known", file=sys.stderr)
        return 2
    try:
        figures = measure(warm=bool(arguments), cold="--full" in arguments)
    except BenchError as error:
        print(f"bench.local: {error}; nothing was written", file=sys.stderr)
        return 1
    row = table_row(figures, datetime.datetime.now(datetime.UTC).date().isoformat(), _commit(), machine())
    PAGE.write_text(with_row(PAGE.read_text(encoding="utf-8"), row), encoding="utf-8")
    print(f"{header()}\n{row}\nkept in {PAGE.relative_to(ROOT)}")
    return 0


def measure(*, warm: bool, cold: bool) -> Figures:
    """Run everything once (three times what is quick) and return the figures.

    Args:
        warm: also the node alone and `make up` without a node.
        cold: also `make up` without anything built.
    """
    up_cold = _cold_up() if cold else None
    node_alone = up_warm = None
    if warm:
        _run("make", "down")
        _run(sys.executable, "-m", "bench.node_alone")
        time.sleep(_SETTLE_SECONDS)
        node_alone = _memory()
        _run("make", "down")
        up_warm = _run("make", "up")
    else:
        _run("make", "up")
    up_unchanged = statistics.median(_run("make", "up") for _ in range(_REPEATS))
    preview = statistics.median(_run("make", "preview") for _ in range(_REPEATS))
    time.sleep(_SETTLE_SECONDS)
    return Figures(
        up_unchanged=up_unchanged,
        preview=preview,
        node_alone=node_alone,
        with_dev=_memory(),
        make_test=_run("make", "test"),
        up_warm=up_warm,
        up_cold=up_cold,
    )


def table_row(figures: Figures, day: str, commit: str, machine_: str) -> str:
    """One line of the table."""
    cells = [day, commit, machine_, *(cell(getattr(figures, field.name)) for field in fields(Figures))]
    return f"| {' | '.join(cells)} |"


def header() -> str:
    """The table's first three lines: headings, and the targets as its first row."""
    names = [field.name for field in fields(Figures)]
    headings = ["day", "commit", "machine", *(HEADINGS[name] for name in names)]
    targets = ["target", "", "2 cores", *(TARGETS[name] for name in names)]
    rule = "|".join(["-", "-", "-", *("-:" for _ in names)])
    return f"| {' | '.join(headings)} |\n|{rule}|\n| {' | '.join(targets)} |"


def cell(value: float | Memory | None) -> str:
    """A figure for people: seconds, or GiB as proportional and, in brackets, resident size, and the pods' part."""
    if value is None:
        return "-"
    if isinstance(value, Memory):
        pods = f", pods {value.pods / _GIBIBYTE:.2f}" if value.pods else ""
        return f"{value.proportional / _GIBIBYTE:.2f} GiB ({value.resident / _GIBIBYTE:.2f}){pods}"
    return f"{value:.1f} s"


def with_row(page: str, row: str) -> str:
    """The page with one more row; earlier rows stay as they are.

    Raises:
        BenchError: the page has lost the two marks between which the table stands.
    """
    before, begin, rest = page.partition(_BEGIN)
    table, end, after = rest.partition(_END)
    if not begin or not end:
        raise BenchError(f"docs/benchmarks.md has no lines {_BEGIN} and {_END} around its table")
    lines = [line for line in table.strip().splitlines() if line.startswith("|")]
    return f"{before}{begin}\n{header()}\n" + "\n".join([*lines[3:], row]) + f"\n{end}{after}"


def machine() -> str:
    """What a reader must know of this machine to compare, without its name."""
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    system = next(
        (line.partition("=")[2].strip('"') for line in _lines("/etc/os-release") if line.startswith("PRETTY_NAME")), ""
    )
    return f"{os.cpu_count()} x {processor}, {memory / (1 << 20):.0f} GiB, {system}"


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _run(*command: str, extra: Mapping[str, str] | None = None) -> float:
    """Seconds that a command takes; its output is shown, as these take long.

    Raises:
        BenchError: it ended with another code than 0.
    """
    print(f"bench.local: {' '.join(command[-3:])}", file=sys.stderr)
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, **(extra or {})}, check=False).returncode
    if code != 0:
        raise BenchError(f"`{' '.join(command)}` ended with {code}")
    return time.monotonic() - started


def _cold_up() -> float:
    """Seconds of `make up` with empty caches of ours and of Go; the stack and the node are removed before and after."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as directory:
        empty = {
            "OMNIBASE_CACHE": f"{directory}/cache",
            "GOCACHE": f"{directory}/go-build",
            "GOMODCACHE": f"{directory}/go-mod",
        }
        _run("make", "down")
        _run("make", "clean")
        try:
            return _run("make", "up", extra=empty)
        finally:
            _run("make", "down", extra=empty)
            _run("make", "clean", extra=empty)


def _memory() -> Memory:
    """Memory of everything that the local node runs, pods included.

    Raises:
        BenchError: the node is not healthy, so that its memory would mean nothing.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "local", "status", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise BenchError(f"the node is not healthy, `make status` says why: {(answer.stderr or answer.stdout).strip()}")
    found = json.loads(answer.stdout)
    return Memory(
        proportional=int(found["proportional_bytes"]),
        resident=int(found["resident_bytes"]),
        pods=int(found["pods_proportional_bytes"]),
    )


def _commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
