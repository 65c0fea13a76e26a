"""The engine's command line for one stack: reading only."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.errors import LocalError
from local.paths import Paths
from local.stack import Stack

if TYPE_CHECKING:
    from local.engine.locks import Lock

_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class EngineCommand:
    """`pulumi` with the environment and the directory of one stack. Build it with `EngineCommand.of`."""

    program: str
    stack: Stack
    directory: Path
    """Where a Pulumi.yaml names the project."""
    environment: Mapping[str, str]
    locks: Callable[[], Sequence[Lock]]
    """Reads the stack's locks."""

    @classmethod
    def of(cls, paths: Paths, stack: Stack) -> EngineCommand:
        """The engine of this machine, with the backend and the passphrase that `make up` uses.

        Raises:
            LocalError: nothing was ever deployed from this machine.
        """
        if not paths.pulumi_backend.exists():  # asking the engine would make its directories and a passphrase
            raise LocalError(f"stack {stack.name} was never deployed: `make up STACK={stack.name}` deploys it")
        from local.engine import environment, installation  # noqa: PLC0415 -- after the cheap way out
        from local.engine.locks import stack_locks  # noqa: PLC0415
        from local.engine.stackfile import engine_project  # noqa: PLC0415

        directory, project = engine_project(paths)
        return cls(
            program=str(installation(paths).pulumi),
            stack=stack,
            directory=directory,
            environment=environment(paths),
            locks=lambda: stack_locks(paths, project, stack.name),
        )

    def working(self) -> str:
        """Which engine works on the stack now; empty if none does. What a killed one left is not an engine."""
        held = next((lock for lock in self.locks() if lock.held), None)
        return f"pulumi, process {held.pid} on {held.host}, works on it since {held.since}" if held else ""

    def export(self) -> dict[str, Any]:
        """The stack's state; secrets stay encrypted.

        Raises:
            LocalError: the engine is not there, does not answer, or has no such stack.
        """
        document: dict[str, Any] = self._json("stack", "export")
        return document

    def history(self, newest: int = 1) -> list[dict[str, Any]]:
        """The newest entries of the stack's history, the newest first; fewer where it has fewer.

        Raises:
            LocalError: as for `export`.
        """
        entries: list[dict[str, Any]] | None = self._json("stack", "history", "--json", "--page-size", str(newest))
        return entries or []

    def _json(self, *words: str) -> Any:  # noqa: ANN401 -- a JSON value
        command = [self.program, *words, "--stack", self.stack.name, "--non-interactive"]
        try:
            ended = subprocess.run(
                command,
                cwd=self.directory,
                env=dict(self.environment),
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
        except FileNotFoundError as error:
            raise LocalError("the engine is not built yet: `make up` or `make preview` builds it") from error
        except subprocess.TimeoutExpired as error:
            raise LocalError(f"`pulumi {' '.join(words)}` gave no answer within {_SECONDS:.0f} s") from error
        if ended.returncode != 0:
            raise LocalError(self._reason(ended.stderr))
        return json.loads(ended.stdout)

    def _reason(self, complaint: str) -> str:
        if "no stack named" in complaint:
            return f"stack {self.stack.name} was never deployed: `make up STACK={self.stack.name}` deploys it"
        return f"the engine cannot read stack {self.stack.name}: {complaint.strip()}"
