"""A project of examples/, copied and run with `pulumi` as its README says, on an engine of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from omnibase_infra.versions import BARMAN_PLUGIN_CRDS, CLOUDNATIVE_PG

from local.engine.environment import environment
from local.engine.plugins import plugins_step
from local.node import NetworkPlan
from local.paths import Paths
from local.steps import StepContext
from tests.cluster.platform_kit import Finished

ROOT = Path(__file__).resolve().parents[2]


@dataclass(kw_only=True)
class Example:
    """One stack of a copied project."""

    directory: Path
    env: dict[str, str] = field(repr=False)
    pulumi: Path
    stack: str = "example"

    def run(self, *words: str, code: int | None = 0, **variables: str) -> Finished:
        """`pulumi <words> --stack <stack>`, without questions."""
        command = [str(self.pulumi), *words, "--stack", self.stack, "--non-interactive", "--color", "never"]
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**self.env, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1200,
        )
        assert code is None or done.returncode == code, f"{' '.join(command)}\n{done.stdout}"
        return Finished(code=done.returncode, text=done.stdout)

    def config(self, key: str, value: str, *, secret: bool = False) -> None:
        """Set a setting."""
        self.run("config", "set", *(["--secret"] if secret else ["--plaintext"]), key, value)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in clear text."""
        found: dict[str, Any] = json.loads(self.run("stack", "output", "--json", "--show-secrets").text)
        return found

    def state(self) -> str:
        """The exported state as text; secrets are encrypted."""
        return self.run("stack", "export").text


def copy_example(name: str, directory: Path, paths: Paths, *, virtualenv: Path | None = None) -> Example:
    """Copy a project and make its stack `example`.

    Args:
        name: its directory below examples/.
        directory: a temporary directory.
        paths: the instance whose backend and passphrase are used.
        virtualenv: Python environment, default the running one.
    """
    copy = directory / name
    shutil.copytree(ROOT / "examples" / name, copy, ignore=shutil.ignore_patterns("venv", "__pycache__", "*.example.*"))
    project = yaml.safe_load((copy / "Pulumi.yaml").read_text())
    project["runtime"]["options"]["virtualenv"] = str(virtualenv or sys.prefix)
    (copy / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    made = Example(directory=copy, env=environment(paths, clean_environment()), pulumi=paths.bin / "pulumi")
    made.run("stack", "init", "--no-select")
    return made


def database_backups(directory: Path, paths: Paths, images: dict[str, str]) -> Example:
    """examples/database-backups for an instance's node, ready for its first `up`; it brings its own operator."""
    made = copy_example("database-backups", directory, paths)
    made.config("context", f"omnibase-{paths.instance}")
    made.config("operator", str(paths.vendor / CLOUDNATIVE_PG.file))
    made.config("definitions", str(paths.vendor / BARMAN_PLUGIN_CRDS.file))
    made.config("images", json.dumps(images))
    plan = NetworkPlan.from_environment(paths)
    made.config("api", json.dumps([f"{plan.node_address}/32", f"{plan.api_service_address}/32"]))
    return made


def clean_environment() -> dict[str, str]:
    """This process's variables without those that choose an instance or a stack."""
    kept = ("OMNIBASE_CACHE", "OMNIBASE_STATE")
    return {
        key: value for key, value in os.environ.items() if key in kept or not key.startswith(("OMNIBASE_", "PULUMI_"))
    }


def own_engine(directory: Path) -> Paths:
    """Paths with a home and a backend below a directory, and with our plugins in that home."""
    paths = replace(Paths.from_environment(), instance="example", root=ROOT, state=directory / "state")
    step = plugins_step(paths, {"PATH": os.defpath, "HOME": str(directory)})
    with Path(os.devnull).open("wb") as log:  # without the lock of all builds, for which it would wait
        step.run(StepContext(paths=paths, log=log))
    return paths
