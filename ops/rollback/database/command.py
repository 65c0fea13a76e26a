"""The command `ops rollback database` from its arguments to its exit code."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from omnibase_infra.config.clusters import MAIN
from omnibase_infra.config.errors import nearest
from rich.console import Console
from rich.markup import escape

from local.errors import InputError, LocalError
from local.lock import exclusive
from local.plugins.kubernetes.client import ApiError, UnreachableError
from ops.engine import EngineCommand
from ops.rollback.asking import confirm, terminated_like_interrupted
from ops.rollback.database.judge import Judge, Verdict
from ops.rollback.database.live import Servers
from ops.rollback.database.settings import Update, updates
from ops.rollback.database.taking_back import Outcome, TakingBack, word
from ops.rollback.scene import Scene

ROOT = Path(__file__).resolve().parents[3]
_REMEMBERED = 20
"""Deployments that are looked through; the engine of this machine keeps as many."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the operator typed."""

    cluster: str = ""
    within_seconds: float = 600
    yes: bool = False
    as_json: bool = False


def rollback_database(stack_name: str, asked: Asked, console: Console) -> int:
    """Judge the databases of a stack, and take a change of their settings back if they do not start with it.

    Returns:
        0 when every server runs what is declared.

    Raises:
        InputError: a name or settings that cannot be used; nothing was changed.
        LockedError: another command works on the stack; nothing was changed.
        LocalError: not healthy; the message says what runs now.
    """
    outcome, error = Outcome(), ""
    shown = Console(stderr=True, highlight=False) if asked.as_json else console
    with contextlib.redirect_stdout(sys.stderr) if asked.as_json else contextlib.nullcontext():
        try:
            _run(stack_name, asked, shown, outcome)
        except LocalError as failed:
            if not asked.as_json or not outcome.verdicts:
                raise
            error = str(failed)
    if asked.as_json:
        print(json.dumps(_document(stack_name, outcome, error), indent=2))
    if error:
        print(f"ops: {error}", file=sys.stderr)
    return 1 if error else 0


def _run(stack_name: str, asked: Asked, console: Console, outcome: Outcome) -> None:
    try:
        scene = Scene.of(ROOT, stack_name, os.environ, ("images", "postgres"))
        run = _Run(scene=scene, asked=asked, console=console)
        with terminated_like_interrupted():
            run.taking_back().run(outcome)
    except (ApiError, UnreachableError) as error:
        raise LocalError(f"the cluster does not answer: {error}", hint="`ops status` says what runs") from error
    for each in outcome.verdicts:
        run.say(f"{each.told}: healthy ({each.seconds:.0f} s)")


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One call of the command."""

    scene: Scene
    asked: Asked
    console: Console

    @property
    def command(self) -> str:
        """What the operator gives again."""
        named = ["--cluster", self.asked.cluster] if self.asked.cluster else []
        return shlex.join(["ops", "rollback", "database", *named, "--stack", self.scene.stack.name])

    def say(self, text: str) -> None:
        """One line of progress."""
        self.console.print(f"rollback  {escape(text)}", soft_wrap=True)

    def servers(self) -> list[Servers]:
        """The clusters that are asked about.

        Raises:
            InputError: there is none of that name.
        """
        names = list(self.scene.config.postgres.by_cluster)
        if self.asked.cluster and self.asked.cluster not in names:
            hint = f"{nearest(self.asked.cluster, names)}; there are: {', '.join(names)}"
            raise InputError(f"there is no PostgreSQL cluster {self.asked.cluster!r}", hint=hint)
        return [self._servers(name) for name in names if self.asked.cluster in ("", name)]

    def taking_back(self) -> TakingBack:
        """The transaction with its parts."""
        scene, servers, memory = self.scene, self.servers(), self._servers(MAIN)
        moment = datetime.datetime.now(datetime.UTC)
        return TakingBack(
            file=scene.stack.path,
            command=self.command,
            judge=lambda: self._judged(servers),
            updates=self._updates,
            memory=memory.memory,
            remember=memory.remember,
            declared=lambda: " ".join(each.declared() for each in servers),
            deploy=lambda: self._deploy(servers),
            agreed=self._agreed,
            note=f"taken back {moment:%Y-%m-%d %H:%M} UTC, as the database did not start with it",
        )

    def _servers(self, name: str) -> Servers:
        live = self.scene.live
        return Servers(client=live.client, stack=self.scene.stack.name, namespace=live.namespace, cluster=name)

    def _judge(self, servers: Servers) -> Judge:
        return Judge(
            cluster=servers.cluster,
            look=servers.look,
            difference=servers.difference,
            words=servers.words,
            release=servers.delete,
            say=self.say,
            within=self.asked.within_seconds,
        )

    def _judged(self, clusters: list[Servers]) -> list[Verdict]:
        found: list[Verdict] = []
        for each in clusters:
            found.append(self._judge(each).verdict())
            if not found[-1].healthy:
                break
        return found

    def _updates(self) -> list[Update]:
        return updates(EngineCommand.of(self.scene.paths, self.scene.stack).history(_REMEMBERED))

    def _deploy(self, clusters: list[Servers]) -> None:
        """`make up`; what waits for the settings that are taken back is deleted, so that `up` does not wait for it."""
        looks = [self._from_the_change_on(each) for each in clusters]
        self.scene.up_unless(lambda: next((why for look in looks if (why := look())), ""))

    def _from_the_change_on(self, servers: Servers) -> Callable[[], str]:
        """A look at a cluster that begins once another declaration is there."""
        before, judge = servers.generation(), self._judge(servers)
        return lambda: judge.hopeless() if servers.generation() != before else ""

    def _agreed(self, outcome: Outcome) -> None:
        target = outcome.back_to
        lines = [
            f"not healthy: {outcome.reason}",
            f"going back to what was deployed on {target.finished if target else ''}",
            *(f"  {name}: {word(before)} -> {word(after)}" for name, (before, after) in outcome.changes.items()),
            *(f"  {line}" for line in outcome.kept),
            *(["  the image last, and only where the other settings alone do not help"] if outcome.image_last else []),
            *(f"  besides {line}" for line in self.scene.besides),
        ]
        for line in lines:
            self.say(line)
        if not self.asked.yes:
            confirm()
        with exclusive(self.scene.paths, self.command):
            pass  # who holds it is said before the stack file is touched


def _document(stack: str, outcome: Outcome, error: str) -> dict[str, object]:
    target = outcome.back_to
    return {
        "stack": stack,
        "healthy": not error,
        "error": error,
        "clusters": [dataclasses.asdict(each) for each in outcome.verdicts],
        "taken_back_to": target.finished if target else "",
        "changed": {name: {"from": before, "to": after} for name, (before, after) in outcome.changes.items()},
        "kept": outcome.kept,
        "clusters_now": [dataclasses.asdict(each) for each in outcome.after],
    }
