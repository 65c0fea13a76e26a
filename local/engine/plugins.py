"""Provider plugins: the official one where this machine has it, else our stand-in under the same name and version."""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.paths import Paths
from local.steps import Step, StepContext, write_atomically

MARKER = "offline-stand-in"
"""File beside a stand-in, read by the language host for `pulumi about`. Its text names the module that serves."""

_ELF = b"\x7fELF"


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A provider that is written in Python for machines that cannot download the official program."""

    name: str
    """The provider's name, as in `pulumi-resource-<name>`."""
    distribution: str
    """Python package of its SDK, whose version is the plugin's version."""
    module: str
    """Python module that serves it with `python -m`."""

    @property
    def version(self) -> str:
        return importlib.metadata.version(self.distribution)


STAND_INS = (
    StandIn(name="kubernetes", distribution="pulumi-kubernetes", module="local.plugins.kubernetes"),
    StandIn(name="docker", distribution="pulumi-docker", module="local.plugins.docker"),
    StandIn(name="postgresql", distribution="pulumi-postgresql", module="local.plugins.postgresql"),
)


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What the engine will start for a provider."""

    name: str
    version: str
    official: Path | None
    """The official program, None for our stand-in."""

    def __str__(self) -> str:
        origin = f"official program {self.official}" if self.official else "offline stand-in of omnibase-infra"
        return f"plugin {self.name} v{self.version}: {origin}"


def plugins(paths: Paths, env: Mapping[str, str] = os.environ) -> list[Plugin]:
    """Which program serves each provider, in the order in which the engine looks for it."""
    return [Plugin(name=each.name, version=each.version, official=_official(each, paths, env)) for each in STAND_INS]


def plugins_step(paths: Paths, env: Mapping[str, str] = os.environ) -> Step:
    """The step `plugins of <instance>`: every provider's plugin stands in the instance's PULUMI_HOME.

    An official program wins: on PATH (the engine looks there first), in the instance's PULUMI_HOME already, or
    installed by the user's own `pulumi` (then it is linked).
    """
    found = {plugin.name: plugin for plugin in plugins(paths, env)}

    def run(context: StepContext) -> None:
        for each in STAND_INS:
            plugin = found[each.name]
            context.log.write(f"{plugin}\n".encode())
            directory = _directory(paths.pulumi_home, each)
            if plugin.official is None:
                _install(each, directory, paths)
            elif plugin.official.parent != directory:
                _link(plugin.official, directory)

    return Step(
        name=f"plugins of {paths.instance}",
        run=run,
        inputs=[*(f"{plugin}" for plugin in found.values()), *(_script(each, paths) for each in STAND_INS)],
        outputs=[_program(paths.pulumi_home, each) for each in STAND_INS],
        seconds=1,
    )


def _official(each: StandIn, paths: Paths, env: Mapping[str, str]) -> Path | None:
    on_path = shutil.which(f"pulumi-resource-{each.name}", path=env.get("PATH", os.defpath))
    users_home = Path(env.get("PULUMI_HOME") or Path.home() / ".pulumi")
    places = [_program(paths.pulumi_home, each), _program(users_home, each)]
    if on_path is not None:
        places.insert(0, Path(on_path))
    return next((place.resolve() for place in places if _is_program(place)), None)


def _is_program(path: Path) -> bool:
    """Whether it is a compiled program. Ours are scripts, and so would be a user's wrapper around one of them."""
    try:
        with path.open("rb") as file:
            return file.read(len(_ELF)) == _ELF
    except OSError:
        return False


def _directory(home: Path, each: StandIn) -> Path:
    return home / "plugins" / f"resource-{each.name}-v{each.version}"


def _program(home: Path, each: StandIn) -> Path:
    return _directory(home, each) / f"pulumi-resource-{each.name}"


def _install(each: StandIn, directory: Path, paths: Paths) -> None:
    if directory.is_symlink():
        directory.unlink()  # to an official program that has gone
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / f"pulumi-resource-{each.name}"
    write_atomically(program, _script(each, paths), mode=0o755)
    write_atomically(directory / MARKER, f"{each.module}\n")


def _script(each: StandIn, paths: Paths) -> str:
    python, root = shlex.quote(str(paths.venv / "bin" / "python")), shlex.quote(str(paths.root))
    return (
        "#!/bin/sh\n"
        f"# Offline stand-in of omnibase-infra for the provider {each.name} v{each.version}.\n"
        f'PYTHONPATH={root}"${{PYTHONPATH:+:$PYTHONPATH}}" exec {python} -m {each.module} "$@"\n'
    )


def _link(official: Path, directory: Path) -> None:
    if directory.is_symlink():
        directory.unlink()
    elif directory.exists():
        shutil.rmtree(directory)  # our stand-in, from before the official program came
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.symlink_to(official.parent, target_is_directory=True)
