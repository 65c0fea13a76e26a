"""examples/docker-host deployed by the real engine on the node's Docker engine, and what its tests ask of both."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from local.engine import Engine
from local.engine.plugins import plugins_step
from local.paths import Paths
from local.steps import StepContext
from tests.cluster.failure_report import told
from tests.cluster.images_kit import Docker

_ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = _ROOT / "examples" / "docker-host"
PACK = _ROOT / "policies"
STACK = "dev"
LABEL = "app.kubernetes.io/part-of=omnibase"
PORT = 18080


@dataclass(kw_only=True)
class Host:
    """The example's stack and the engine that it is deployed on."""

    paths: Paths
    docker: Docker
    output: list[str] = field(default_factory=list)

    def set(self, **values: Any) -> None:  # noqa: ANN401 - whatever the stack file takes
        """Change the stack's settings; None removes one."""
        file = self.paths.root / f"Pulumi.{STACK}.yaml"
        config = yaml.safe_load(file.read_text())["config"]
        for key, value in values.items():
            config.pop(f"docker-host:{key}", None)
            if value is not None:
                config[f"docker-host:{key}"] = value
        file.write_text(yaml.safe_dump({"config": config}))

    def run(self, command: str, *arguments: str, code: int | None = 0, packs: tuple[Path, ...] = ()) -> str:
        """Run an engine command (preview, up, refresh, destroy) and return what it printed."""
        self.output.clear()
        levels = tuple(pack / "environments" / "prod.json" for pack in packs)
        engine = Engine(
            self.paths, STACK, write=self.output.append, policy_packs=packs, policy_configs=levels, env=self._env
        )
        found = getattr(engine, command)(*arguments)
        text = "".join(self.output)
        assert code is None or found == code, told(text)
        return text

    @property
    def _env(self) -> dict[str, str]:
        return {
            "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
            "HOME": str(self.paths.state),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        found: dict[str, Any] = Engine(self.paths, STACK, write=self.output.append, env=self._env).outputs()
        return found

    def state_text(self) -> str:
        """The engine's state as it lies on disk."""
        files = (self.paths.pulumi_backend / ".pulumi").rglob("*.json*")
        return "\n".join(file.read_text(errors="replace") for file in files)

    def inspect(self, container: str) -> dict[str, Any]:
        """What the Docker engine says about a container."""
        (found,) = json.loads(self.docker("inspect", container))
        live: dict[str, Any] = found
        return live

    def inside(self, container: str, script: str, *, check: bool = True) -> str:
        """Run a BusyBox shell script inside a container, with the rights of its own process."""
        return self.docker("exec", container, "/bin/busybox", "sh", "-c", script, check=check)

    def status_inside(self, container: str) -> dict[str, str]:
        """/proc/1/status as the container's own process sees it."""
        lines = self.inside(container, "/bin/busybox cat /proc/1/status").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def left(self) -> list[str]:
        """Containers, networks and volumes of ours that the Docker engine still has."""
        kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
        names = [self.docker(*kind, "--quiet", f"--filter=label={LABEL}") for kind in kinds]
        dangling = self.docker("volume", "ls", "--quiet", "--filter=dangling=true")
        return [name for name in [*names, dangling] if name]


def deploy(paths: Paths, directory: Path, base: str) -> Host:
    """A copy of the example, with the real plugins and an engine's home and backend of its own. Nothing is deployed."""
    root = directory / "docker-host"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("__pycache__", "Pulumi.*.yaml"))
    project = (root / "Pulumi.yaml").read_text()
    (root / "Pulumi.yaml").write_text(re.sub(r"virtualenv: .*", f"virtualenv: {sys.prefix}", project))
    made = replace(paths, root=root, state=directory / "state")
    step = plugins_step(replace(made, root=_ROOT), {"PATH": os.defpath, "HOME": str(made.state)})
    with Path(os.devnull).open("wb") as log:  # without the lock of all builds, for which it would wait
        step.run(StepContext(paths=made, log=log))
    (root / f"Pulumi.{STACK}.yaml").write_text("config: {}\n")
    host = Host(paths=made, docker=Docker(paths=paths))
    host.set(host=f"unix://{paths.docker_socket}", base=base)
    return host
