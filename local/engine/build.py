"""Builds the engine: `pulumi`, our language host for Python, and the SDK's scripts that both look for beside them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from local.build import Patched, Program, Replacement, go_steps, module_directory, patched_step
from local.engine.installation import VERSION, installation
from local.paths import Paths
from local.steps import Step, StepContext

_ENGINE = "github.com/pulumi/pulumi/pkg/v3"
_SDK = "github.com/pulumi/pulumi/sdk/v3"
_PINNED = f"-X {_SDK}/go/common/version.Version=v{VERSION}"
TAGS = "osusergo,grpcnotrace"
"""Build tags of the engine's own release; the host and its tests use them too, to share one build cache."""

SCRIPTS = {
    "pulumi-language-python-exec": "python/cmd",  # runs a program
    "pulumi-resource-pulumi-python": "python/dist",  # serves dynamic providers
}
"""Scripts that the Python package lacks, by their directory in the SDK's Go module."""


def build_steps(paths: Paths, env: Mapping[str, str] = os.environ) -> list[Step]:
    """The steps that leave `pulumi`, `pulumi-language-python` and the SDK's scripts in `Paths.bin`.

    None where the operator's own engine is used.
    """
    if installation(paths, env).official:
        return []
    module = paths.root / "local" / "engine"
    modfile = patched_step(patched(module), module, paths)
    pulumi = Program(
        name="pulumi",
        module=module,
        package=f"{_ENGINE}/cmd/pulumi",
        ldflags=_PINNED,
        tags=TAGS,
        modfile=modfile,
        seconds=180,
    )
    # The same flags as the engine's: everything but the host's own files comes from the engine's build.
    host = Program(
        name="pulumi-language-python",
        module=module,
        package="./languagehost",
        ldflags=_PINNED,
        tags=TAGS,
        modfile=modfile,
        seconds=15,
    )
    return [*go_steps([pulumi, host], paths), _scripts_step(paths, module)]


def patched(module: Path) -> Patched:
    """The engine's module with a loop of ours, for which docs/decisions/0056-*.md has the reasons."""
    ours = Replacement(file="backend/snapshot.go", old="manager.defaultServiceLoop", new="manager.groupCommit")
    return Patched(name="pulumi", dependency=_ENGINE, added=module / "_added", replacements=[ours])


def _scripts_step(paths: Paths, module: Path) -> Step:
    """The step `language host scripts`."""

    def run(context: StepContext) -> None:
        source = module_directory(paths, module, _SDK)
        context.log.write(f"scripts from {source}\n".encode())
        for name, directory in SCRIPTS.items():
            target = paths.bin / name
            building = target.with_suffix(".building")
            shutil.copyfile(source / directory / name, building)
            building.chmod(0o755)  # module archives drop modes
            building.replace(target)

    return Step(
        name="language host scripts",
        run=run,
        inputs=[VERSION, repr(SCRIPTS), module / "go.sum"],
        outputs=[paths.bin / name for name in SCRIPTS],
        after=["build pulumi"],  # by then the module is on disk
        seconds=1,
    )
