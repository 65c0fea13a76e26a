"""A Go module of others with files of ours in it: a copy out of Go's cache, and a go.mod that names the copy.

The module itself stays pinned and verified by go.sum. Of its own text only names are replaced, where it is to call
ours; one that is not there once stops the build.
"""

from __future__ import annotations

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
class Replacement:
    """One place of the module where it is to call ours."""

    file: str
    """Path in the module."""
    old: str
    """A name that stands there once."""
    new: str


@dataclass(frozen=True, kw_only=True)
class Patched:
    """One module, and what is different in it."""

    name: str
    """Directory of the copy, below that of all copies."""
    dependency: str
    """Path of the module, such as `github.com/pulumi/pulumi/pkg/v3`."""
    added: Path
    """Directory of files of ours, each at its path in the module."""
    replacements: Sequence[Replacement]


def patched_step(patched: Patched, module: Path, paths: Paths) -> Step:
    """The step `patch <name>`; its output is a go.mod that takes the copy, with its go.sum beside it.

    Args:
        patched: what to copy and change.
        module: directory of ours whose go.mod asks for it.
        paths: where the copy is made.
    """
    target = paths.cache / "patched" / patched.name
    ours = sorted(patched.added.rglob("*.go"))

    def run(_: StepContext) -> None:
        fresh = target.with_name(f".{patched.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        source = fresh / "source"
        _copy(module_directory(paths, module, patched.dependency), source)
        change(patched, source)
        replaced = f"\nreplace {patched.dependency} => {target / source.name}\n"
        (fresh / "go.mod").write_text((module / "go.mod").read_text() + replaced)
        shutil.copyfile(module / "go.sum", fresh / "go.sum")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)

    return Step(
        name=f"patch {patched.name}",
        run=run,
        inputs=[module / "go.mod", module / "go.sum", patched.dependency, *ours, repr(patched.replacements)],
        outputs=[target / "go.mod"],
        after=[f"go modules of {module.name}"],
        seconds=2,
    )


def change(patched: Patched, source: Path) -> None:
    """Add our files to a copy of the module, and make its replacements.

    Raises:
        LocalError: a file of ours is there already, or a name is not there once.
    """
    hint = "another version of the module needs another change, or none"
    for file in patched.added.rglob("*.go"):
        target = source / file.relative_to(patched.added)
        if target.exists():
            raise LocalError(f"{patched.dependency} has a {target.relative_to(source)} of its own", hint=hint)
        shutil.copyfile(file, target)
    for each in patched.replacements:
        text = (source / each.file).read_text()
        if text.count(each.old) != 1:
            what = f"{each.old!r}, which is to become {each.new!r}, stands there {text.count(each.old)} times"
            raise LocalError(f"{patched.dependency}, {each.file}: {what}", hint=hint)
        (source / each.file).write_text(text.replace(each.old, each.new))


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
