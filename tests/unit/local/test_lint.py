"""`make lint`: every check runs, whatever another one finds, and any finding is a failure."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from local import gomodules, lint
from local.paths import Paths
from local.progress import Progress


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(instance="unit", root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


def _lint(paths: Paths, monkeypatch: pytest.MonkeyPatch, python: dict[str, str], go: dict[str, str]) -> tuple[int, str]:
    """The result with these checks, shell scripts by their names, instead of ours."""

    def checks(scripts: dict[str, str]) -> list[tuple[str, list[str], Path]]:
        return [(name, ["sh", "-c", script], paths.root) for name, script in scripts.items()]

    monkeypatch.setattr(lint, "_python_checks", lambda _paths: checks(python))
    monkeypatch.setattr(lint, "_go_checks", lambda _paths: checks(go))
    monkeypatch.setattr(gomodules, "fetch_steps", lambda _paths: [])
    output = io.StringIO()
    code = lint.run(paths, Progress(Console(file=output, width=200)))
    return code, output.getvalue()


def test_each_check_runs_whatever_others_find_and_all_findings_are_named(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = _lint(
        paths,
        monkeypatch,
        {"types": "echo wrong type; false", "form": "true"},
        {"gofmt": "echo main.go", "vet": "true"},
    )
    assert code == 1
    assert "not clean: types, gofmt" in text
    assert [name for name in ("form", "vet") if f"clean  {name}" in text] == ["form", "vet"]
    assert sorted(capsys.readouterr().out.split("\n")) == ["", "main.go", "wrong type"]


def test_no_finding_is_success(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = _lint(paths, monkeypatch, {"form": "true"}, {"gofmt": "true"})
    assert (code, "not clean" in text) == (0, False)


def test_python_is_checked_while_go_compiles(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = "for _ in $(seq 900); do test -e {other} && exit 0; sleep 0.1; done; exit 1"
    python = {"types": "touch python; " + wait.format(other="go")}
    code, text = _lint(paths, monkeypatch, python, {"vet": "touch go; " + wait.format(other="python")})
    assert code == 0, text
