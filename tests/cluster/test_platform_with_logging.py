"""Logs of the real environment: from the containers' files through collector and store to `ops logs`."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from local.node import NetworkPlan, Node, kernel
from local.paths import Paths
from ops.logs.query import logsql, question
from tests.cluster.alerts_kit import alert_states, holds, noticed
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import PATIENCE, SHELL_IMAGE, eventually, pod, wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK, Service

ROOT = Path(__file__).resolve().parents[2]
LOGGING, AGENTS = f"{NAMESPACE}-logging", f"{NAMESPACE}-agents"
_FREE = "-storage.minFreeDiskSpaceBytes="
_ARRIVES = 30.0  # seconds from a line's writing to its answer, on a busy machine

Talker = Callable[[str, str], None]


def ops_logs(paths: Paths, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`ops logs` as an operator types it."""
    return subprocess.run(
        [str(paths.venv / "bin" / "ops"), "logs", "--stack", STACK, *arguments],
        env={**os.environ, "OMNIBASE_INSTANCE": paths.instance},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def lines(paths: Paths, identity: str) -> list[dict[str, str]]:
    """Everything that an operator finds under a correlation id."""
    ended = ops_logs(paths, "--id", identity, "--json")
    assert ended.returncode in (0, 1), ended.stderr
    found: list[dict[str, str]] = json.loads(ended.stdout) if ended.stdout else []
    return found


def stored(kubectl: Kubectl, identity: str) -> list[dict[str, str]]:
    """The same, to be asked again and again: as `ops logs` asks the store, without starting it each time."""
    return ask_store(kubectl, logsql(question(identity, (), "1h"), 5000))


def of_request(answer: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """The service's line of a request and the database's of its INSERT, by service; other lines bear its id as well."""
    found: dict[str, dict[str, str]] = {}
    for line in answer:
        is_insert = line["service"] == "database" and "INSERT INTO notes" in line["_msg"]
        if is_insert or (line["service"] == "reference" and line["_msg"] == "request"):
            found[line["service"]] = line
    return found


def ask_store(kubectl: Kubectl, query: str) -> list[dict[str, str]]:
    """Rows of a LogsQL query, through the API server."""
    base = f"/api/v1/namespaces/{LOGGING}/services/http:logging-store:9428/proxy/select/logsql/query"
    answer = kubectl.raw(f"{base}?{urlencode({'query': query})}")
    return [json.loads(row) for row in answer.splitlines() if row.strip()]


@pytest.fixture
def talk(outputs: dict[str, Any], kubectl: Kubectl, image_references: dict[str, str]) -> Iterator[Talker]:
    """Run a shell script in a pod of the environment whose output is collected."""
    made: list[str] = []

    def run(name: str, script: str) -> None:
        made.append(name)
        kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=pod(name, image_references[SHELL_IMAGE], script))
        kubectl("wait", "-n", NAMESPACE, "--for=condition=Ready", f"pod/{name}", "--timeout=60s")

    yield run
    for name in made:
        kubectl("delete", "-n", NAMESPACE, "pod", name, "--grace-period=1", "--wait=false")


@pytest.mark.req("C6.1", "C6.2", "C6.5", "C6.9")
def test_one_id_finds_the_lines_of_service_and_database_in_the_order_of_their_times(
    service: Service, paths: Paths, kubectl: Kubectl
) -> None:
    identity = str(uuid.uuid4())
    status, _ = service.call("POST", "/notes", {"body": "text"}, X_Correlation_ID=identity)
    assert status == 201
    took = wait_for(
        lambda: len(of_request(stored(kubectl, identity))) == 2, _ARRIVES, "the request's lines are in the store"
    )
    print(f"lines of service and database found after {took:.1f} s")
    both = of_request(lines(paths, identity))
    request, statement = both["reference"], both["database"]
    assert (request["status"], request["level"]) == ("201", "info")
    assert request["k8s.namespace.name"] == statement["k8s.namespace.name"] == NAMESPACE
    assert request["k8s.pod.name"].startswith("reference-")
    assert statement["record.user_name"] == "reference_app"
    times = [line["_time"] for line in lines(paths, identity)]
    assert times == sorted(times)
    text = ops_logs(paths, "--id", identity)
    assert text.returncode == 0, text.stderr
    assert "INSERT INTO notes" in text.stdout
    assert "status=201" in text.stdout


def test_what_a_user_wrote_is_not_in_the_databases_lines(service: Service, kubectl: Kubectl) -> None:
    identity, private = str(uuid.uuid4()), f"private-{uuid.uuid4().hex}"
    assert service.call("POST", "/notes", {"body": private}, X_Correlation_ID=identity)[0] == 201
    wait_for(lambda: len(of_request(stored(kubectl, identity))) == 2, _ARRIVES, "the request's lines are in the store")
    assert ask_store(kubectl, f'_time:10m "{private}"') == []


@pytest.mark.req("C1.4", "C6.5", "V11")
def test_a_canary_secret_is_masked_before_it_is_stored(talk: Talker, paths: Paths, kubectl: Kubectl) -> None:
    identity, canary = str(uuid.uuid4()), f"canary{uuid.uuid4().hex}"
    fields = {"message": f"login with password={canary}", "token": canary, "correlation_id": identity}
    nested = {"message": "called", "headers": {"authorization": canary}, "correlation_id": identity}
    url = f"connecting to postgresql://app:{canary}@database/app"
    rows = [json.dumps(fields), json.dumps(nested), url]
    pod_name = f"canary-{identity[:8]}"
    talk(pod_name, "; ".join(f"echo '{row}'" for row in rows) + "; sleep 600")

    def messages(found: list[dict[str, str]]) -> dict[str, dict[str, str]]:
        """By message: a line may be stored twice where its acknowledgement was late."""
        return {line["_msg"]: line for line in found}

    wait_for(lambda: len(messages(stored(kubectl, identity))) == 2, _ARRIVES, "the canary's lines are in the store")
    plain = f"_time:10m k8s.pod.name:={pod_name} connecting"
    wait_for(lambda: bool(ask_store(kubectl, plain)), _ARRIVES, "the plain line is in the store")
    assert ask_store(kubectl, f"_time:10m {canary}*") == []
    first, second = (line for _, line in sorted(messages(lines(paths, identity)).items()))
    assert second["token"] == first["headers.authorization"] == "****"
    assert second["_msg"] == "login with ****"
    everything = json.dumps(ask_store(kubectl, f"_time:10m k8s.pod.name:={pod_name}"))
    assert everything.count("****") >= 4
    assert canary not in everything


@pytest.mark.req("C6.5")
def test_lines_written_while_the_store_is_away_arrive_afterwards(
    service: Service, paths: Paths, kubectl: Kubectl
) -> None:
    identities = [str(uuid.uuid4()) for _ in range(5)]
    kubectl("scale", "-n", LOGGING, "statefulset/logging-store", "--replicas=0")
    kubectl("wait", "-n", LOGGING, "--for=delete", "pod/logging-store-0", "--timeout=60s")
    away = time.monotonic()
    try:
        for identity in identities:
            assert service.call("POST", "/notes", {"body": "text"}, X_Correlation_ID=identity)[0] == 201
        print(f"noticed after {noticed(kubectl, 'LogStoreDown'):.0f} s")
        print(f"the collector is stuck after {holds(kubectl, 'LogCollectorStuck', {'5m': '20s'}):.0f} s more")
        ready = ("get", "daemonset", "-n", AGENTS, "logging-collector", "-o", "jsonpath={.status.numberReady}")
        wait_for(lambda: kubectl(*ready) == "1", 30, "the collector is ready")
        said = ops_logs(paths, "--id", identities[0])
        assert said.returncode == 1
        assert "the log store does not answer" in said.stderr
    finally:
        kubectl("scale", "-n", LOGGING, "statefulset/logging-store", "--replicas=1")
    kubectl("rollout", "status", "-n", LOGGING, "statefulset/logging-store", "--timeout=90s")
    gone = time.monotonic() - away
    for identity in identities:
        took = wait_for(
            lambda identity=identity: len(of_request(stored(kubectl, identity))) == 2,  # type: ignore[misc]
            60,
            "lines of the outage are in the store",
        )
    assert len(of_request(lines(paths, identities[0]))) == 2
    print(f"store away for {gone:.0f} s; all lines there {took:.1f} s after it was back")


@contextmanager
def store_without_room(kubectl: Kubectl) -> Iterator[None]:
    """The log store starts anew and takes its volume for full: it wants more free bytes than any disk has."""
    (found,) = kubectl.items(f"/apis/apps/v1/namespaces/{LOGGING}/statefulsets")
    arguments = found["spec"]["template"]["spec"]["containers"][0]["command"]
    (place,) = [number for number, each in enumerate(arguments) if each.startswith(_FREE)]

    def restart(argument: str) -> None:
        path = f"/spec/template/spec/containers/0/command/{place}"
        patch = json.dumps([{"op": "replace", "path": path, "value": argument}])
        kubectl("patch", "statefulset", "-n", LOGGING, "logging-store", "--type=json", f"--patch={patch}")
        kubectl("rollout", "status", "-n", LOGGING, "statefulset/logging-store", "--timeout=90s")

    restart(f"{_FREE}{1 << 60}")
    try:
        yield
    finally:
        restart(arguments[place])


@pytest.mark.req("C3.8", "C6.5")
def test_a_store_without_room_takes_no_line_until_there_is_some(
    service: Service, paths: Paths, kubectl: Kubectl
) -> None:
    identity = str(uuid.uuid4())
    with store_without_room(kubectl):
        print(f"noticed after {noticed(kubectl, 'LogStoreFull'):.0f} s")
        assert service.call("POST", "/notes", {"body": "text"}, X_Correlation_ID=identity)[0] == 201
    wait_for(lambda: len(of_request(stored(kubectl, identity))) == 2, 60, "the lines that waited are in the store")
    wait_for(lambda: "LogStoreFull" not in alert_states(kubectl), 60, "the alert ends")


@pytest.mark.req("C6.5")
def test_following_shows_a_line_that_arrives_later_and_ends_with_ctrl_c(service: Service, paths: Paths) -> None:
    identity = str(uuid.uuid4())
    command = [str(paths.venv / "bin" / "ops"), "logs", "--stack", STACK, "--id", identity, "--follow"]
    environment = {**os.environ, "OMNIBASE_INSTANCE": paths.instance}
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as following:
        try:
            assert following.stdout is not None
            assert following.stderr is not None
            assert service.call("POST", "/notes", {"body": "text"}, X_Correlation_ID=identity)[0] == 201
            ready, _, _ = select.select([following.stdout], [], [], _ARRIVES * PATIENCE)
            assert ready, "no line came"
            first = following.stdout.readline()
            following.send_signal(signal.SIGINT)
            rest, errors = following.communicate(timeout=90)
        finally:
            following.kill()
    assert "reference" in first or "database" in first, first
    assert "no line" not in rest
    assert (following.returncode, errors) == (0, "")


def collectors(paths: Paths) -> list[int]:
    """Pids of the collector's process."""
    plan = NetworkPlan.from_environment(paths, {})
    found = []
    for pid in kernel.cgroup_pids(f"{plan.name}/kubepods"):
        try:
            if (Path("/proc") / str(pid) / "cmdline").read_bytes().startswith(b"/otel-collector\0--config"):
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.mark.req("C6.5")
def test_a_killed_collector_loses_no_line(talk: Talker, node: Node, paths: Paths, kubectl: Kubectl) -> None:
    identity, count = str(uuid.uuid4()), 2000
    row = f'{{\\"message\\":\\"row\\",\\"number\\":$i,\\"correlation_id\\":\\"{identity}\\"}}'
    burst = f'while [ $((i % 100)) -ne 0 ]; do echo "{row}"; i=$((i+1)); done'
    # half of the rows are written before the kill, half after it
    wait = f"[ $i -le {count // 2} ] || while [ ! -e /www/go ]; do sleep 0.1; done"
    script = f'i=1; while [ $i -le {count} ]; do {wait}; {burst}; echo "{row}"; i=$((i+1)); sleep 0.3; done; sleep 600'
    query = f'_time:10m correlation_id:="{identity}" | stats count_uniq(number) rows, count() lines'
    (before,) = eventually(lambda: collectors(paths), 60, "a collector runs")
    talk("counter", script)
    wait_for(lambda: int(ask_store(kubectl, query)[0]["rows"]) >= 100, _ARRIVES, "rows arrive")
    os.kill(before, signal.SIGSTOP)
    silent = holds(kubectl, "LogsNotArriving", {"10m": "15s"})
    print(f"a collector that stands still hands nothing over, noticed after {silent:.0f} s")
    with suppress(ProcessLookupError):  # where its probe was quicker
        os.kill(before, signal.SIGKILL)
    kubectl("exec", "-n", NAMESPACE, "counter", "--", "/bin/busybox", "touch", "/www/go")
    restarted = wait_for(lambda: collectors(paths) not in ([], [before]), 60, "the collector runs again")
    took = wait_for(lambda: int(ask_store(kubectl, query)[0]["rows"]) == count, 90, "every row is in the store")
    stored = int(ask_store(kubectl, query)[0]["lines"])
    print(f"collector back after {restarted:.1f} s, all {count} rows after {took:.1f} s, {stored - count} sent twice")
    restarts = (
        "get", "pods", "-n", AGENTS, "-l", "app.kubernetes.io/name=logging-collector",
        "-o", "jsonpath={.items[0].status.containerStatuses[0].restartCount}",
    )  # fmt: skip
    wait_for(lambda: int(kubectl(*restarts) or 0) >= 1, 30, "the kubelet has counted the restart")
    print(f"noticed after {noticed(kubectl, 'ContainerKilled', 40, pod='logging-collector'):.0f} s")


@pytest.mark.req("C6.6")
@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_the_collector_itself_takes_the_configuration_of_each_stack(
    stack: str, node: Node, paths: Paths, tmp_path: Path
) -> None:
    golden = json.loads((ROOT / "tests" / "stacks" / "golden" / f"{stack}.json").read_text())
    entry = next(each for each in golden if each["name"] == "logging-collector-configuration")
    config = yaml.safe_load(entry["inputs"]["data"]["collector.yaml"])
    for extension in ("file_storage/positions", "file_storage/buffer"):
        config["extensions"][extension]["directory"] = str(tmp_path)
        config["extensions"][extension]["compaction"]["directory"] = str(tmp_path)
    file = tmp_path / "collector.yaml"
    file.write_text(yaml.safe_dump(config))
    ended = subprocess.run(
        [str(paths.bin / "otel-collector"), "validate", f"--config={file}"],
        env={"NODE_NAME": "node"}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
