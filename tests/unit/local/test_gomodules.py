"""Go's own tests of every module, and that none is forgotten."""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from local import gomodules
from local.build import ENVIRONMENT, go_toolchain
from local.paths import Paths

_ROOT = Path(__file__).resolve().parents[3]
_SHARED = (
    "github.com/envoyproxy/go-control-plane", "github.com/fxamacker/cbor", "github.com/go-logr/",
    "github.com/go-openapi/", "github.com/google/gnostic-models", "github.com/prometheus/client_",
    "github.com/prometheus/common", "go.opentelemetry.io/", "go.yaml.in/", "golang.org/x/", "google.golang.org/",
    "k8s.io/", "sigs.k8s.io/",
)  # fmt: skip
"""What most packages of a program stand on: another version of one of these compiles all of them again."""
_KEEPS = {
    Path("images/kube-state-metrics"): _SHARED,
    Path("images/otel-collector"): _SHARED,
    Path("images/prometheus-operator"): ("sigs.k8s.io/controller-runtime",),
    Path("images/victoria-logs"): _SHARED,
    Path("local/node/kube"): _SHARED,
    Path("local/node/kuberouter"): _SHARED,
}
"""Libraries that a module keeps at its own versions. Decision 0035 says why."""
_REQUIRED = re.compile(r"^(?:require )?\s*(\S+) (v\d\S+)", re.MULTILINE)


@pytest.mark.parametrize("module", gomodules.tested(_ROOT), ids=str)
def test_a_modules_go_tests_pass(module: Path) -> None:
    go = go_toolchain(Paths.from_environment())
    done = subprocess.run(
        [go, "test", f"-tags={gomodules.tags(module)}", "./..."],
        cwd=_ROOT / module,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_agree_on_the_versions_of_what_most_packages_stand_on() -> None:
    used: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for module in gomodules.everything(_ROOT):
        for library, version in _REQUIRED.findall((_ROOT / module / "go.mod").read_text()):
            if library.startswith(_SHARED) and not library.startswith(_KEEPS.get(module, ("none",))):
                used[library][version].append(str(module))
    assert sum(map(len, used["k8s.io/client-go"].values())) >= 5
    split = {library: dict(versions) for library, versions in used.items() if len(versions) > 1}
    assert split == {}, "each version is compiled again: `go get LIBRARY@NEWEST && go mod tidy` in each module"


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
    assert [each.name for each in step.inputs if isinstance(each, Path)] == ["go.mod", "main.go", "main_test.go"]
    assert (list(step.after), step.shares) == (["go toolchain"], "go compiler")
