"""The transaction: verdict, settings of an earlier deployment in the stack file, deployment, verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from local.errors import InputError, LocalError, LockedError, MachineError, StoppedError
from local.steps import write_atomically
from ops.rollback.attempt import Failed
from ops.rollback.database.judge import Verdict
from ops.rollback.database.settings import (
    IMAGE,
    Memory,
    Update,
    Way,
    changed,
    differences,
    kept_lines,
    of_file,
    steps,
    way_back,
)

_IMAGE = ".".join(IMAGE)


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
    image_last: bool = False
    """Whether the image goes back in a deployment of its own, after the other settings."""
    failed: str = ""
    """Why the last deployment failed although it changed the databases."""
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
    memory: Callable[[], Memory]
    remember: Callable[[Memory], object]
    declared: Callable[[], str]
    """Another text after every change of what is declared for the databases."""
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
        memory = self.memory()
        if not outcome.reason:
            if memory != Memory():
                self.remember(Memory())
            return
        found = self.updates()
        way = way_back(found, memory, behind=any(each.behind for each in outcome.verdicts))
        if way.update is None:
            raise Failed(f"{outcome.reason}; nothing was taken back: {way.why_not}", hint=_runbook(way))
        plan = steps(found[0], way.update)
        self._prepare(outcome, found[0], plan)
        try:
            self.agreed(outcome)
        except InputError as error:  # it is not healthy all the same
            raise Failed(f"{outcome.reason}; nothing was taken back: {error.message}", hint=error.hint) from error
        if found[0].digest != way.update.digest:
            self.remember(Memory(rejected=memory.rejected | {found[0].digest}))
        self._go(outcome, plan)
        self.remember(Memory())
        if outcome.failed:
            raise Failed(
                f"{outcome.reason}; taken back, and the databases are healthy with what was deployed on "
                f"{way.update.finished} ({_listed(outcome)}), but the deployment failed: {outcome.failed}",
                hint=f"commit {self.file.name}; `make up` goes on with the rest; {_runbook(way)}",
            )
        raise Failed(
            f"{outcome.reason}; taken back: what was deployed on {way.update.finished} runs again, healthy: "
            f"{_listed(outcome)}",
            hint=f"commit {self.file.name}; mend the setting before it is deployed again: {_runbook(way)}",
        )

    def _prepare(self, outcome: Outcome, now: Update, plan: Sequence[Update]) -> None:
        text, target = self.file.read_text(encoding="utf-8"), plan[-1]
        after = of_file(changed(text, target, self.note))
        outcome.back_to = target
        outcome.changes = differences(of_file(text).taken_back, after.taken_back)
        outcome.kept = kept_lines(now.kept, target.kept)
        outcome.image_last = len(plan) > 1

    def _go(self, outcome: Outcome, plan: Sequence[Update]) -> None:
        """One deployment after the other, until it is healthy.

        Raises:
            StoppedError, LocalError: as `run`.
        """
        wrong = ""
        for target in plan:
            wrong = self._step(outcome, target)
            if not wrong:
                if target is not plan[-1]:
                    outcome.changes.pop(_IMAGE, None)
                    outcome.kept.append(f"{_IMAGE} stays: healthy with it")
                return
        raise LocalError(
            f"{outcome.reason}; and the way back to what was deployed on {plan[-1].finished} did not end: {wrong}",
            hint=f"{self.file.name} has those settings; `{self.command}` goes further back; {_runbook(Way())}",
        )

    def _step(self, outcome: Outcome, target: Update) -> str:
        """Put settings into force; returns why it is not healthy with them, empty if it is.

        Raises:
            StoppedError, LocalError: as `run`.
        """
        memory, text = self.memory(), self.file.read_text(encoding="utf-8")
        before = memory.declared if memory.going_to == target.digest else self.declared()
        self.remember(replace(memory, going_to=target.digest, declared=before))
        try:
            self._write(changed(text, target, self.note))
            outcome.failed = self._deploy(outcome, target, before)
            outcome.after = [*self.judge()]
        except (LockedError, InputError, MachineError):
            self._write(text)  # refused before anything began
            self.remember(memory)
            raise
        except (StoppedError, KeyboardInterrupt) as error:
            raise StoppedError(
                f"stopped on the way back: {self.file.name} has the settings of {target.finished}, which may be in "
                f"force in part or whole ({outcome.reason})",
                hint=f"`{self.command}` goes on",
            ) from error
        wrong = "; ".join(each.told for each in outcome.after if not each.healthy)
        if wrong:
            self.remember(Memory(rejected=memory.rejected | {target.digest}))
        return wrong

    def _deploy(self, outcome: Outcome, target: Update, before: str) -> str:
        """Deploy; why it failed where the databases were changed all the same, and can be judged.

        Raises:
            StoppedError, LocalError: as `run`.
        """
        try:
            self.deploy()
        except (LockedError, InputError, MachineError, StoppedError):
            raise
        except LocalError as error:
            if self.declared() != before:
                return error.message
            raise LocalError(  # which says nothing against the settings
                f"{outcome.reason}; and the way back to what was deployed on {target.finished} did not come as far as "
                f"the databases: {error.message}",
                hint=f"mend that first; {self.file.name} has those settings, and `{self.command}` goes on",
            ) from error
        return ""

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
