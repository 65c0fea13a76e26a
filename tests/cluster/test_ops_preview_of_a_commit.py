"""`ops preview` against a commit, without any cluster and state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.failure_report import told
from tests.cluster.ops_kit import changes, ops


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a branch that changes a setting of the database and one of a service."""
    place = tmp_path_factory.mktemp("preview")
    file = place / "report.json"
    done = ops(
        "preview", "--stack", "staging", "--base", "HEAD", "--json", "--output", str(file),
        OMNIBASE__POSTGRES__STORAGE_GIB="21", OMNIBASE__SERVICES__INTELLIGENCE_API__LOG_LEVEL="WARNING",
        OMNIBASE_STATE=str(place / "state"),
    )  # fmt: skip
    assert done.code == 0, told(done.text)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.req("C1.5", "R26")
def test_a_branch_is_compared_with_a_commit_without_cluster_and_state(report: dict[str, Any]) -> None:
    assert report["overrides"] == {
        "postgres.storage_gib": "OMNIBASE__POSTGRES__STORAGE_GIB",
        "services.intelligence-api.log_level": "OMNIBASE__SERVICES__INTELLIGENCE_API__LOG_LEVEL",
    }
    op, paths = changes(report)["database-cluster"]
    assert op == "update"
    assert "spec.storage.size" in paths
    assert report["risks"] == []
    assert not [finding for finding in report["findings"] if finding["level"] == "mandatory"]
    assert report["waivers"], "exceptions in force are part of what reviewers see"


@pytest.mark.req("P7", "R5")
def test_a_changed_setting_of_one_service_changes_resources_of_that_service_only(report: dict[str, Any]) -> None:
    groups = {group["name"]: group["changes"] for group in report["components"]}
    own = groups.pop("intelligence-api")
    kinds = {(each["op"], each["type"].rpartition(":")[2]) for each in own}
    assert kinds == {("create", "ConfigMap"), ("delete", "ConfigMap"), ("update", "Deployment")}
    of_the_volume = {"database-cluster", "monitoring-rules", "restore-drill-job-workload"}
    assert {each["name"] for changed in groups.values() for each in changed} == of_the_volume
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
