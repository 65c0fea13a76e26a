"""The operator's own engine is used where it can do the work; otherwise the one that is built here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from local.engine.build import SCRIPTS, build_steps
from local.engine.environment import environment
from local.engine.installation import VERSION, installation
from local.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return replace(Paths.from_environment({}), cache=tmp_path / "cache", state=tmp_path / "state")


def _own(directory: Path, version: str, host: str = "pulumi-language-python") -> dict[str, str]:
    directory.mkdir(parents=True)
    for name in ("pulumi", host):
        (directory / name).write_text(f"#!/bin/sh\necho {version}\n")
        (directory / name).chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


@pytest.mark.parametrize("version", ["v3.259.0", "v3.300.1", "4.0.0"])
def test_an_engine_on_path_is_used_when_it_is_new_enough(paths: Paths, tmp_path: Path, version: str) -> None:
    env = _own(tmp_path / "own", version)
    found = installation(paths, env)
    assert found.official
    assert found.pulumi == tmp_path / "own" / "pulumi"
    assert found.version == version.removeprefix("v")
    assert build_steps(paths, env) == []


@pytest.mark.parametrize("version", ["v3.258.9", "v2.99.0", "nonsense", ""])
def test_an_engine_that_is_too_old_or_silent_is_not_used(paths: Paths, tmp_path: Path, version: str) -> None:
    found = installation(paths, _own(tmp_path / "own", version))
    assert not found.official
    assert found.pulumi == paths.bin / "pulumi"
    assert found.version == VERSION


def test_an_engine_without_its_python_host_is_not_used(paths: Paths, tmp_path: Path) -> None:
    assert not installation(paths, _own(tmp_path / "own", "v3.259.0", host="pulumi-language-go")).official


def test_our_own_engine_on_path_is_no_official_one(paths: Paths) -> None:
    assert not installation(paths, _own(paths.bin, "v3.259.0")).official


def test_an_official_engine_finds_its_own_language_host_before_ours(paths: Paths, tmp_path: Path) -> None:
    env = _own(tmp_path / "own", "v3.259.0")
    assert environment(paths, env)["PATH"].split(":")[:2] == [str(tmp_path / "own"), str(paths.bin)]


def test_without_an_engine_ours_is_built_and_its_scripts_wait_for_it(paths: Paths) -> None:
    steps = {step.name: step for step in build_steps(paths, {"PATH": "/usr/bin:/bin"})}
    assert list(steps) == [
        "go modules of engine", "patch pulumi",
        "compile pulumi", "build pulumi",
        "compile pulumi-language-python", "build pulumi-language-python",
        "language host scripts",
    ]  # fmt: skip
    assert "build pulumi" in steps["language host scripts"].after
    assert {output.name for output in steps["language host scripts"].outputs} == set(SCRIPTS)


def test_a_change_of_the_language_host_builds_it_again(paths: Paths) -> None:
    steps = build_steps(paths, {"PATH": "/usr/bin:/bin"})
    host = next(step for step in steps if step.name == "build pulumi-language-python")
    names = {path.name for path in host.inputs if isinstance(path, Path)}
    assert {"main.go", "discover.py", "go.mod", "go.sum", "group_commit.go"} <= names
    assert not [name for name in names if name.endswith("_test.go")]
