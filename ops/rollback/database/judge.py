"""The verdict on a cluster: all instances run what is declared, or one certainly will not, or it takes too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ops.rollback.database.parameters import Difference
from ops.rollback.database.seen import Instance, Seen

UNSCHEDULED_SECONDS = 20
"""So long no node takes a pod before that is certain: the one before it may still be on its way out."""
UNREAD_SECONDS = 30
"""So long a server may run other parameters than declared without waiting for a restart, and be healthy then."""
_SAY_EVERY = 15


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out."""

    healthy: bool
    told: str
    """What runs, or why it is not healthy."""
    behind: bool = False
    """Whether a server still runs what was declared before: then the change is what does not start."""
    seconds: float = 0.0


@dataclass(kw_only=True)
class Judge:
    """Looks until the verdict is certain; every part is given, so that a test can play the cluster."""

    cluster: str
    look: Callable[[], Seen]
    difference: Callable[[Instance, Seen], Difference]
    """Asks one ready server for its parameters."""
    words: Callable[[Instance], str]
    """What a server said before it ended."""
    release: Callable[[Instance], object]
    """Deletes a pod that waits for what nobody wants any more."""
    say: Callable[[str], object]
    within: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _unscheduled: dict[str, float] = field(default_factory=dict)
    """Uid of a pod -> since when no node takes it."""
    _whole_since: float | None = None
    _said: tuple[str, float] = ("", 0.0)

    def verdict(self) -> Verdict:
        """Watch until it is certain, `within` seconds at most."""
        started = self.clock()
        while True:
            seen, now = self.look(), self.clock()
            if seen.asleep:
                return self._good("asleep, as declared", now - started)
            self._release(seen)
            bad = self._certain(seen.pods, now)
            waiting = seen.unfinished or self._parameters(seen, now)
            if bad or (waiting and now - started >= self.within):
                why = bad or f"not as declared after {self.within:.0f} s: {'; '.join(waiting)}"
                return Verdict(
                    healthy=False, told=f"{self.cluster}: {why}", behind=self._behind(seen), seconds=now - started
                )
            if not waiting:
                told = f"{seen.wanted} of {seen.wanted} instances run what is declared"
                return self._good(told, now - started)
            self._progress("; ".join(waiting), now - started)
            self.sleep(1)

    def hopeless(self) -> str:
        """One look for while a deployment waits: why an instance will certainly not start, empty while it may.

        Poolers are left out: no deployment waits for their pods, and they may not have their new declaration yet.
        """
        seen = self.look()
        self._release(seen)
        return self._certain(seen.instances, self.clock())

    def _good(self, told: str, seconds: float) -> Verdict:
        return Verdict(healthy=True, told=f"{self.cluster}: {told}", seconds=seconds)

    def _release(self, seen: Seen) -> None:
        for each in seen.instances:
            if each.stuck:
                self.say(f"{self.cluster}: deleted pod {each.name}, which waited for what was declared before")
                self.release(each)

    def _certain(self, pods: Iterable[Instance], now: float) -> str:
        """Why a pod that has what is declared will not start."""
        current = [each for each in pods if each.current and not each.ready]
        waiting = {each.uid for each in current if each.unscheduled}
        self._unscheduled = {uid: self._unscheduled.get(uid, now) for uid in waiting}
        for each in current:
            if each.hopeless:
                words = self.words(each) if each.crashed else ""
                return f"{each.hopeless}{f': {words}' if words else ''}"
            if each.unscheduled and now - self._unscheduled[each.uid] >= UNSCHEDULED_SECONDS:
                return each.unscheduled
        return ""

    def _parameters(self, seen: Seen, now: float) -> tuple[str, ...]:
        """What servers that are ready do not run of the declared parameters."""
        self._whole_since = now if self._whole_since is None else self._whole_since
        found = {each.name: self.difference(each, seen) for each in seen.instances}
        late = now - self._whole_since < UNREAD_SECONDS
        return (
            *(f"{name}: {', '.join(each.waiting)} wait for a restart" for name, each in found.items() if each.waiting),
            *(f"{name}: {', '.join(each.unread)} not read yet" for name, each in found.items() if each.unread and late),
        )

    def _behind(self, seen: Seen) -> bool:
        differences = (self.difference(each, seen) for each in seen.instances if each.ready)
        return seen.behind or any(each.waiting or each.unread for each in differences)

    def _progress(self, text: str, seconds: float) -> None:
        before, moment = self._said
        if text != before or seconds - moment >= _SAY_EVERY:
            self.say(f"{self.cluster}: {text} ({seconds:.0f} s)")
            self._said = (text, seconds)
