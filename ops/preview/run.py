"""The engine's previews: of a stack as it is deployed, and of a program without any state."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from local import machine, policy
from local.engine import Engine
from local.engine.plugins import plugins_step
from local.errors import InputError, LocalError
from local.lock import exclusive
from local.paths import Paths
from local.progress import Progress
from local.steps import StepContext, run_steps
from ops.preview.events import Preview, read_events

_STREAM = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
_OVERRIDE = "OMNIBASE__"


def prepare(paths: Paths, stack: str, progress: Progress) -> None:
    """Build the engine and what previews need, once."""
    retry = f"ops preview --stack {stack}"
    with exclusive(paths, retry):
        run_steps(machine.engine_steps(paths), paths, progress, retry=retry)


def deployed(paths: Paths, stack: str) -> tuple[int, Preview]:
    """What `make up` would change now, under the policy pack; the engine's exit code and what it said."""
    return _preview(paths, stack, dict(os.environ), guarded=True)


def program(paths: Paths, stack: str) -> tuple[int, Preview]:
    """Everything that the checkout's program registers, under the policy pack, as if nothing were deployed."""
    with tempfile.TemporaryDirectory(prefix="omnibase-preview-") as directory:
        return _preview(_stateless(paths, paths.root, Path(directory)), stack, dict(os.environ), guarded=True)


def program_at(paths: Paths, stack: str, reference: str) -> Preview:
    """The same of another commit, without overrides and policies.

    Raises:
        InputError: no such commit, or it has no such stack.
        LocalError: its program cannot be previewed here.
    """
    with tempfile.TemporaryDirectory(prefix="omnibase-preview-") as directory, _checkout(paths.root, reference) as root:
        (root / ".venv").symlink_to(paths.venv)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_OVERRIDE)}
        env = {**kept, "PYTHONPATH": str(root / "components")}
        code, found = _preview(_stateless(paths, root, Path(directory)), stack, env, guarded=False)
    if code:
        reason = "; ".join(found.errors) or f"exit code {code}"
        raise LocalError(
            f"the program of {reference} cannot be previewed: {reason}", hint="take a newer commit as base"
        )
    return found


def _preview(paths: Paths, stack: str, env: Mapping[str, str], *, guarded: bool) -> tuple[int, Preview]:
    lines: list[str] = []
    levels = policy.levels_file(paths, stack) if guarded else None
    engine = Engine(
        paths,
        stack,
        write=lines.append,
        policy_packs=[paths.root / "policies"] if levels else [],
        policy_configs=[levels] if levels else [],
        env={**env, **_STREAM},
    )
    code = engine.preview("--json")
    return code, read_events(lines)


def _stateless(paths: Paths, root: Path, directory: Path) -> Paths:
    """An instance with an empty backend, and with the plugins of this machine."""
    made = replace(paths, root=root, state=directory / "state")
    with Path(os.devnull).open("wb") as log:
        plugins_step(replace(made, root=paths.root)).run(StepContext(paths=made, log=log))
    return made


@contextmanager
def _checkout(root: Path, reference: str) -> Iterator[Path]:
    """The files of a commit in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="omnibase-base-") as directory:
        packed = subprocess.run(
            ["git", "archive", "--format=tar", reference], cwd=root, capture_output=True, check=False
        )
        if packed.returncode != 0:
            reason = packed.stderr.decode(errors="replace").strip()
            raise InputError(
                f"--base {reference!r}: {reason}", hint="give a branch, a tag or a commit of this repository"
            )
        subprocess.run(["tar", "-x", "-C", directory], input=packed.stdout, check=True)
        yield Path(directory)
