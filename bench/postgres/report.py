"""Results as they are kept, and the table that is made of them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.page import Place
from bench.postgres import load
from bench.postgres.faults import FAULTS

Result = dict[str, Any]
PLACE = Place("bench-postgres", "PostgreSQL")
_HEAD = "| what | ours | compared with | target | |\n|-|-:|-:|-:|-|"


@dataclass
class Results:
    """All rounds so far, in one file: what was measured is not measured again."""

    file: Path
    rounds: list[Result] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path, *, fresh: bool = False) -> Results:
        """What an earlier run left; nothing for `fresh`."""
        if fresh or not file.exists():
            return cls(file)
        return cls(file, json.loads(file.read_text(encoding="utf-8"))["rounds"])

    def has(self, case: str, subject: str, number: int) -> bool:
        """Whether this round is there."""
        return any((each["case"], each["subject"], each["round"]) == (case, subject, number) for each in self.rounds)

    def add(self, case: str, subject: str, number: int, found: Result) -> None:
        """Keep a round, on disk at once."""
        self.rounds.append({"case": case, "subject": subject, "round": number, **found})
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({"rounds": self.rounds}, indent=1) + "\n", encoding="utf-8")

    def of(self, case: str, subject: str, figure: str) -> list[float]:
        """A figure of all rounds."""
        return [
            each[figure]
            for each in self.rounds
            if figure in each and (each["case"], each["subject"]) == (case, subject)
        ]

    def median(self, case: str, subject: str, figure: str = "tps") -> float | None:
        """Of all rounds; None where there is none."""
        found = self.of(case, subject, figure)
        return statistics.median(found) if found else None


def table(results: Results) -> str:
    """Markdown."""
    return "\n".join([_HEAD, *_load_rows(results), *_fault_rows(results), *_lost_row(results)])


def raw(results: Results) -> str:
    """Every round, as Markdown: transactions per second, or seconds of the longest gap."""
    kinds = list(dict.fromkeys((each["case"], each["subject"]) for each in results.rounds))
    rows = ["| case | of | rounds |", "|-|-|-|"]
    for case, subject in kinds:
        gaps = results.of(case, subject, "gap")
        shown = [f"{each:.2f}" for each in gaps] or [f"{each:.0f}" for each in results.of(case, subject, "tps")]
        rows.append(f"| {case} | {'ours' if subject == 'tuned' else subject} | {', '.join(shown)} |")
    return "\n".join(rows)


_RATIOS = (
    ("new connections, 8 clients, the client on the same machine", "churn", load.POOLED, load.DIRECT, 2.0),
    ("the same beside the untuned pooler", "churn", load.POOLED, load.PLAIN_POOLED, 1.0),
    ("TPC-B, 400 clients on 100 connections", "clients400", load.POOLED, load.PLAIN_DIRECT, 1.3),
    ("the same where the other one waits for a standby too", "clients400", load.POOLED, load.PLAIN_QUORUM, 1.3),
    ("select only, 32 clients", "select32", load.POOLED, load.DIRECT, 0.6),
    ("TPC-B, 16 clients: commits wait for a standby, or not", "synchronous", "on", "local", 0.75),
)
"""What, case, our subject, the other one, and how many times as fast ours has to be."""
_LAG_TARGET_MS = 10


def _load_rows(results: Results) -> list[str]:
    rows = []
    for what, case, ours, other, target in _RATIOS:
        first, second = results.median(case, ours), results.median(case, other)
        if first is not None and second:
            cells = (f"{first:.0f} tps, {first / second:.2f} x", f"{other}: {second:.0f} tps", f">= {target} x")
            rows.append(_row(what, *cells, met=first / second >= target))
    rows += _cpu_row(results)
    failed = results.of("clients400", load.POOLED, "failed")
    if failed:
        wrong = sum(each != 0 for each in failed)
        rows.append(_row("rounds of 400 clients with an error", f"{wrong} of {len(failed)}", "-", "0", met=not wrong))
    lag, rate = results.median("lag", load.DIRECT, "lag_p95_ms"), results.median("lag", load.DIRECT)
    if lag is not None:
        what = f"replay lag at {rate:.0f} tps, 95th percentile"
        rows.append(_row(what, f"{lag:.1f} ms", "-", f"<= {_LAG_TARGET_MS} ms", met=lag <= _LAG_TARGET_MS))
    return rows


def _cpu_row(results: Results) -> list[str]:
    """What a new connection costs the servers: the client's share, mostly the hashing of its password, is left out."""
    ours, direct = (results.median("churn", each, "cpu_ms") for each in (load.POOLED, load.DIRECT))
    if ours is None or direct is None:
        return []
    cells = (f"{ours:.1f} ms, {direct / ours:.2f} x less", f"direct: {direct:.1f} ms", ">= 2.0 x")
    return [_row("CPU time of all servers for a new connection", *cells, met=direct / ours >= 2)]  # noqa: PLR2004


def _fault_rows(results: Results) -> list[str]:
    rows = []
    for fault in FAULTS:
        gaps = results.of(fault.name, "tuned", "gap")
        if gaps:
            middle, plain = statistics.median(gaps), results.of(fault.name, "plain", "gap")
            pooled = statistics.median(results.of(fault.name, "tuned", "gap_pooled"))
            ours = f"{middle:.1f} s ({min(gaps):.1f}-{max(gaps):.1f}, n={len(gaps)}); pooled {pooled:.1f} s"
            other = f"{statistics.median(plain):.1f} s (n={len(plain)})" if plain else "-"
            within = f"<= {fault.target_seconds:.0f} s"
            rows.append(
                _row(f"longest write gap: {fault.title}", ours, other, within, met=middle <= fault.target_seconds)
            )
    return rows


def _lost_row(results: Results) -> list[str]:
    ours, plain = (_faults(results, subject) for subject in ("tuned", "plain"))
    if not ours:
        return []
    lost = sum(each["lost"] for each in ours)
    return [_row("acknowledged writes lost", _lost(ours), _lost(plain) if plain else "-", "0", met=lost == 0)]


def _faults(results: Results, subject: str) -> Sequence[Result]:
    return [each for each in results.rounds if "lost" in each and each["subject"] == subject]


def _lost(rounds: Sequence[Result]) -> str:
    written = sum(each["acknowledged"] for each in rounds)
    return f"{sum(each['lost'] for each in rounds)} of {written} in {len(rounds)} faults"


def _row(what: str, ours: str, other: str, target: str, *, met: bool) -> str:
    return f"| {what} | {ours} | {other} | {target} | {'met' if met else '**missed**'} |"
