"""The first deployment under the worst treatment: interrupted, killed, without its node. The next `make up` goes on."""

from __future__ import annotations

import json
import signal

import pytest

from local.node import Node
from local.paths import Paths
from tests.cluster.conftest import Kubectl
from tests.cluster.failure_report import told
from tests.cluster.node_kit import supervised, wait_for
from tests.cluster.platform_kit import (
    NAMESPACE,
    STACK,
    engines,
    kill_hard,
    local,
    read_until,
    silent_engine,
    start_local,
)

_ENDS_SECONDS = 600  # what is under way in the cluster may be waited for


@pytest.mark.req("R9")
def test_a_second_up_is_told_who_holds_the_lock_and_ctrl_c_ends_the_first_with_one_message_and_no_engine_left(
    node: Node, paths: Paths
) -> None:
    first = start_local("up", "--stack", STACK)
    read_until(first, "creating")
    second = local("up", "--stack", STACK)
    assert second.code == 3, second.text
    assert f"`make up STACK={STACK}` (pid {first.pid}" in second.text
    first.send_signal(signal.SIGINT)
    text, _ = first.communicate(timeout=_ENDS_SECONDS)
    assert first.returncode != 0
    assert "Traceback" not in text
    assert f"make up STACK={STACK}" in text or "run the same command again" in text
    assert engines(paths) == []


def test_an_engine_that_is_killed_is_said_and_leaves_a_stack_that_can_be_continued(node: Node, paths: Paths) -> None:
    process = start_local("up", "--stack", STACK)
    read_until(process, "database-cluster")
    working = engines(paths)
    assert working
    for pid in working:
        kill_hard(pid)
    text, _ = process.communicate(timeout=_ENDS_SECONDS)
    assert process.returncode == 1, text
    assert f"run `make up STACK={STACK}` again" in text
    assert _pending(paths) == []


def _pending(paths: Paths) -> list[object]:
    """What the stack still knows as under way after the engine has looked for it."""
    engine, _ = silent_engine(paths)
    engine.recover()
    return list(engine.export()["deployment"].get("pending_operations") or [])


def _primary(kubectl: Kubectl) -> str:
    """Name of the primary's pod while it is ready, else empty."""
    found = json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", "cnpg.io/instanceRole=primary", "-o", "json"))
    ready = [
        pod["metadata"]["name"]
        for pod in found["items"]
        if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
    ]
    return str(ready[0]) if ready else ""


_KEPT = "written before the kill"
_READ = "SELECT text FROM kept"
_WRITE = f"CREATE TABLE IF NOT EXISTS kept AS SELECT '{_KEPT}' AS text"


def _said(kubectl: Kubectl, statement: str) -> str | None:
    """What the primary answers; None while there is none, or it refuses."""
    primary = _primary(kubectl)
    if not primary:
        return None
    words = ("psql", "-v", "ON_ERROR_STOP=1", "-qtAc", f"{statement}; SELECT 'done'")
    answer = kubectl("exec", "-n", NAMESPACE, primary, "-c", "postgres", "--", *words, check=False).strip()
    return answer.removesuffix("done").strip() if answer.endswith("done") else None


def _volumes(kubectl: Kubectl) -> dict[str, str]:
    """Claim -> uid of each volume of the database."""
    found = json.loads(kubectl("get", "pvc", "-n", NAMESPACE, "-o", "json"))["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in found}


def _password(kubectl: Kubectl) -> str:
    return kubectl("get", "secret", "-n", NAMESPACE, "database-app-role", "-o", "jsonpath={.data.password}")


def test_a_node_killed_under_an_up_heals_and_after_the_whole_machine_died_the_next_up_completes_with_all_data(
    node: Node, paths: Paths, kubectl: Kubectl, completed: set[str]
) -> None:
    process = start_local("up", "--stack", STACK)
    read_until(process, "creating", "updating")
    # The operator goes on with what the killed engine asked for, so there is a database while the stack is unfinished.
    wait_for(lambda: _said(kubectl, _WRITE) is not None, 120, "a primary that accepts writes")
    before, password = _volumes(kubectl), _password(kubectl)
    assert before
    assert password
    for name in ("etcd", "kube-apiserver", "containerd"):
        kill_hard(supervised(paths)[name]["pid"])
    wait_for(lambda: node.status().healthy, 90, "the node heals")
    assert process.poll() in (None, 0, 1), "the up lives through it, or says that it cannot"

    if process.poll() is None:
        kill_hard(process.pid)
    for pid in engines(paths):
        kill_hard(pid)
    text, _ = process.communicate(timeout=_ENDS_SECONDS)
    assert "Traceback" not in text
    assert _pending(paths) == []
    finished = local("up", "--stack", STACK)
    assert finished.code == 0, told(finished.text)
    assert f"stack {STACK} is up" in finished.text
    completed.add(STACK)
    wait_for(lambda: _said(kubectl, _READ) == _KEPT, 60, lambda: f"the row is there, but {_said(kubectl, _READ)}")
    assert before.items() <= _volumes(kubectl).items(), "a volume was made anew"
    assert _password(kubectl) == password
