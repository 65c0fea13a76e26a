"""`make lint`: one definition of green for form, types, shell and workflows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local import gomodules
from local.build import go_toolchain
from local.paths import Paths
from local.progress import Progress


def run(paths: Paths, progress: Progress) -> int:
    """Run every check, print every finding, and return 0 only if all are clean."""
    failed = [name for name, argv, cwd in _checks(paths) if not _clean(name, argv, cwd, progress)]
    if failed:
        progress.say(f"[red]not clean[/red]: {', '.join(failed)}")
    return 1 if failed else 0


def _checks(paths: Paths) -> list[tuple[str, Sequence[str | Path], Path]]:
    tools, root = paths.venv / "bin", paths.root
    go = go_toolchain(paths)
    checks: list[tuple[str, Sequence[str | Path], Path]] = [
        ("ruff format", [tools / "ruff", "format", "--check", "--quiet", "."], root),
        ("ruff check", [tools / "ruff", "check", "--quiet", "."], root),
        ("mypy", [tools / "mypy", *_python_trees(root)], root),
        ("shellcheck", [tools / "shellcheck", *_shell_files(root)], root),
        ("actionlint", [go, "tool", "actionlint", *_workflows(paths)], root / "requirements" / "actionlint"),
        ("gofmt", [go.parent / "gofmt", "-l", *_tracked(root, "*.go")], root),
    ]
    checks += [
        (f"go vet {module}", [go, "vet", *gomodules.flags(module), "./..."], root / module)
        for module in gomodules.modules(root)
    ]
    return checks


def _clean(name: str, argv: Sequence[str | Path], cwd: Path, progress: Progress) -> bool:
    """Run one check. gofmt exits with 0 even when it lists files, so that any output of it counts as a finding."""
    environment = {**os.environ, **gomodules.ENVIRONMENT}
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
