"""The transaction: pin in the stack file, deployment, verdict; and the way back, so that file and state agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.errors import InputError, LocalError, LockedError, MachineError, StoppedError
from local.steps import write_atomically
from ops.stackfile import with_value, without_key

SECTION = ("config", "omnibase-infra:images", "pins")


@dataclass(frozen=True, kw_only=True)
class Way:
    """One end of the change: what runs, and the pin that makes it so."""

    reference: str
    """What the services run; empty where only the deployment will tell."""
    pin: str
    """What stands under `images.pins`; empty for no pin."""


class Failed(LocalError):  # noqa: N818 -- the exit of a rollback, as the operator reads it
    """The target was not healthy; the message says what runs now."""


@dataclass(kw_only=True)
class Attempt:
    """One image of one stack on its way to another digest. The parts that touch anything are given."""

    file: Path
    """The stack file."""
    image: str
    command: str
    """What the operator gives again to go on."""
    deploy: Callable[[str], None]
    """`make up`; is told the digest to watch for, empty for any. Raises LocalError."""
    deployed: Callable[[], Way]
    """What the last completed deployment made of the image."""
    declared: Callable[[], str]
    """The reference that the settings give without a pin."""
    healthy: Callable[[str], str]
    """Watches a reference; why it is not healthy, or empty."""
    say: Callable[[str], object]

    def run(self, target: Way, before: Way, comment: str) -> str:
        """Deploy the target; returns the reference that runs.

        Args:
            comment: stands behind the pin in the stack file.

        Raises:
            Failed: it was not healthy, and what was before runs again.
            StoppedError: Ctrl-C; the stack file names the target, and the same command goes on.
            LocalError: nothing was changed (locked, bad input), or also the way back failed.
        """
        text = self.file.read_text(encoding="utf-8")
        try:
            reason = self._reach(target, comment)
            if not reason:
                return self.deployed().reference
        except (LockedError, InputError, MachineError):
            self._write_text(text)  # refused before anything began
            raise
        except (StoppedError, KeyboardInterrupt) as error:
            raise StoppedError(
                f"stopped: {self.file.name} names {_named(target)} for {self.image!r}, which may run in part or whole",
                hint=f"`{self.command}` goes on; the way back is --to {before.reference or 'REFERENCE'}",
            ) from error
        self._back(target, before, reason)
        raise Failed(
            f"{self.image!r} runs {_named(before)} again: {_named(target)} was not healthy: {reason}",
            hint="what the pods said: `ops logs --service NAME`, `kubectl get events`",
        )

    def _reach(self, target: Way, comment: str) -> str:
        """Deploy and judge; why the target is not healthy, or empty."""
        self._pin(target.pin, comment)
        try:
            self.deploy(_digest(target.reference))
            if target.reference and not target.pin and _differs(self.deployed().reference, target.reference):
                self.say("this checkout builds another digest by now, so the wanted one is pinned")
                self._pin(target.reference, comment)
                self.deploy(_digest(target.reference))
        except (LockedError, InputError, MachineError, StoppedError):
            raise
        except LocalError as error:
            return error.message
        return self.healthy(target.reference or self.deployed().reference)

    def _back(self, target: Way, before: Way, reason: str) -> None:
        """What was before, deployed and seen to be rolled out.

        Raises:
            LocalError: there is no other way, or it failed too; the message says where things stand.
        """
        if not before.reference or not _differs(before.reference, target.reference):
            raise Failed(
                f"{_named(target)} is not healthy: {reason}",
                hint="it is what was deployed before, so nothing was taken back; name another with --to",
            )
        self.say(f"not healthy: {reason}")
        self.say(f"going back to {_named(before)}")
        pin = before.pin or (before.reference if _differs(self.declared(), before.reference) else "")
        self._pin(pin, "what ran before a rollback that was not healthy")
        try:
            self.deploy(_digest(before.reference))
            wrong = self.healthy(before.reference)
        except LocalError as error:
            wrong = error.message
        except KeyboardInterrupt:
            wrong = "stopped"
        if wrong:
            raise LocalError(
                f"{_named(target)} was not healthy ({reason}), and the way back to {_named(before)} did not end: "
                f"{wrong}",
                hint=f"{self.file.name} says what was before; `make up` goes on, `ops status` shows what runs",
            )

    def _pin(self, reference: str, comment: str) -> None:
        """Write the pin into the stack file as it is now, or take it out."""
        text = self.file.read_text(encoding="utf-8")
        path = [*SECTION, self.image]
        changed = without_key(text, path)
        self._write_text(with_value(changed, path, reference, comment) if reference else changed)

    def _write_text(self, text: str) -> None:
        if text != self.file.read_text(encoding="utf-8"):
            write_atomically(self.file, text, mode=self.file.stat().st_mode & 0o777)


def _digest(reference: str) -> str:
    return reference.rpartition("@")[2]


def _differs(one: str, other: str) -> bool:
    return _digest(one) != _digest(other)


def _named(way: Way) -> str:
    return short(way.reference) if way.reference else "what the settings say"


def short(reference: str) -> str:
    """Tag and the first twelve digits of the digest, for messages."""
    path, _, digest = reference.partition("@")
    tag = path.rpartition("/")[2].partition(":")[2]
    return f"{tag}@{digest[:19]}" if tag else digest[:19]
