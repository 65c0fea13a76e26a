"""Waiting until an object is ready, or gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from local.plugins.common.enginelog import ResourceLog
from local.plugins.common.values import Object, dig
from local.plugins.kubernetes.client import ApiError, CancelledError, UnreachableError
from local.plugins.kubernetes.readiness import diagnosis
from local.plugins.kubernetes.readiness.registry import Rule
from local.plugins.kubernetes.readiness.verdict import Check, Lister, Look, Verdict

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
_SILENCE_SECONDS = 60.0  # an API server that is restarted comes back within this
_SERVER_FAULT = 500
_DIAGNOSE_EVERY = 3.0  # seconds; listing pods and events is dearer than looking at one object


class NotReadyError(Exception):
    """An object exists but did not become ready; `live` is how it was last seen."""

    def __init__(self, message: str, reasons: list[str], live: Object) -> None:
        super().__init__(message)
        self.reasons = reasons
        self.live = live


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One wait. `read` returns the object as it is now, or None once it is gone."""

    read: Callable[[], Object | None]
    others: Lister
    log: ResourceLog
    cancelled: threading.Event
    seconds: float

    def until_ready(self, live: Object, check: Check, rule: Rule | None, before: Object | None = None) -> Object:
        """Look again and again until the check is content; returns the object as last seen.

        Raises:
            NotReadyError: the time is over, the operator interrupted, the object vanished, or it cannot succeed.
        """
        name = dig(live, "metadata", "name")
        started, pause, diagnosed, memory = time.monotonic(), _FIRST_PAUSE, 0.0, dict[str, float]()
        try:
            while True:
                look = Look(live, self.others, before, time.monotonic() - started, memory)
                verdict = check(look)
                if verdict.ready:
                    self.log.clear()
                    return live
                if verdict.failed:
                    raise NotReadyError(verdict.message, self._reasons(look, rule, verdict), live)
                if look.seconds >= self.seconds:
                    message = f"{name!r} timed out waiting to be Ready"
                    raise NotReadyError(message, self._reasons(look, rule, verdict), live)
                if look.seconds - diagnosed >= _DIAGNOSE_EVERY:
                    diagnosed = look.seconds
                    self._explain(look, rule, verdict)
                elif not diagnosed:
                    self.log.status(verdict.message)
                if self.cancelled.wait(min(pause, max(self.seconds - look.seconds, 0.01))):
                    raise NotReadyError(f"Resource operation was cancelled for {name!r}", [verdict.message], live)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
                seen = self._read()
                if seen is None:
                    raise NotReadyError(f"{name!r} was deleted while it was waited for", [], live)
                live = seen
        except CancelledError as problem:
            raise NotReadyError(f"Resource operation was cancelled for {name!r}", [], live) from problem

    def until_gone(self, uid: str, live: Object) -> None:
        """Look again and again until the object with this uid is gone.

        Raises:
            NotReadyError: the time is over or the operator interrupted; the message says what holds the object.
        """
        started, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            seen = self._read()
            if seen is None or (uid and dig(seen, "metadata", "uid") != uid):
                self.log.clear()
                return
            live = seen
            held = ", ".join(dig(live, "metadata", "finalizers", default=[]) or [])
            why = f"finalizers: {held}" if held else "the server has not removed it yet"
            if time.monotonic() - started >= self.seconds:
                message = f"{dig(live, 'metadata', 'name')!r} timed out waiting to be deleted"
                raise NotReadyError(message, [why, *_blockers(live)], live)
            self.log.status(f"Waiting for deletion ({why})")
            if self.cancelled.wait(pause):
                message = f"Resource operation was cancelled for {dig(live, 'metadata', 'name')!r}"
                raise NotReadyError(message, [why], live)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _read(self) -> Object | None:
        """Read the object, with patience for an API server that is restarted meanwhile."""
        started = time.monotonic()
        while True:
            try:
                return self.read()
            except (UnreachableError, ApiError) as problem:
                silent = isinstance(problem, UnreachableError) or problem.status >= _SERVER_FAULT
                if not silent or time.monotonic() - started > min(_SILENCE_SECONDS, self.seconds):
                    raise
                self.log.status(f"Waiting for the API server: {problem}", "warning")
                if self.cancelled.wait(_LONGEST_PAUSE):
                    raise CancelledError("the operation was cancelled") from problem

    def _explain(self, look: Look, rule: Rule | None, verdict: Verdict) -> None:
        found = diagnosis.reasons(look, rule)
        text = f"{verdict.message}; {'; '.join(found)}" if found else verdict.message
        self.log.status(text, "warning" if found else "info")

    @staticmethod
    def _reasons(look: Look, rule: Rule | None, verdict: Verdict) -> list[str]:
        return [verdict.message, *diagnosis.reasons(look, rule)]


def _blockers(live: Object) -> list[str]:
    """Conditions of a namespace that say which objects inside keep it."""
    conditions = dig(live, "status", "conditions", default=[]) or []
    return [str(item.get("message")) for item in conditions if item.get("status") == "True" and item.get("message")]
