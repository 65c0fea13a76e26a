"""`ops preview` against a commit, without any cluster and state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.ops_kit import changes, ops


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


def test_a_base_that_does_not_exist_is_bad_input(tmp_path: Path) -> None:
    state = str(tmp_path / "state")  # another command on this machine may hold the instance of every day
    done = ops("preview", "--stack", "staging", "--base", "no-such-commit", OMNIBASE_STATE=state)
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
