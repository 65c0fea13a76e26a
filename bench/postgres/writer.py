"""A client that writes all the time and remembers every row that the server acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 2.0  # a statement without an answer for so long is given up, as a service with a deadline would
TABLE = "bench_writes"
CREATE = f"""CREATE TABLE IF NOT EXISTS {TABLE} (writer text, number bigint, at timestamptz DEFAULT now(),
PRIMARY KEY (writer, number)); GRANT SELECT, INSERT ON {TABLE} TO {{role}}"""

_INSERT = f"INSERT INTO {TABLE} (writer, number) VALUES (%s, %s)"  # noqa: S608  # a name of ours


@dataclass
class Writer:
    """One client, by its name; each attempt to write has a number of its own."""

    name: str
    to: Mapping[str, Any] = field(repr=False)
    acknowledged: list[tuple[float, int]] = field(default_factory=list)
    """When, by the monotonic clock, and which; in the order in which they came."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _began: float = 0.0
    _current: object = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write while the block runs."""
        stop = threading.Event()
        watch = threading.Thread(target=self._watch, args=(stop,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            stop.set()
            watch.join()

    def writes(self, seconds: float = 0.5) -> bool:
        """Whether something was acknowledged a moment ago."""
        return bool(self.acknowledged) and time.monotonic() - self.acknowledged[-1][0] < seconds

    def gap(self, since: float) -> float:
        """Longest time without an acknowledgement, from the last one before `since` on."""
        return longest_gap([at for at, _ in self.acknowledged], since)

    def lost(self, kept: Iterable[int]) -> list[int]:
        """Acknowledged rows that the database does not have."""
        return sorted({number for _, number in self.acknowledged} - set(kept))

    def _watch(self, stop: threading.Event) -> None:
        """Keep one thread at work. One that waits too long is left to itself; what it still gets acknowledged
        counts."""
        worker = None
        while not stop.is_set():
            if worker is None or not worker.is_alive() or time.monotonic() - self._began > _PATIENCE_SECONDS:
                self._current, self._began = token, _ = object(), time.monotonic()
                worker = threading.Thread(target=self._work, args=(token,), daemon=True)
                worker.start()
            time.sleep(PAUSE_SECONDS)
        self._current = None
        if worker is not None:
            worker.join(timeout=_PATIENCE_SECONDS)

    def _work(self, token: object) -> None:
        try:
            with psycopg.connect(**self.to, autocommit=True, prepare_threshold=None) as connection:
                while self._current is token:
                    number, self._began = next(self._numbers), time.monotonic()
                    connection.execute(_INSERT, (self.name, number))
                    self.acknowledged.append((time.monotonic(), number))
                    time.sleep(PAUSE_SECONDS)
        except psycopg.Error:
            time.sleep(PAUSE_SECONDS)  # the next one connects anew


def longest_gap(times: list[float], since: float) -> float:
    """Longest pause between two neighbours of which the later one is after `since`; infinite where none came."""
    ordered = sorted(times)
    after = [later - earlier for earlier, later in itertools.pairwise(ordered) if later > since]
    return max(after, default=float("inf"))
