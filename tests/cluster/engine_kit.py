"""A checkout of its own with a tiny program, and the real engine on it. No cluster, no root, no network."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.engine.plugins import STAND_INS, plugins_step
from local.engine.run import Engine
from local.paths import Paths
from local.steps import StepContext

_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(kw_only=True)
class Checkout:
    """A project in a temporary directory, with a home and a backend of its own."""

    paths: Paths
    env: dict[str, str]
    output: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.paths.root

    @property
    def objects(self) -> Path:
        """Where the file provider keeps what it creates."""
        return self.paths.state / "objects"

    @property
    def text(self) -> str:
        """Everything that the engine has printed."""
        return "".join(self.output)

    def engine(
        self,
        *,
        stack: str = "dev",
        policy_packs: tuple[Path, ...] = (),
        policy_configs: tuple[Path, ...] = (),
        **variables: str,
    ) -> Engine:
        """The engine as `make up` uses it, with output collected here."""
        return Engine(
            self.paths,
            stack,
            write=self.output.append,
            policy_packs=policy_packs,
            policy_configs=policy_configs,
            env={**self.env, **variables},
        )

    def program(self, text: str) -> None:
        """Replace the program."""
        (self.root / "__main__.py").write_text(textwrap.dedent(text))

    def serve_kubernetes_from_files(self) -> None:
        """Install the file provider under the name and version that the kubernetes SDK asks for.

        The engine asks for a plugin of every SDK in the environment, used or not: the others are our stand-ins.
        """
        step = plugins_step(replace(self.paths, root=_REPOSITORY), {"PATH": os.defpath, "HOME": str(self.paths.state)})
        with Path(os.devnull).open("wb") as log:
            step.run(StepContext(paths=self.paths, log=log))
        each = next(each for each in STAND_INS if each.name == "kubernetes")
        provider = _REPOSITORY / "tests" / "cluster" / "file_provider.py"
        script = (
            self.paths.pulumi_home / "plugins" / f"resource-kubernetes-v{each.version}" / "pulumi-resource-kubernetes"
        )
        command = shlex.join([sys.executable, str(provider)])
        script.write_text(f"#!/bin/sh\nexec {command}\n")
        script.chmod(0o755)
        self.env["FILE_PROVIDER_OBJECTS"] = str(self.objects)


def checkout(directory: Path, program: str) -> Checkout:
    """Make a project `tiny` with a stack `dev` in a directory."""
    own = Paths.from_environment()
    root = directory / "checkout"
    root.mkdir()
    runtime = f"runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}"
    (root / "Pulumi.yaml").write_text(f"name: tiny\n{runtime}\n")
    (root / "Pulumi.dev.yaml").write_text("config:\n  tiny:greeting: hello\n")
    paths = replace(own, instance="test", root=root, state=directory / "state")
    made = Checkout(
        paths=paths,
        env={"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "HOME": str(directory), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    made.program(program)
    return made
