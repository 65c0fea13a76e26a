"""The command line: help, exit codes, messages without a traceback, and a machine on which nothing runs."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from local.paths import Paths
from local.stack import Stack
from ops.cli import main
from ops.status import cluster, fetch

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _new_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was ever started here."""
    monkeypatch.setenv("OMNIBASE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("STACK", raising=False)
    monkeypatch.chdir(tmp_path)


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `ops` as a shell does."""
    program = "import sys; from ops.cli import main; sys.argv[0] = 'ops'; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=240
    )


def ops(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has loaded everything; what `main` does not catch is an error of the test."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["ops", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    code = ended.value.code
    return subprocess.CompletedProcess(arguments, code if isinstance(code, int) else 1, out.getvalue(), err.getvalue())


def test_help_names_every_command() -> None:
    ended = process("--help")
    assert ended.returncode == 0
    for command in ("status", "requirements", "graph", "logs", "messages", "network", "rollback"):
        assert command in ended.stdout


def test_status_of_a_machine_where_nothing_runs_says_so_and_ends_with_1() -> None:
    ended = ops("status", "--stack", "dev", "--json")
    assert ended.returncode == 1, ended.stderr
    report = json.loads(ended.stdout)
    assert report["healthy"] is False
    assert report["problems"] == [
        "stack dev was never deployed: `make up STACK=dev` deploys it",
        "the node is not running: `make up` starts it",
    ]


def test_status_changes_nothing_on_a_machine_where_nothing_runs(tmp_path: Path) -> None:
    ops("status")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_stack_is_bad_input_and_names_the_nearest() -> None:
    ended = ops("status", "--stack", "prd")
    assert ended.returncode == 2
    assert "stack 'prd' is unknown" in ended.stderr
    assert "did you mean STACK=prod?" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", [["status", "--nonsense"], ["nonsense"], ["requirements", "C2.33"]])
def test_bad_input_ends_with_2_and_no_traceback(arguments: list[str]) -> None:
    ended = process(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_requirements_can_be_asked_for_one_by_one_as_json() -> None:
    ended = ops("requirements", "C2.3", "--json")
    (entry,) = json.loads(ended.stdout)
    assert (entry["id"], entry["chapter"]) == ("C2.3", "C2 Databases")


def test_the_interface_of_an_address_is_what_the_kernel_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = tmp_path / "ip"
    kernel.write_text('#!/bin/sh\necho "[{\\"dst\\": \\"$4\\", \\"dev\\": \\"omn-unit\\"}]"\n')
    kernel.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cluster.route_interface("https://192.0.2.7:6443") == "omn-unit"
    kernel.write_text("#!/bin/sh\nexit 2\n")
    assert cluster.route_interface("https://192.0.2.7:6443") == ""


def test_a_name_is_never_taken_for_the_local_nodes_address() -> None:
    assert cluster.route_interface("https://api.example.test:6443") == ""


def test_a_kubeconfig_that_points_elsewhere_is_not_contacted(tmp_path: Path) -> None:
    paths = Paths(instance="unit", root=ROOT, cache=tmp_path, state=tmp_path)
    paths.kubeconfig.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "omnibase-unit", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "omnibase-unit",
            }
        )
    )
    stack = Stack(name="dev", path=ROOT / "Pulumi.dev.yaml", target="local", context="", instance="unit")
    found = cluster.cluster_documents(paths, stack, [])
    assert found.unavailable == "the node is not running: `make up` starts it"


def test_an_existing_cluster_that_does_not_answer_is_named_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(instance="unit", root=ROOT, cache=tmp_path, state=tmp_path)
    kubeconfig = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    kubeconfig.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "theirs", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    stack = Stack(name="prod", path=ROOT / "Pulumi.prod.yaml", target="existing", context="theirs", instance="local")
    found = cluster.cluster_documents(paths, stack, ["omnibase-prod"])
    assert "http://127.0.0.1:1 is unreachable" in found.unavailable
    unknown = Stack(name="prod", path=stack.path, target="existing", context="ours", instance="local")
    assert "kubeconfig has no context 'ours'" in cluster.cluster_documents(paths, unknown, []).unavailable


def test_an_engine_that_was_never_used_is_not_started(tmp_path: Path) -> None:
    paths = Paths(instance="unit", root=ROOT, cache=tmp_path, state=tmp_path / "state")
    stack = Stack(name="dev", path=ROOT / "Pulumi.dev.yaml", target="local", context="", instance="unit")
    found = fetch.engine_documents(paths, stack, datetime.datetime.now(datetime.UTC))
    assert found.unavailable == "stack dev was never deployed: `make up STACK=dev` deploys it"


def test_logs_without_a_question_is_bad_input() -> None:
    ended = ops("logs", "--stack", "dev")
    assert ended.returncode == 2
    assert "give --id, --service or both" in ended.stderr


def test_logs_of_a_machine_where_nothing_runs_says_so_and_ends_with_1(tmp_path: Path) -> None:
    ended = ops("logs", "--stack", "dev", "--id", "abc")
    assert ended.returncode == 1
    assert "the node is not running: `make up` starts it" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["reference"], ["reference", "--list", "--json"], ["reference", "--release"]])
def test_a_rollback_of_what_was_never_deployed_says_so_and_changes_nothing(
    tmp_path: Path, arguments: list[str]
) -> None:
    ended = ops("rollback", "image", *arguments, "--stack", "dev")
    assert ended.returncode == 1
    assert "stack dev was never deployed: `make up STACK=dev` deploys it" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--json", "--yes"], ["--cluster", "database", "--within", "60"]])
def test_databases_that_were_never_deployed_are_not_judged_and_nothing_is_changed(
    tmp_path: Path, arguments: list[str]
) -> None:
    ended = ops("rollback", "database", *arguments, "--stack", "dev")
    assert ended.returncode == 1
    assert "stack dev was never deployed: `make up STACK=dev` deploys it" in ended.stderr
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_settings_of_the_database_that_a_variable_sets_cannot_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIBASE__POSTGRES__MEMORY_MIB", "600")
    ended = ops("rollback", "database", "--stack", "dev")
    assert ended.returncode == 2
    assert "OMNIBASE__POSTGRES__MEMORY_MIB overrides what the stack file says of images and postgres" in ended.stderr


def test_a_rollback_of_images_that_a_variable_sets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIBASE__IMAGES__LOCK", "local")
    ended = ops("rollback", "image", "reference", "--stack", "dev")
    assert ended.returncode == 2
    assert "OMNIBASE__IMAGES__LOCK overrides what the stack file says of images" in ended.stderr
