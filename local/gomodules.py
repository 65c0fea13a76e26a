"""The Go modules of this checkout as tools see them: which there are, with which flags they are compiled and tested."""

from __future__ import annotations

from pathlib import Path

from local.build import ENVIRONMENT, go_toolchain, modules_step
from local.engine.build import TAGS as ENGINE_TAGS
from local.paths import Paths
from local.steps import Step, StepContext

_PLACES = ("images/*/go.mod", "local/**/go.mod")


def everything(root: Path) -> list[Path]:
    """Directories of all modules that something is built from, relative to the checkout."""
    return sorted({file.parent.relative_to(root) for place in _PLACES for file in root.glob(place)})


def modules(root: Path) -> list[Path]:
    """Those of them that have sources of ours."""
    return [module for module in everything(root) if any((root / module).rglob("*.go"))]


def tested(root: Path) -> list[Path]:
    """Those of them that have tests."""
    return [module for module in modules(root) if any((root / module).rglob("*_test.go"))]


def tags(module: Path) -> str:
    """The build tags that a module is compiled with, separated by commas."""
    return ENGINE_TAGS if module == Path("local/engine") else ""


def fetch_steps(paths: Paths) -> list[Step]:
    """The steps `go modules of <module>` of all modules that have sources of ours; builds have the same steps."""
    return [modules_step(paths.root / module, paths, tags=tags(module)) for module in modules(paths.root)]


def test_steps(paths: Paths) -> list[Step]:
    """The steps `go tests <module>`: everything that its tests need is downloaded and compiled, and nothing is run.

    They come one after the other, as Go itself uses all cores; the tests then take a second.
    """
    return [_test_step(paths, module) for module in tested(paths.root)]


def _test_step(paths: Paths, module: Path) -> Step:
    sources = [file for file in sorted((paths.root / module).rglob("*")) if file.suffix in (".go", ".mod", ".sum")]

    def run(context: StepContext) -> None:
        argv: list[str | Path] = [go_toolchain(paths), "test", f"-tags={tags(module)}", "-run", "^$", "./..."]
        context.command(argv, cwd=paths.root / module, env=ENVIRONMENT)

    return Step(
        name=f"go tests {module.name}",
        run=run,
        inputs=[*sources, tags(module)],
        after=["go toolchain"],
        seconds=30,
        shares="go compiler",
    )
