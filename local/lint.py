"""`make lint`: one definition of green for form, types, shell and workflows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local import gomodules
from local.build import ENVIRONMENT, go_toolchain, toolchain_step
from local.paths import Paths
from local.progress import Progress
from local.steps import run_steps

_Check = tuple[str, Sequence[str | Path], Path]
"""Its name, the command and where it runs."""


def run(paths: Paths, progress: Progress) -> int:
    """Run every check, print every finding, and return 0 only if all are clean.

    Checks of Go come one after the other, as each compiles what it reads on all cores. Beside them run those of Python
    and shell, which use one core, and the download of the Go modules that come next.

    Raises:
        LocalError: Go or a module of it cannot be fetched.
    """
    run_steps([toolchain_step(paths)], paths, progress, retry="make lint")
    lanes = (_python_checks(paths), _go_checks(paths))
    with ThreadPoolExecutor() as pool:
        fetching = pool.submit(_fetch, paths, progress)
        failed = [name for lane in pool.map(lambda lane: _failed(lane, progress), lanes) for name in lane]
        fetching.result()
    if failed:
        progress.say(f"[red]not clean[/red]: {', '.join(failed)}")
    return 1 if failed else 0


def _fetch(paths: Paths, progress: Progress) -> None:
    run_steps([toolchain_step(paths), *gomodules.fetch_steps(paths)], paths, progress, workers=1, retry="make lint")


def _failed(checks: Sequence[_Check], progress: Progress) -> list[str]:
    return [name for name, argv, cwd in checks if not _clean(name, argv, cwd, progress)]


def _python_checks(paths: Paths) -> list[_Check]:
    tools, root = paths.venv / "bin", paths.root
    return [
        ("ruff format", [tools / "ruff", "format", "--check", "--quiet", "."], root),
        ("ruff check", [tools / "ruff", "check", "--quiet", "."], root),
        ("mypy", [tools / "mypy", *_python_trees(root)], root),
        ("shellcheck", [tools / "shellcheck", *_shell_files(root)], root),
    ]


def _go_checks(paths: Paths) -> list[_Check]:
    go, root = go_toolchain(paths), paths.root
    vet: list[_Check] = [
        (f"go vet {module}", [go, "vet", f"-tags={gomodules.tags(module)}", "./..."], root / module)
        for module in gomodules.modules(root)
    ]
    return [
        ("gofmt", [go.parent / "gofmt", "-l", *_tracked(root, "*.go")], root),
        ("actionlint", [go, "tool", "actionlint", *_workflows(paths)], root / "requirements" / "actionlint"),
        *vet,
    ]


def _clean(name: str, argv: Sequence[str | Path], cwd: Path, progress: Progress) -> bool:
    """Run one check. gofmt exits with 0 even when it lists files, so that any output of it counts as a finding."""
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, env=environment)
    output = (done.stdout + done.stderr).strip()
    clean = done.returncode == 0 and not (name == "gofmt" and output)
    progress.say(f"{'[green]clean[/green]' if clean else '[red]found[/red]'}  {name}")
    if not clean:
        print(output)
    return clean


def _python_trees(root: Path) -> list[str]:
    trees = (
        "__main__.py", "local", "ops", "components/omnibase_infra", "policies/omnibase_policies", "services", "bench",
        "tests",
    )  # fmt: skip
    return [name for name in trees if (root / name).exists()]


def _workflows(paths: Paths) -> list[str | Path]:
    """Arguments of actionlint: all workflows, and the shellcheck that their steps' commands are given to."""
    files = _tracked(paths.root, ".github/workflows/*.yml")
    return ["-shellcheck", paths.venv / "bin" / "shellcheck", *(paths.root / name for name in files)]


def _shell_files(root: Path) -> list[str]:
    """Tracked files with a shell's shebang line or the ending .sh."""
    return [name for name in _tracked(root, "*") if name.endswith(".sh") or _is_shell(root / name)]


def _is_shell(file: Path) -> bool:
    with file.open("rb") as content:
        first = content.readline(64)
    return first.startswith(b"#!") and first.strip().endswith((b"/sh", b" sh", b"bash"))


def _tracked(root: Path, pattern: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", pattern], cwd=root, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name and (root / name).is_file()]
