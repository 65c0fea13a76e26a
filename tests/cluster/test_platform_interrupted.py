"""The first deployment under the worst treatment: interrupted, killed, without its node. The next `make up` goes on."""

from __future__ import annotations

import json
import signal

import pytest

from local.node import Node
from local.paths import Paths
from tests.cluster.conftest import Kubectl
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


@pytest.mark.req("R9")
def test_ctrl_c_during_the_first_up_ends_with_one_message_and_no_engine_left(node: Node, paths: Paths) -> None:
    process = start_local("up", "--stack", STACK)
    read_until(process, "creating")
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=180)
    assert process.returncode != 0
    assert "Traceback" not in text
    assert f"make up STACK={STACK}" in text or "run the same command again" in text
    assert engines(paths) == []


def test_a_second_up_at_the_same_time_is_told_who_holds_the_lock_and_a_killed_engine_is_survived(
    node: Node, paths: Paths
) -> None:
    first = start_local("up", "--stack", STACK)
    read_until(first, "creating")
    second = local("up", "--stack", STACK)
    assert second.code == 3
    assert f"`make up STACK={STACK}` (pid {first.pid}" in second.text
    for pid in engines(paths):
        kill_hard(pid)
    text, _ = first.communicate(timeout=180)
    assert first.returncode == 1
    assert f"run `make up STACK={STACK}` again" in text


def test_a_dead_machine_in_the_middle_of_an_up_leaves_a_stack_that_can_be_continued(node: Node, paths: Paths) -> None:
    process = start_local("up", "--stack", STACK)
    read_until(process, "database-cluster")
    kill_hard(process.pid)
    for pid in engines(paths):
        kill_hard(pid)
    process.communicate(timeout=180)
    engine, said = silent_engine(paths)
    engine.recover()
    pending = engine.export()["deployment"].get("pending_operations")
    assert not pending, said()


def _primary(kubectl: Kubectl) -> str:
    """Name of the primary's pod while it is ready, else empty."""
    found = json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", "cnpg.io/instanceRole=primary", "-o", "json"))
    ready = [
        pod["metadata"]["name"]
        for pod in found["items"]
        if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
    ]
    return str(ready[0]) if ready else ""


def _sql(kubectl: Kubectl, statement: str) -> str:
    words = ("psql", "-v", "ON_ERROR_STOP=1", "-qtAc", statement)
    return kubectl("exec", "-n", NAMESPACE, _primary(kubectl), "-c", "postgres", "--", *words).strip()


def _volumes(kubectl: Kubectl) -> dict[str, str]:
    """Claim -> uid of each volume of the database."""
    found = json.loads(kubectl("get", "pvc", "-n", NAMESPACE, "-o", "json"))["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in found}


def _password(kubectl: Kubectl) -> str:
    return kubectl("get", "secret", "-n", NAMESPACE, "database-app-role", "-o", "jsonpath={.data.password}")


def test_a_node_killed_during_an_up_comes_back_and_the_next_up_completes_with_all_data(
    node: Node, paths: Paths, kubectl: Kubectl
) -> None:
    process = start_local("up", "--stack", STACK)
    read_until(process, "updating")
    # The operator goes on with what the killed engine asked for, so there is a database while the stack is unfinished.
    wait_for(lambda: bool(_primary(kubectl)), 120, "a primary that accepts writes")
    _sql(kubectl, "CREATE TABLE kept AS SELECT 'written before the kill' AS text")
    before, password = _volumes(kubectl), _password(kubectl)
    assert before
    assert password
    for name in ("etcd", "kube-apiserver", "containerd"):
        kill_hard(supervised(paths)[name]["pid"])
    text, _ = process.communicate(timeout=1200)
    assert process.returncode in (0, 1), text
    wait_for(lambda: node.status().healthy, 90, "the node heals")
    finished = local("up", "--stack", STACK)
    assert finished.code == 0, finished.text[-4000:]
    assert f"stack {STACK} is up" in finished.text
    assert _sql(kubectl, "SELECT text FROM kept") == "written before the kill"
    assert before.items() <= _volumes(kubectl).items(), "a volume was made anew"
    assert _password(kubectl) == password
