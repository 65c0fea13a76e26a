"""A Go module of others with changes of ours: a copy out of Go's cache, patched, and a go.mod that names the copy.

The module itself stays pinned and verified by go.sum; a patch that does not fit a new version stops the build.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.build.go import go_toolchain
from local.errors import LocalError
from local.paths import Paths
from local.steps import Step, StepContext

_NOT_BUILT = shutil.ignore_patterns("testdata", "*_test.go")


@dataclass(frozen=True, kw_only=True)
class Patched:
    """One module, and what is changed in it."""

    name: str
    """Directory of the copy, below that of all copies."""
    dependency: str
    """Path of the module, such as `github.com/pulumi/pulumi/pkg/v3`."""
    patches: Sequence[Path]
    """Unified diffs, applied one after the other."""


def patched_step(patched: Patched, module: Path, paths: Paths) -> Step:
    """The step `patch <name>`; its output is a go.mod that takes the copy, with its go.sum beside it.

    Args:
        patched: what to copy and change.
        module: directory of ours whose go.mod asks for it.
        paths: where the copy is made.
    """
    target = paths.cache / "patched" / patched.name

    def run(_: StepContext) -> None:
        fresh = target.with_name(f".{patched.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        source = fresh / "source"
        _copy(module_directory(paths, module, patched.dependency), source)
        for patch in patched.patches:
            apply_patch(patch, source)
        replaced = f"\nreplace {patched.dependency} => {target / source.name}\n"
        (fresh / "go.mod").write_text((module / "go.mod").read_text() + replaced)
        shutil.copyfile(module / "go.sum", fresh / "go.sum")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)

    return Step(
        name=f"patch {patched.name}",
        run=run,
        inputs=[module / "go.mod", module / "go.sum", patched.dependency, *patched.patches],
        outputs=[target / "go.mod"],
        after=[f"go modules of {module.name}"],
        seconds=2,
    )


def apply_patch(patch: Path, source: Path) -> None:
    """Apply a unified diff without a program that the machine may lack.

    Raises:
        LocalError: the lines that a hunk changes are not there, or more than once.
    """
    for part in re.split(r"^--- .*\n\+\+\+ b/", patch.read_text(), flags=re.MULTILINE)[1:]:
        name, _, hunks = part.partition("\n")
        text = (source / name).read_text()
        for hunk in re.split(r"^@@ .*\n", hunks, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
            if text.count(old) != 1:
                raise LocalError(
                    f"{patch.name} does not fit {name}: what it changes is there {text.count(old)} times",
                    hint="another version of the module needs another patch, or none",
                )
            text = text.replace(old, new)
        (source / name).write_text(text)


def module_directory(paths: Paths, module: Path, dependency: str) -> Path:
    """Where Go keeps a module that one of ours asks for.

    Raises:
        LocalError: Go cannot tell, for example because it was never downloaded.
    """
    result = subprocess.run(
        [go_toolchain(paths), "list", "-m", "-f", "{{.Dir}}", dependency],
        cwd=module,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0 or not result.stdout.strip():
        raise LocalError(f"go knows no directory of {dependency}: {result.stderr.strip()}", hint="run `make up` again")
    return Path(result.stdout.strip())


def _copy(source: Path, target: Path) -> None:
    """Without tests, and writable: Go's cache is not."""
    shutil.copytree(source, target, ignore=_NOT_BUILT, copy_function=shutil.copyfile)
    for directory in (target, *(each for each in target.rglob("*") if each.is_dir())):
        directory.chmod(0o755)
