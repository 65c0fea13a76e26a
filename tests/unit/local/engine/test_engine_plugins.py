"""Stand-ins give way to official programs, wherever the engine would find them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from local.engine.plugins import MARKER, STAND_INS, plugins, plugins_step
from local.paths import Paths
from local.steps import StepContext

_KUBERNETES = STAND_INS[0]
_PLUGIN = Path("plugins") / f"resource-kubernetes-v{_KUBERNETES.version}" / "pulumi-resource-kubernetes"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return replace(Paths.from_environment({}), root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "path"), "PULUMI_HOME": str(tmp_path / "home")}


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x7fELF compiled")
    path.chmod(0o755)
    return path


def _install(paths: Paths, env: dict[str, str]) -> None:
    with (paths.state / "log").open("wb") if paths.state.exists() else Path(os.devnull).open("wb") as log:
        plugins_step(paths, env).run(StepContext(paths=paths, log=log))


def test_without_an_official_program_the_stand_in_is_installed_and_says_so(paths: Paths, env: dict[str, str]) -> None:
    _install(paths, env)
    program = paths.pulumi_home / _PLUGIN
    assert os.access(program, os.X_OK)
    assert program.with_name(MARKER).read_text() == "local.plugins.kubernetes\n"
    assert str(plugins(paths, env)[0]).endswith("offline stand-in of omnibase-infra")


def test_the_script_starts_the_module_with_this_checkout_and_its_python(paths: Paths, env: dict[str, str]) -> None:
    python = paths.venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PYTHONPATH|$*"\n')
    python.chmod(0o755)
    _install(paths, env)
    ran = subprocess.run(
        [paths.pulumi_home / _PLUGIN, "127.0.0.1:9"],
        env={"PYTHONPATH": "/more"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"{paths.root}:/more|-m local.plugins.kubernetes 127.0.0.1:9\n"


def test_an_official_program_of_the_users_own_pulumi_is_linked(paths: Paths, env: dict[str, str]) -> None:
    official = _program(Path(env["PULUMI_HOME"]) / _PLUGIN)
    _install(paths, env)
    assert (paths.pulumi_home / _PLUGIN).resolve() == official
    assert str(official) in str(plugins(paths, env)[0])


def test_an_official_program_that_comes_later_replaces_the_stand_in_and_its_going_brings_it_back(
    paths: Paths, env: dict[str, str]
) -> None:
    _install(paths, env)
    official = _program(Path(env["PULUMI_HOME"]) / _PLUGIN)
    _install(paths, env)
    assert (paths.pulumi_home / _PLUGIN).read_bytes().startswith(b"\x7fELF")
    official.unlink()
    _install(paths, env)
    assert (paths.pulumi_home / _PLUGIN).read_text().startswith("#!/bin/sh")


def test_an_official_program_already_in_the_instances_home_is_left_alone(paths: Paths, env: dict[str, str]) -> None:
    official = _program(paths.pulumi_home / _PLUGIN)
    _install(paths, env)
    assert official.read_bytes() == b"\x7fELF compiled"
    assert not official.with_name(MARKER).exists()


def test_an_official_program_on_path_wins(paths: Paths, env: dict[str, str]) -> None:
    official = _program(Path(env["PATH"]) / "pulumi-resource-kubernetes")
    assert plugins(paths, env)[0].official == official


def test_a_script_on_path_is_no_official_program(paths: Paths, env: dict[str, str]) -> None:
    script = _program(Path(env["PATH"]) / "pulumi-resource-kubernetes")
    script.write_text("#!/bin/sh\n")
    assert plugins(paths, env)[0].official is None


def test_the_step_runs_again_when_the_origin_of_a_plugin_changes(paths: Paths, env: dict[str, str]) -> None:
    before = list(plugins_step(paths, env).inputs)
    _program(Path(env["PULUMI_HOME"]) / _PLUGIN)
    assert list(plugins_step(paths, env).inputs) != before
