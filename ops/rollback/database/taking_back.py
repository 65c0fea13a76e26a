"""The transaction: verdict, settings of an earlier deployment in the stack file, deployment, verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.errors import InputError, LocalError, LockedError, MachineError, StoppedError
from local.steps import write_atomically
from ops.rollback.attempt import Failed
from ops.rollback.database.judge import Verdict
from ops.rollback.database.settings import Update, Way, changed, differences, kept_lines, of_file, way_back


@dataclass(kw_only=True)
class Outcome:
    """What was found and done, for the message and for programs."""

    verdicts: list[Verdict] = field(default_factory=list)
    """Of the clusters that were judged first."""
    back_to: Update | None = None
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Key path -> what the stack file said, and what it says."""
    kept: list[str] = field(default_factory=list)
    """What also changed since then and stays."""
    after: list[Verdict] = field(default_factory=list)
    """Of all clusters after the way back."""

    @property
    def reason(self) -> str:
        """Why it was not healthy; empty if it was."""
        return "; ".join(each.told for each in self.verdicts if not each.healthy)


@dataclass(kw_only=True)
class TakingBack:
    """One stack whose databases are judged. The parts that touch anything are given."""

    file: Path
    """The stack file."""
    command: str
    """What the operator gives again to go on."""
    judge: Callable[[], Sequence[Verdict]]
    """Of every cluster, up to the first that is not healthy."""
    updates: Callable[[], Sequence[Update]]
    rejected: Callable[[], Collection[str]]
    reject: Callable[[Collection[str]], object]
    deploy: Callable[[], object]
    """`make up`."""
    agreed: Callable[[Outcome], object]
    """Says what will be done; raises LocalError where the operator does not want it."""
    note: str
    """How the comment in the stack file begins."""

    def run(self, outcome: Outcome) -> None:
        """Judge, and take the change back if it is not healthy.

        Raises:
            Failed: it was not healthy; the message says what runs now.
            StoppedError: Ctrl-C; the same command goes on.
            LocalError: also the way back failed, or nothing was changed (locked, bad input).
        """
        outcome.verdicts = [*self.judge()]
        rejected = set(self.rejected())
        if not outcome.reason:
            if rejected:
                self.reject(())
            return
        found = self.updates()
        way = way_back(found, rejected, behind=any(each.behind for each in outcome.verdicts))
        if way.update is None:
            raise Failed(f"{outcome.reason}; nothing was taken back: {way.why_not}", hint=_runbook(way))
        self._prepare(outcome, found[0], way.update)
        try:
            self.agreed(outcome)
        except InputError as error:  # it is not healthy all the same
            raise Failed(f"{outcome.reason}; nothing was taken back: {error.message}", hint=error.hint) from error
        if found[0].digest != way.update.digest:
            self.reject({*rejected, found[0].digest})
        self._back(outcome, way.update)
        self.reject(())
        raise Failed(
            f"{outcome.reason}; taken back: what was deployed on {way.update.finished} runs again, healthy: "
            f"{_listed(outcome)}",
            hint=f"commit {self.file.name}; mend the setting before it is deployed again: {_runbook(way)}",
        )

    def _prepare(self, outcome: Outcome, now: Update, target: Update) -> None:
        text = self.file.read_text(encoding="utf-8")
        after = of_file(changed(text, target, self.note))
        outcome.back_to = target
        outcome.changes = differences(of_file(text).taken_back, after.taken_back)
        outcome.kept = kept_lines(now.kept, target.kept)

    def _back(self, outcome: Outcome, target: Update) -> None:
        """Put the settings into force.

        Raises:
            StoppedError, LocalError: as `run`.
        """
        text = self.file.read_text(encoding="utf-8")
        try:
            self._write(changed(text, target, self.note))
            self.deploy()
            outcome.after = [*self.judge()]
        except (LockedError, InputError, MachineError):
            self._write(text)  # refused before anything began
            raise
        except (StoppedError, KeyboardInterrupt) as error:
            raise StoppedError(
                f"stopped on the way back: {self.file.name} has the settings of {target.finished}, which may be in "
                f"force in part or whole ({outcome.reason})",
                hint=f"`{self.command}` goes on",
            ) from error
        except LocalError as error:
            raise self._failed(outcome, target, error.message) from error
        wrong = "; ".join(each.told for each in outcome.after if not each.healthy)
        if wrong:
            raise self._failed(outcome, target, wrong)

    def _failed(self, outcome: Outcome, target: Update, wrong: str) -> LocalError:
        return LocalError(
            f"{outcome.reason}; and the way back to what was deployed on {target.finished} did not end: {wrong}",
            hint=f"{self.file.name} has those settings; `{self.command}` goes on or further back; {_runbook(Way())}",
        )

    def _write(self, text: str) -> None:
        if text != self.file.read_text(encoding="utf-8"):
            write_atomically(self.file, text, mode=self.file.stat().st_mode & 0o777)


def _listed(outcome: Outcome) -> str:
    said = [f"{name} {word(before)} -> {word(after)}" for name, (before, after) in outcome.changes.items()]
    return ", ".join([*said, *outcome.kept]) or "the stack file said so already"


def word(value: object) -> str:
    """A value of the stack file, for messages."""
    return "what the tier says" if value is None else str(value)


def _runbook(way: Way) -> str:
    return f"docs/runbooks/{way.runbook}"
