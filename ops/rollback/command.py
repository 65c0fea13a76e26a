"""The command `ops rollback image` from its arguments to its exit code."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.errors import InputError, LocalError, LockedError, MachineError, StoppedError
from local.lock import exclusive
from local.plugins.kubernetes.client import ApiError, UnreachableError
from ops.rollback import registry
from ops.rollback.asking import confirm, terminated_like_interrupted
from ops.rollback.attempt import Attempt, Way, short
from ops.rollback.history import Version, leaves_for_good
from ops.rollback.scene import Scene
from ops.rollback.target import Chosen, chosen, wanted

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the operator typed."""

    name: str
    to: str = ""
    list_only: bool = False
    release: bool = False
    yes: bool = False
    as_json: bool = False
    watch_seconds: float = 60
    now: bool = False
    unchecked: bool = False


def rollback_image(stack_name: str, asked: Asked, console: Console) -> int:
    """Deploy another digest of one image, and go back by itself if that is not healthy.

    Returns:
        0 when the services run what was asked for and are healthy.

    Raises:
        InputError: a name, a target or settings that cannot be used; nothing was changed.
        LockedError: another command works on the stack; nothing was changed.
        LocalError: not healthy, and what was before runs again; or it cannot be reached at all. The message says which.
    """
    if asked.as_json:
        with contextlib.redirect_stdout(sys.stderr):  # the document alone is the output
            document = _run(stack_name, asked, Console(stderr=True, highlight=False))
        print(json.dumps(document, indent=2))
        return 0
    _run(stack_name, asked, console)
    return 0


def _run(stack_name: str, asked: Asked, console: Console) -> dict[str, object]:
    try:
        return _rollback(Scene.of(ROOT, stack_name, os.environ), asked, console)
    except (ApiError, UnreachableError) as error:
        raise LocalError(f"the cluster does not answer: {error}", hint="`ops status` says what runs") from error


def _rollback(scene: Scene, asked: Asked, console: Console) -> dict[str, object]:
    who = chosen(asked.name, scene.config)
    run = _Run(scene=scene, asked=asked, console=console, who=who, found=scene.versions(who), before=scene.serving(who))
    if asked.list_only:
        _show(console, who, run.found, run.before)
        return _listed(who, run.found, run.before)
    if asked.now:
        scene.require_without_canary(who)
    target = run.target()
    run.check_registry(target)
    run.announce(target)
    if not asked.yes:
        confirm()
    with exclusive(scene.paths, run.command):
        pass  # who holds it is said before the stack file is touched
    done = run.carry_out(target)
    console.print(f"{escape(who.image)} runs {escape(short(done))}: healthy", soft_wrap=True)
    return {"image": who.image, "services": list(who.services), "before": run.before.reference, "runs": done}


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One call of the command."""

    scene: Scene
    asked: Asked
    console: Console
    who: Chosen
    found: list[Version]
    before: Way
    """What callers reach now, and the way back."""

    @property
    def command(self) -> str:
        """What the operator gives again."""
        asked = self.asked
        words = ["ops", "rollback", "image", asked.name, *(["--release"] if asked.release else [])]
        return shlex.join([*words, *(["--to", asked.to] if asked.to else []), "--stack", self.scene.stack.name])

    @property
    def _now(self) -> bool:
        return self.asked.now and bool(self.scene.without_canary(self.who))

    def target(self) -> Way:
        """Where to go."""
        image, asked = self.who.image, self.asked
        pinned = self.scene.config.images.pins.get(image, "")
        if asked.release and asked.to:
            raise InputError("--release and --to exclude each other", hint="--release takes the pin out, --to sets one")
        if asked.release:
            if not pinned and not self._differs_from_settings():
                raise InputError(f"image {image!r} is not pinned", hint="there is nothing to release")
            return Way(reference="", pin="")
        if not asked.to and pinned and _differs(Way(reference=pinned, pin=pinned), self.before):
            # an earlier command wrote the stack file and was cut short
            self.console.print("a rollback that was cut short goes on")
            return Way(reference=pinned, pin=pinned)
        reference = wanted(asked.to, self.who, self.scene.repository(image), self.found)
        same = not _differs(Way(reference=self.scene.declared(image), pin=""), Way(reference=reference, pin=""))
        return Way(reference=reference, pin="" if same else reference)

    def _differs_from_settings(self) -> bool:
        return _differs(Way(reference=self.scene.declared(self.who.image), pin=""), self.before)

    def check_registry(self, target: Way) -> None:
        """Nothing begins that could not be pulled."""
        scene, before = self.scene, self.before.reference
        if self.asked.unchecked or not target.reference:
            return
        if not registry.has(scene.paths, scene.stack, target.reference):
            raise InputError(
                f"the registry does not have {target.reference}, so no node could start it; nothing was changed",
                hint="`--list` shows others; push the image again by its digest, or build its commit",
            )
        if before and not registry.has(scene.paths, scene.stack, before):
            warning = f"the registry has lost {short(before)}, the way back"
            self.console.print(f"[yellow]warning[/yellow]  {escape(warning)}", soft_wrap=True)

    def announce(self, target: Way) -> None:
        """What will change."""
        scene, before = self.scene, self.before
        lines = [
            f"stack {scene.stack.name}: image {self.who.image}, services {', '.join(self.who.services)}",
            f"  runs      {short(before.reference) or 'nothing'}{' (pinned)' if before.pin else ''}",
            f"  then      {short(target.reference) or 'what the settings say'}"
            f"{f' (pinned in {scene.stack.path.name})' if target.pin else ' (no pin)'}",
            *(f"  besides   {line}" for line in scene.besides),
            *(["  now       without canary; the next `make up` makes it again"] if self._now else []),
        ]
        for line in lines:
            self.console.print(escape(line), soft_wrap=True)

    def say(self, text: str) -> None:
        """One line of progress."""
        self.console.print(f"rollback  {escape(text)}", soft_wrap=True)

    def carry_out(self, target: Way) -> str:
        """Deploy, judge, go back where needed; the reference that runs."""
        scene, who, before = self.scene, self.who, self.before
        attempt = Attempt(
            file=scene.stack.path,
            image=who.image,
            command=self.command,
            deploy=lambda digest: scene.up(who, digest, now=self.asked.now),
            deployed=lambda: scene.deployed(who.image, fresh=True),
            declared=lambda: scene.declared(who.image),
            healthy=scene.watch(who, self.asked.watch_seconds, self.say),
            say=self.say,
        )
        moment = datetime.datetime.now(datetime.UTC)
        comment = f"rolled back {moment:%Y-%m-%d %H:%M} UTC from {short(before.reference)}"
        with terminated_like_interrupted():
            try:
                done = attempt.run(target, before, comment)
            except LocalError as error:
                self._mark(target, "was cut short" if isinstance(error, StoppedError) else "was not healthy", error)
                raise
        if leaves_for_good(self.found, before.reference, target.reference):
            scene.reject(who, before.reference, "was rolled back")
        scene.reject(who, done, "")
        return done

    def _mark(self, target: Way, why: str, error: LocalError) -> None:
        """Keep a target that did not prove itself out of the next proposal, where the cluster still answers."""
        began = not isinstance(error, LockedError | InputError | MachineError)
        if began and target.reference and _differs(target, self.before):
            with contextlib.suppress(ApiError, UnreachableError):
                self.scene.reject(self.who, target.reference, why)


def _differs(one: Way, other: Way) -> bool:
    return one.reference.rpartition("@")[2] != other.reference.rpartition("@")[2]


def _show(console: Console, who: Chosen, found: list[Version], before: Way) -> None:
    table = Table("revision", "digest", "tag", "first rolled out", "", title=f"image {who.image}", title_justify="left")
    for each in found:
        many = len(who.services) > 1
        revisions = ", ".join(f"{name} {number}" if many else str(number) for name, number in each.revisions.items())
        tag = each.reference.partition("@")[0].rpartition("/")[2].partition(":")[2]
        marks = [*(["runs"] if each.current else []), *([each.rejected] if each.rejected else [])]
        marks += ["pinned"] if before.pin and before.pin.endswith(each.digest) else []
        table.add_row(revisions, each.digest[7:19], tag, each.created, ", ".join(marks))
    console.print(table)


def _listed(who: Chosen, found: list[Version], before: Way) -> dict[str, object]:
    return {
        "image": who.image,
        "services": list(who.services),
        "deployed": before.reference,
        "pin": before.pin,
        "versions": [
            {
                "reference": each.reference,
                "revisions": each.revisions,
                "created": each.created,
                "current": each.current,
                "rejected": each.rejected,
            }
            for each in found
        ],
    }
