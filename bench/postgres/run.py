"""Rounds of load and of faults, each kept as soon as it is over."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.postgres import load, manifests, writer
from bench.postgres.cluster import Cluster, wait_until
from bench.postgres.faults import FAULTS, Fault
from bench.postgres.report import Results
from bench.postgres.writer import Writer
from local.progress import Progress

_WARM_UP_SECONDS = 2.0
_WHOLE_SECONDS = 420.0  # an untuned server that is asked to end waits three minutes for its clients


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is measured."""

    rounds: int
    seconds: int
    """Of each load."""
    untuned_rounds: int
    """Of faults of the untuned cluster, which take minutes each."""
    only: frozenset[str]
    """Names of cases; empty for all."""
    deadline: float
    """No round begins after this moment of the monotonic clock."""

    def wants(self, case: str) -> bool:
        """Whether to measure it now."""
        return (not self.only or case in self.only) and time.monotonic() < self.deadline


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Both clusters and what is measured of them."""

    clusters: dict[str, Cluster]
    """By namespace."""
    extent: Extent
    results: Results
    progress: Progress
    scratch: Path

    def measure(self) -> None:
        """All rounds that are wanted and missing. Each goes once through everything, so that no case has the quiet
        hours for itself."""
        for number in range(1, self.extent.rounds + 1):
            for each in load.LOADS:
                self._load(each, number)
            for fault in FAULTS:
                self._fault("tuned", manifests.TUNED, fault, number)
                if number <= self.extent.untuned_rounds:
                    self._fault("plain", manifests.PLAIN, fault, number)

    def _load(self, each: load.Load, number: int) -> None:
        if not self.extent.wants(each.case) or self.results.has(each.case, each.subject, number):
            return
        cluster = self.clusters[each.cluster]
        with self.progress.step(f"{each.case}, {each.subject}, round {number}", self.extent.seconds + 3):
            cluster.wait_whole()
            load.prepare(cluster)
            found = load.run(cluster, each, self.extent.seconds)
        self.progress.say(f"    {found}")
        self.results.add(each.case, each.subject, number, found)

    def _fault(self, subject: str, namespace: str, fault: Fault, number: int) -> None:
        if not self.extent.wants(fault.name) or self.results.has(fault.name, subject, number):
            return
        with self.progress.step(f"{fault.title}, {subject}, round {number}", 60):
            name = f"{fault.name}-{subject}-{number}-{time.time():.0f}"
            found = suffer(self.clusters[namespace], fault, self.scratch, name)
        self.progress.say(f"    {found}")
        self.results.add(fault.name, subject, number, found)


def suffer(cluster: Cluster, fault: Fault, scratch: Path, name: str) -> dict[str, Any]:
    """Let a fault happen to a cluster under two writers, one through the pooler, until it is whole again.

    Returns:
        Longest gaps, seconds until it was whole, rows acknowledged and lost, and whether the primary moved.
    """
    cluster.wait_whole(_WHOLE_SECONDS)
    cluster.sql(writer.CREATE.format(role=cluster.role))
    ways = {"direct": "rw", "pooled": "pooler-rw"}
    writers = {way: Writer(f"{name}-{way}", cluster.connection(service, scratch)) for way, service in ways.items()}
    with ExitStack() as stack:
        for each in writers.values():
            stack.enter_context(each.writing())
        wait_until(lambda: all(each.writes() for each in writers.values()), 60, "both writers write")
        time.sleep(_WARM_UP_SECONDS)
        began, before = time.monotonic(), cluster.primary()
        fault.inject(cluster)
        time.sleep(fault.lasts_seconds)
        cluster.wait_whole(_WHOLE_SECONDS)
        whole = time.monotonic() - began
        wait_until(lambda: all(each.writes() for each in writers.values()), 120, "both writers write again")
        time.sleep(_WARM_UP_SECONDS)
    kept = {way: _kept(cluster, each) for way, each in writers.items()}
    return {
        "gap": round(writers["direct"].gap(began), 2),
        "gap_pooled": round(writers["pooled"].gap(began), 2),
        "whole": round(whole, 1),
        "acknowledged": sum(len(each.acknowledged) for each in writers.values()),
        "lost": sum(len(each.lost(kept[way])) for way, each in writers.items()),
        "moved": cluster.primary() != before,
    }


def _kept(cluster: Cluster, each: Writer) -> list[int]:
    found = cluster.sql(f"SELECT number FROM {writer.TABLE} WHERE writer = '{each.name}'")  # noqa: S608  # ours
    return [int(number) for number in found.split()]
