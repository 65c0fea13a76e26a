"""Go's own tests of every module, and that none is forgotten."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from local import gomodules
from local.build import go_toolchain
from local.paths import Paths

_ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("module", gomodules.tested(_ROOT), ids=str)
def test_a_modules_go_tests_pass(module: Path) -> None:
    go = go_toolchain(Paths.from_environment())
    done = subprocess.run(
        [go, "test", *gomodules.flags(module), "./..."],
        cwd=_ROOT / module,
        env={**os.environ, **gomodules.ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_go_file_belongs_to_a_module_that_is_vetted_and_tested() -> None:
    listed = subprocess.run(["git", "ls-files", "*.go"], cwd=_ROOT, capture_output=True, text=True, check=True)
    files = [Path(name) for name in listed.stdout.splitlines()]
    modules = gomodules.modules(_ROOT)
    assert files
    assert [file for file in files if not any(file.is_relative_to(module) for module in modules)] == []
    with_tests = gomodules.tested(_ROOT)
    tests = [file for file in files if file.name.endswith("_test.go")]
    assert [file for file in tests if not any(file.is_relative_to(module) for module in with_tests)] == []


def test_what_tests_need_is_compiled_before_them_and_again_when_a_source_changed(tmp_path: Path) -> None:
    module = tmp_path / "images" / "thing"
    module.mkdir(parents=True)
    for name in ("go.mod", "main.go", "main_test.go", "README.md"):
        (module / name).write_text("x")
    (tmp_path / "images" / "untested").mkdir()
    (tmp_path / "images" / "untested" / "go.mod").write_text("x")
    paths = Paths(instance="unit", root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")
    (step,) = gomodules.test_steps(paths)
    assert step.name == "go tests thing"
    assert [Path(each).name for each in step.inputs] == ["go.mod", "main.go", "main_test.go"]
    assert list(step.after) == ["go toolchain"]
