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


@pytest.mark.req("P7", "R5")
def test_a_changed_setting_of_one_service_changes_resources_of_that_service_only(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = ops(
        "preview", "--stack", "staging", "--base", "HEAD", "--json", "--output", str(file),
        OMNIBASE__SERVICES__INTELLIGENCE_API__LOG_LEVEL="WARNING", OMNIBASE_STATE=str(tmp_path / "state"),
    )  # fmt: skip
    assert done.code == 0, done.text
    report = json.loads(file.read_text())
    (group,) = report["components"]
    assert group["name"] == "intelligence-api"
    kinds = {(each["op"], each["type"].rpartition(":")[2]) for each in group["changes"]}
    assert kinds == {("create", "ConfigMap"), ("delete", "ConfigMap"), ("update", "Deployment")}
    assert report["summary"]["same"] > 500, "26 other services, database, bus and all that watches them"


@pytest.mark.req("C1.2")
def test_prod_refuses_an_override_that_its_file_does_not_list_and_registers_nothing(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = ops(
        "preview", "--stack", "prod", "--json", "--output", str(file),
        OMNIBASE__POSTGRES__STORAGE_GIB="200", OMNIBASE_STATE=str(tmp_path / "state"),
    )  # fmt: skip
    assert done.code != 0
    report = json.loads(file.read_text())
    (error,) = [each for each in report["errors"] if "OMNIBASE__" in each]
    assert "OMNIBASE__POSTGRES__STORAGE_GIB: postgres.storage_gib = an override: prod accepts only" in error
    assert "add 'postgres.storage_gib' there, or put the value into the stack file" in error
    assert report["components"] == []
    assert set(report["summary"].values()) == {0}


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
