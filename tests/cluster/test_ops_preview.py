"""`ops preview` with the real engine: against what is deployed, and against a commit without any state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.platform_kit import STACK, Finished

_ROOT = Path(__file__).resolve().parents[2]


def ops(*words: str, **variables: str) -> Finished:
    """Run `ops` as an operator does, with settings overridden by variables."""
    kept = ("OMNIBASE_CACHE", "OMNIBASE_STATE")
    env = {
        key: value for key, value in os.environ.items() if key in kept or not key.startswith(("OMNIBASE_", "PULUMI_"))
    }
    done = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "ops"), *words],
        cwd=_ROOT,
        env={**env, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return Finished(code=done.returncode, text=done.stdout if done.returncode == 0 else done.stdout + done.stderr)


def changes(report: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    return {each["name"]: (each["op"], each["paths"]) for group in report["components"] for each in group["changes"]}


@pytest.mark.req("C1.5", "R26")
def test_a_branch_is_compared_with_a_commit_without_cluster_and_state(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = ops(
        "preview", "--stack", "staging", "--base", "HEAD", "--json", "--output", str(file),
        OMNIBASE__POSTGRES__STORAGE_GIB="21", OMNIBASE_STATE=str(tmp_path / "state"),
    )  # fmt: skip
    assert done.code == 0, done.text
    report = json.loads(file.read_text())
    assert report["overrides"] == {"postgres.storage_gib": "OMNIBASE__POSTGRES__STORAGE_GIB"}
    op, paths = changes(report)["database-cluster"]
    assert op == "update"
    assert "spec.storage.size" in paths
    assert report["risks"] == []
    assert report["summary"]["same"] > 50
    assert not [finding for finding in report["findings"] if finding["level"] == "mandatory"]
    assert report["waivers"], "exceptions in force are part of what reviewers see"


def test_a_base_that_does_not_exist_is_bad_input() -> None:
    done = ops("preview", "--stack", "staging", "--base", "no-such-commit")
    assert done.code == 2
    assert "--base 'no-such-commit'" in done.text


def test_settings_that_cannot_be_used_are_in_the_report_and_fail(tmp_path: Path) -> None:
    done = ops(
        "preview", "--stack", "staging", "--base", "HEAD", "--markdown", OMNIBASE__POSTGRES__INSTANCES="0",
        OMNIBASE_STATE=str(tmp_path / "state"),
    )  # fmt: skip
    assert done.code != 0
    assert "### Errors" in done.text
    assert "postgres.instances = 0" in done.text


@pytest.mark.req("R36")
def test_what_is_deployed_is_compared_with_what_would_be(outputs: dict[str, Any]) -> None:
    done = ops("preview", "--stack", STACK, "--json", OMNIBASE__SERVICES__REFERENCE__REPLICAS="2")
    assert done.code == 0, done.text
    report = json.loads(done.text)
    found = changes(report)
    assert found["reference-workload"] == ("update", ["spec.replicas"])
    assert [name for name, (op, _) in found.items() if op == "create" and "budget" in name]
    assert report["summary"]["replace"] == report["summary"]["delete"] == 0
    assert report["overrides"] == {"services.reference.replicas": "OMNIBASE__SERVICES__REFERENCE__REPLICAS"}


def test_markdown_of_a_stack_as_it_is_says_that_nothing_changes(outputs: dict[str, Any]) -> None:
    done = ops("preview", "--stack", STACK, "--markdown")
    assert done.code == 0, done.text
    assert done.text.startswith(f"## Preview of `{STACK}` against what is deployed\n\nNo changes; ")
