"""Calls made again and again while something else happens, and what callers met."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.cluster.node_kit import wait_for

MISSED_SHARE = 0.02
"""On a quiet machine no call fails; while other tests keep both cores busy, up to two of 300 did."""
_ENDS_SECONDS = 60  # the last call of a caller may wait as long as its client does


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call."""

    began: float
    """time.monotonic() of its beginning."""
    problem: str
    """What went wrong; empty for the answer that was wanted."""


@dataclass(kw_only=True)
class Calls:
    """All calls so far, each as it ended."""

    started: float = field(default_factory=time.monotonic)
    made: list[Call] = field(default_factory=list)

    @property
    def failed(self) -> list[Call]:
        """Those without the wanted answer."""
        return [call for call in list(self.made) if call.problem]

    def told(self) -> str:
        """How many failed, when and how, for a test's output."""
        each = "; ".join(f"after {call.began - self.started:.1f} s {call.problem}" for call in self.failed[:20])
        return f"{len(self.failed)} of {len(self.made)} calls failed{f': {each}' if each else ''}"

    def hardly_missed(self) -> bool:
        """Whether so few failed as a busy machine alone makes fail."""
        return len(self.failed) <= max(1.0, MISSED_SHARE * len(self.made))

    def wait_for_more(self, count: int, seconds: float = 60) -> None:
        """Wait until that many more calls have ended, whatever came of them."""
        wanted = len(self.made) + count
        wait_for(lambda: len(self.made) >= wanted, seconds, lambda: f"{wanted} calls, but {len(self.made)} ended")

    def wait_until_well(self, count: int = 10, seconds: float = 60) -> None:
        """Wait until that many more calls in a row were answered as wanted."""
        begin = len(self.made)

        def well() -> bool:
            latest = self.made[begin:][-count:]
            return len(latest) == count and not any(call.problem for call in latest)

        wait_for(well, seconds, lambda: f"callers are well again, but {self.told()}")


@contextmanager
def calling(once: Callable[[], str], *, callers: int = 1, pause: float = 0.1) -> Iterator[Calls]:
    """Call until the block ends.

    Args:
        once: makes one call and returns what went wrong, or an empty text; an exception is a call that failed.
        callers: how many call beside each other, each one call after the other.
        pause: seconds between a caller's calls.
    """
    seen, stop = Calls(), threading.Event()

    def loop() -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                problem = once()
            except Exception as error:
                problem = repr(error)
            seen.made.append(Call(began=began, problem=problem))
            stop.wait(pause)

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=_ENDS_SECONDS)
