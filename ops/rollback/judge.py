"""The verdict on a rollout: finished, ready, answering, not restarting, and not failing more requests than before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Counts = Mapping[str, tuple[float, float]]
"""Pod -> requests answered so far, and how many of them failed."""

LEAST_REQUESTS = 20
"""Below this a share of failures means nothing."""
LEAST_FAILURES = 5
"""One or two failed requests are no trend."""
FLOOR = 0.01
"""Share of failures that is never called worse than before: the alert ServiceErrors warns above it."""
_IN_A_ROW = 3
_FAILING = 500


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at the cluster."""

    unfinished: tuple[str, ...]
    """What the rollout still waits for."""
    broken: tuple[str, ...] = ()
    """Why pods do not run."""
    restarts: Mapping[str, int] = field(default_factory=dict)
    """By pod."""


@dataclass(frozen=True, kw_only=True)
class Before:
    """What was measured before anything changed."""

    share: float | None = None
    """Share of failed requests in the last minutes."""
    counts: Counts | None = None
    """Requests per pod, None without Prometheus."""


@dataclass(kw_only=True)
class Judge:
    """Looks until the verdict is certain; every part is given, so that a test can play the cluster."""

    look: Callable[[], Seen]
    ready: Callable[[], list[str]]
    """Asks every pod's /readyz; what is wrong."""
    call: Callable[[], int | None]
    """One request through the gateway: its status, 0 for none; None where there is no gateway to ask."""
    counts: Callable[[], Counts | None]
    say: Callable[[str], object]
    settle_seconds: float = 120
    """How long the rollout may still need after the engine called it done."""
    watch_seconds: float = 60
    """How long it is watched after that."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def verdict(self, before: Before) -> str:
        """Why it is not healthy, empty if it is."""
        return self._settle() or self._watch(before)

    def _settle(self) -> str:
        deadline = self.clock() + self.settle_seconds
        while True:
            seen = self.look()
            waiting = [*seen.unfinished] or self.ready()
            if not waiting:
                self.say(f"rolled out: {len(seen.restarts)} pods ready, each answers /readyz")
                return ""
            if self.clock() > deadline:
                return "; ".join([*waiting, *seen.broken])
            self.sleep(1)

    def _watch(self, before: Before) -> str:
        started, first, troubles, calls = self.clock(), self.look(), 0, 0
        while True:
            seen, status = self.look(), self.call()
            calls += status is not None
            restarted = sorted(pod for pod, count in seen.restarts.items() if count > first.restarts.get(pod, 0))
            if restarted:
                return f"pod {restarted[0]} restarted while it was watched"
            trouble = [*seen.unfinished, *seen.broken, *_refused(status)]
            troubles = troubles + 1 if trouble else 0
            if troubles >= _IN_A_ROW:
                return "; ".join(trouble)
            if not trouble and self.clock() - started >= self.watch_seconds:
                break
            self.sleep(1)
        through = f", {calls} calls through the gateway answered" if calls else ", no gateway to call through"
        self.say(f"watched for {self.watch_seconds:.0f} s: no restart{through}")
        return self._errors(before, set(seen.restarts)) or "; ".join(self.ready())

    def _errors(self, before: Before, pods: set[str]) -> str:
        after = self.counts()
        if after is None:
            self.say("no Prometheus answers: the share of failed requests is not judged")
            return ""
        base = before.counts or {}
        parts = [
            (total - base.get(pod, (0.0, 0.0))[0], failed - base.get(pod, (0.0, 0.0))[1])
            for pod, (total, failed) in after.items()
            if pod in pods
        ]
        total, failed = sum(part[0] for part in parts), sum(part[1] for part in parts)
        if total < LEAST_REQUESTS:
            self.say(f"{total:.0f} requests reached the new pods: too few to judge the share of failures by")
            return ""
        limit, share = max(FLOOR, before.share or 0.0), failed / total
        told = f"{share:.1%} of {total:.0f} requests failed, {before.share or 0.0:.1%} before"
        self.say(told)
        return told if share > limit and failed >= LEAST_FAILURES else ""


def _refused(status: int | None) -> list[str]:
    if status is None or 0 < status < _FAILING:
        return []
    return [f"the gateway answers {status}" if status else "the gateway does not answer"]
