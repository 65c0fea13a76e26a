"""The Go modules of this checkout as tools see them: which there are, with which flags they are compiled and tested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from local.build import SPARE_MEMORY, go_toolchain
from local.engine.build import TAGS as ENGINE_TAGS
from local.paths import Paths
from local.steps import Step, StepContext

ENVIRONMENT = {
    **SPARE_MEMORY,
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    "GOTOOLCHAIN": "local",
}
"""What builds use too: under other flags Go would compile every dependency a second time."""
_PLACES = ("images/*/go.mod", "local/**/go.mod")


def modules(root: Path) -> list[Path]:
    """Directories of all modules that have sources of ours, relative to the checkout."""
    found = sorted({file.parent for place in _PLACES for file in root.glob(place)})
    return [module.relative_to(root) for module in found if any(module.rglob("*.go"))]


def tested(root: Path) -> list[Path]:
    """Those of them that have tests."""
    return [module for module in modules(root) if any((root / module).rglob("*_test.go"))]


def flags(module: Path) -> list[str]:
    """The build tags that a module is compiled with."""
    return [f"-tags={ENGINE_TAGS}"] if module == Path("local/engine") else []


def test_steps(paths: Paths) -> list[Step]:
    """The steps `go tests <module>`: everything that its tests need is downloaded and compiled, and nothing is run.

    They come one after the other, as Go itself uses all cores; the tests then take a second.
    """
    steps: list[Step] = []
    for module in tested(paths.root):
        sources = [file for file in sorted((paths.root / module).rglob("*")) if file.suffix in (".go", ".mod", ".sum")]
        steps.append(
            Step(
                name=f"go tests {module.name}",
                run=_compile(paths, module),
                inputs=[*sources, *flags(module)],
                after=[steps[-1].name if steps else "go toolchain"],
                seconds=30,
            )
        )
    return steps


def _compile(paths: Paths, module: Path) -> Callable[[StepContext], None]:
    def run(context: StepContext) -> None:
        argv: list[str | Path] = [go_toolchain(paths), "test", *flags(module), "-run", "^$", "./..."]
        context.command(argv, cwd=paths.root / module, env=ENVIRONMENT)

    return run
