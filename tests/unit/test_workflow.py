"""The pipeline of pull requests: the same make targets as by hand, nothing that it could leak or write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.stack import known

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow(file: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(file)["jobs"].values() for step in job["steps"]]


def test_there_is_a_workflow_for_pull_requests() -> None:
    file = ROOT / ".github" / "workflows" / "preview.yml"
    assert "pull_request" in workflow(file)[True], "YAML reads the key `on` as true"
    stacks = workflow(file)["jobs"]["preview"]["strategy"]["matrix"]["stack"]
    assert set(stacks) == {name for name in known(ROOT) if not name.startswith("w")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_make_target_exists(file: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = [word for step in steps(file) for word in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))]
    assert named
    assert set(named) <= targets


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_may_read_and_nothing_else(file: Path) -> None:
    content = workflow(file)
    assert content["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in content["jobs"].values())
    text = file.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "pull_request_target" not in text, "it would run code of strangers with the repository's rights"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_actions_of_others_are_pinned_by_commit_and_jobs_end(file: Path) -> None:
    used = [step["uses"] for step in steps(file) if "uses" in step]
    assert all(re.search(r"@[0-9a-f]{40}$", name) for name in used), used
    assert all(job["timeout-minutes"] <= 60 for job in workflow(file)["jobs"].values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_text_from_outside_becomes_a_command(file: Path) -> None:
    for step in steps(file):
        assert "${{" not in step.get("run", ""), "give it to the shell as a variable"
