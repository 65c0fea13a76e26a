"""Monitoring on real parts: everything is read, a stopped service calls, a dead receiver is noticed, data survives."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from local.paths import Paths
from tests.cluster.alerts_kit import SPACE, alert_states, noticed, prometheus, query
from tests.cluster.conftest import Kubectl
from tests.cluster.gateway_kit import Caller
from tests.cluster.node_kit import SHELL_IMAGE, eventually, pod, pod_identity, wait_for
from tests.cluster.platform_kit import NAMESPACE, Service, database_is_whole, writing
from tests.cluster.test_platform_status import status

OPERATOR = f"system:serviceaccount:{SPACE}:metrics-operator-controller"
_WORD = re.compile(r"\b(?:up|[a-z]+_[a-z0-9_]+)\b")
_FUNCTIONS = {"histogram_quantile", "max_over_time", "predict_linear"}
_AFTER_A_FAULT = {"kube_pod_container_status_last_terminated_exitcode"}  # told of containers that ended once
_LABELS = re.compile(r'\{[^}]*\}|"[^"]*"|\b(?:by|on) \([^)]*\)')


@pytest.fixture
def ask(outputs: dict[str, Any], kubectl: Kubectl) -> Kubectl:
    """The way to Prometheus of the deployed environment."""
    return kubectl


def received(kubectl: Kubectl, name: str, since: float) -> list[str]:
    """`firing` and `resolved` of an alert that arrived at the receiver after a time, the oldest first."""
    raw = f"/api/v1/namespaces/{SPACE}/services/alert-receiver:8080/proxy/alerts"
    answer = kubectl.raw(raw, check=False)
    entries = json.loads(answer)["alerts"] if answer.startswith("{") else []
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))
    return [
        entry["status"] for entry in entries if entry["labels"]["alertname"] == name and entry["startsAt"] >= moment
    ]


@pytest.mark.req("C3.1", "P14")
def test_every_target_is_read(ask: Kubectl, kubectl: Kubectl) -> None:
    monitors = json.loads(kubectl("get", "podmonitors", "-A", "-o", "json"))["items"]
    wanted = {item["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"] for item in monitors}
    wanted |= {"docker"}  # the node's engine, as Pulumi.test.yaml names it
    assert {"reference", "database", "database-pooler", "postgres-operator", "node-exporter"} <= wanted
    assert {"kube-state-metrics", "gateway-proxy", "logging-store", "messages-controller"} <= wanted

    def up() -> dict[str, str]:
        return {item["metric"]["job"]: item["value"][1] for item in query(ask, "min by (job) (up)")}

    wait_for(lambda: up() == dict.fromkeys(wanted, "1"), 60, lambda: f"all of {sorted(wanted)} are up, but {up()}")


@pytest.fixture
def large_table(outputs: dict[str, Any], kubectl: Kubectl) -> Iterator[None]:
    """A table and an index of more than 1 MiB: of smaller ones nobody asks how much of them holds nothing."""
    role = ("-l", "cnpg.io/instanceRole=primary", "-o", "jsonpath={.items[0].metadata.name}")
    primary = kubectl("get", "pods", "-n", NAMESPACE, *role).strip()
    words = ("-v", "ON_ERROR_STOP=1", "-d", "reference", "-qc")
    psql = ("exec", "-n", NAMESPACE, primary, "-c", "postgres", "--", "psql", *words)
    made = "CREATE TABLE IF NOT EXISTS large AS SELECT generate_series(1, 100000) AS id", "CREATE INDEX ON large (id)"
    for statement in (*made, "VACUUM ANALYZE large"):
        kubectl(*psql, statement)
    yield
    kubectl(*psql, "DROP TABLE large")


@pytest.mark.req("P14", "C2.4")
@pytest.mark.usefixtures("large_table")
def test_every_series_that_an_alert_reads_exists(ask: Kubectl) -> None:
    def read() -> list[dict[str, Any]]:
        """All rules, once every one could be evaluated."""
        found = [rule for group in prometheus(ask, "rules").get("groups", []) for rule in group["rules"]]
        return [] if any(rule["health"] == "err" for rule in found) else found

    rules = eventually(read, 60, lambda: f"every rule can be evaluated, but {prometheus(ask, 'rules')}")
    assert len({rule["name"] for rule in rules}) >= 10
    names = {word for rule in rules for word in _WORD.findall(_LABELS.sub("", rule["query"]))} - _FUNCTIONS
    assert len(names) >= 10
    missing = sorted(names - _AFTER_A_FAULT)

    def complete() -> bool:
        """What a pod that just came has to tell is not read yet."""
        missing[:] = [name for name in missing if not query(ask, f"count({name})")]
        return not missing

    wait_for(complete, 120, lambda: f"every series exists, but {missing}")


def test_no_alert_but_the_watchdog_fires_and_it_reaches_the_receiver(ask: Kubectl, kubectl: Kubectl) -> None:
    # Of this machine, and of events that tests refuse, or leave unread, on purpose.
    usual = {"Watchdog", "DiskFilling", "DeadLetters", "ConsumerBehind"}

    def quiet() -> bool:
        return {name for name, state in alert_states(ask).items() if state == "firing"} <= usual

    # What earlier tests broke on purpose may still be within an alert's window.
    wait_for(quiet, 400, lambda: f"nothing else fires, but {alert_states(ask)}")
    wait_for(lambda: "firing" in received(kubectl, "Watchdog", 0), 60, "the Watchdog arrives")


@pytest.fixture
def scaled(outputs: dict[str, Any], kubectl: Kubectl) -> Iterator[Callable[[str, str, int], None]]:
    """Change the number of a Deployment's pods; everything is put back afterwards."""
    touched: set[tuple[str, str]] = set()

    def scale(namespace: str, name: str, count: int) -> None:
        touched.add((namespace, name))
        kubectl("scale", "-n", namespace, f"deployment/{name}", f"--replicas={count}")

    yield scale
    for namespace, name in touched:
        kubectl("scale", "-n", namespace, f"deployment/{name}", "--replicas=1")
        kubectl("rollout", "status", "-n", namespace, f"deployment/{name}", "--timeout=60s")


@pytest.fixture(scope="module")
def hopeless(outputs: dict[str, Any], kubectl: Kubectl, image_references: dict[str, str]) -> Iterator[None]:
    """A Job that fails, a pod that no node takes, one that crashes, a claim that nobody meets, from here on: their
    alerts wait beside others."""
    image = image_references[SHELL_IMAGE]
    template = {"metadata": {"labels": {"app": "fails"}}, "spec": json.loads(pod("fails", image, "exit 1"))["spec"]}
    template["spec"]["restartPolicy"] = "Never"
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "fails"}}
    stuck = json.loads(pod("stuck", image, "sleep 600"))
    stuck["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "nowhere"}
    crashing = json.loads(pod("crashing", image, "exit 1"))
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "unmet"}}
    asks = {"accessModes": ["ReadWriteOnce"], "storageClassName": "nowhere", "resources": {"requests": {"storage": 1}}}
    items = [{**job, "spec": {"backoffLimit": 0, "template": template}}, stuck, crashing, {**claim, "spec": asks}]
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=manifests)
    yield
    kubectl("delete", "-n", NAMESPACE, "-f", "-", "--grace-period=1", stdin=manifests)


@contextmanager
def replica_stands_still(kubectl: Kubectl) -> Iterator[Callable[[], None]]:
    """The replica goes on to receive what is written, and applies none of it; yields what makes it go on."""
    labels = "cnpg.io/cluster=database,cnpg.io/instanceRole=replica"
    replica = kubectl("get", "pods", "-n", NAMESPACE, "-l", labels, "-o", "jsonpath={.items[0].metadata.name}")

    def tell(function: str) -> None:
        words = ("psql", "-v", "ON_ERROR_STOP=1", "-qtAc", f"SELECT {function}()")
        kubectl("exec", "-n", NAMESPACE, replica, "-c", "postgres", "--", *words)

    tell("pg_wal_replay_pause")
    try:
        yield lambda: tell("pg_wal_replay_resume")
    finally:
        tell("pg_wal_replay_resume")


@dataclass(frozen=True)
class Unseen:
    """A note that the replica was given and does not show."""

    note: dict[str, Any]
    go_on: Callable[[], None]
    """Lets the replica apply it."""


@pytest.fixture(scope="module")
def unseen(service: Service, kubectl: Kubectl) -> Iterator[Unseen]:
    """A replica that stands still while rows are written, from here on: its alert takes more than a minute."""
    wait_for(lambda: database_is_whole(kubectl), 120, "the database is whole before the test")
    with replica_stands_still(kubectl) as go_on:
        status, note = service.write(f"unseen-{uuid.uuid4()}")
        assert status == 201
        with writing(service, str(uuid.uuid4())) as acknowledged:
            wait_for(lambda: len(acknowledged) >= 20, 30, "rows are written")
        yield Unseen(note, go_on)


@pytest.mark.usefixtures("hopeless", "unseen")
@pytest.mark.req("C3.8", "C3.9", "C6.10")
def test_a_stopped_service_calls_even_after_the_receiver_was_away_and_resolves_when_it_is_back(
    ask: Kubectl, kubectl: Kubectl, paths: Paths, scaled: Callable[[str, str, int], None]
) -> None:
    started = time.time() - 1
    scaled(SPACE, "alert-receiver", 0)
    scaled(NAMESPACE, "reference", 0)
    fired = wait_for(lambda: alert_states(ask).get("ServiceDown") == "firing", 120, "ServiceDown fires")

    code, report = status(paths)
    assert code == 1
    (alert,) = [item for item in report["alerting"]["firing"] if item["name"] == "ServiceDown"]
    assert (alert["severity"], alert["about"]) == ("critical", "reference")
    assert alert["runbook"] == "docs/runbooks/service-down.md"
    assert any(text.startswith("alert ServiceDown: No copy of reference answers.") for text in report["problems"])

    wait_for(lambda: "NotificationsFailing" in alert_states(ask), 90, "the dead receiver is noticed")
    scaled(SPACE, "alert-receiver", 1)
    paged = wait_for(lambda: "firing" in received(kubectl, "ServiceDown", started), 120, "the page arrives")
    scaled(NAMESPACE, "reference", 1)
    resolved = wait_for(lambda: "resolved" in received(kubectl, "ServiceDown", started), 120, "it resolves")
    print(
        f"fired after {fired:.0f} s, paged {paged:.0f} s after the receiver came back, resolved after {resolved:.0f} s"
    )


@pytest.mark.req("C3.8", "C7.8")
def test_a_configuration_that_the_proxies_refuse_is_noticed_while_they_serve_on(
    outputs: dict[str, Any], paths: Paths, kubectl: Kubectl
) -> None:
    def offer(operation: dict[str, str]) -> None:
        patch = json.dumps([{**operation, "path": "/spec/telemetry/accessLog/settings/0/format/json/unknown"}])
        kubectl("patch", "envoyproxy", "-n", NAMESPACE, "gateway", "--type=json", f"--patch={patch}")

    caller = Caller(paths, outputs, kubectl)
    offer({"op": "add", "value": "%NO_SUCH_OPERATOR%"})  # the controller hands it on, the proxies look it up
    try:
        print(f"noticed after {noticed(kubectl, 'GatewayConfigurationRejected'):.0f} s")
        assert caller.call("/notes?limit=1", key=caller.key("operator")).status == 200
    finally:
        offer({"op": "remove"})


@pytest.mark.req("C3.8")
def test_a_failed_job_a_pod_that_no_node_takes_and_one_that_crashes_are_noticed(ask: Kubectl, hopeless: None) -> None:
    for name in ("JobFailed", "PodNotReady", "PodCrashLooping", "VolumeClaimPending"):
        print(f"{name} noticed after {noticed(ask, name):.0f} s more")


@pytest.mark.req("C2.5", "C3.8", "P14")
def test_a_replica_that_stands_still_is_noticed_while_writes_go_on_and_catches_up(
    unseen: Unseen, service: Service, kubectl: Kubectl
) -> None:
    path = f"/notes/{unseen.note['id']}"
    assert service.call("GET", path)[0] == 404, "the replica has the row"
    assert service.call("GET", f"{path}?fresh=true")[0] == 200
    print(f"noticed after {noticed(kubectl, 'DatabaseReplicaBehind', 150):.0f} s more")
    unseen.go_on()
    wait_for(lambda: service.call("GET", path)[0] == 200, 30, "the replica has the row")
    wait_for(lambda: "DatabaseReplicaBehind" not in alert_states(kubectl), 90, "the alert ends")


@pytest.mark.req("V13")
def test_the_workload_exporter_reads_no_secret_and_nothing_elsewhere(outputs: dict[str, Any], kubectl: Kubectl) -> None:
    account = f"system:serviceaccount:{SPACE}:workload-exporter-reader"

    def may(*what: str) -> str:
        return kubectl("auth", "can-i", *what, f"--as={account}", check=False).split()[0]  # a warning may follow

    assert may("list", "pods", "-n", NAMESPACE) == "yes"
    for refused in (
        ("list", "secrets", "-n", NAMESPACE),
        ("list", "pods", "-n", "kube-system"),
        ("list", "nodes"),
    ):
        assert may(*refused) == "no", refused


@pytest.mark.req("R8")
def test_a_killed_prometheus_keeps_its_data_and_goes_on(ask: Kubectl, kubectl: Kubectl) -> None:
    def first() -> str:
        results = query(ask, 'min_over_time(timestamp(up{job="database"})[12h:5s])')
        return min((item["value"][1] for item in results), default="")

    before = eventually(first, 30, "Prometheus answers")
    old = pod_identity(kubectl, SPACE, "prometheus-main-0")
    kubectl("delete", "pod", "-n", SPACE, "prometheus-main-0", "--grace-period=0", "--force")
    wait_for(lambda: pod_identity(kubectl, SPACE, "prometheus-main-0") not in (old, ""), 60, "a new pod")
    back = wait_for(lambda: alert_states(ask).get("Watchdog") == "firing", 120, "rules are evaluated again")
    assert first() == before
    print(f"evaluating again {back:.0f} s after the new pod appeared")


@pytest.mark.req("V13")
@pytest.mark.parametrize(
    ("what", "namespace", "answer"),
    [
        ("list secrets", NAMESPACE, "no"),
        ("get secrets/database-app-role", NAMESPACE, "no"),
        ("get secrets/database-ca", NAMESPACE, "yes"),
        ("list secrets", "cnpg-system", "no"),
        ("list secrets", SPACE, "yes"),
    ],
)
def test_the_operators_account_reads_no_secret_of_others(
    outputs: dict[str, Any], kubectl: Kubectl, what: str, namespace: str, answer: str
) -> None:
    said = kubectl("auth", "can-i", *what.split(), "-n", namespace, f"--as={OPERATOR}", check=False)
    assert said.splitlines()[-1].split()[0] == answer, said
