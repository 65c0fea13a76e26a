"""Delivery in a deployed environment: a good change, a bad one, and what happens to an analysis that is hit."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest

from local.engine import Engine
from local.node import Node
from local.paths import Paths
from tests.cluster.alerts_kit import noticed
from tests.cluster.calls_kit import MISSED_SHARE, Calls, calling
from tests.cluster.conftest import Kubectl
from tests.cluster.gateway_kit import Caller
from tests.cluster.node_kit import eventually, wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK, Service

_CANARY, _STABLE, _JOB, _ROUTE = "reference-canary", "reference", "reference-analysis", "notes"
_BLIND = "reference-analysis-blind"
_FIRST_STEP = 20
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_ROUTES = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes"
_SETTING = "OMNIBASE__SERVICES__REFERENCE__"


@pytest.fixture(scope="module")
def caller(outputs: dict[str, Any], kubectl: Kubectl, paths: Paths) -> Caller:
    """A caller outside the cluster, on this machine."""
    found = Caller(paths, outputs, kubectl)
    key = found.key("operator")
    wait_for(lambda: found.call("/notes?limit=1", key=key).status == 200, 60, "the gateway answers")
    return found


Up = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def up(outputs: dict[str, Any], paths: Paths) -> Iterator[Up]:
    """`pulumi up` with other settings of the service: its code and what it complains of; at the end those of the stack
    file are back."""
    changed = False

    def run(**settings: str) -> tuple[int, str]:
        nonlocal changed
        changed = bool(settings)
        said: list[str] = []
        variables = {f"{_SETTING}{name}": value for name, value in settings.items()}
        code = Engine(paths, STACK, write=said.append, env={**os.environ, **variables}).up()
        text = "".join(said)
        diagnostics = text.partition("Diagnostics:")[2].partition("\nOutputs:")[0]
        return code, diagnostics or text[-3000:]

    yield run
    if changed:
        code, said = run()
        assert code == 0, said


def reading(caller: Caller) -> AbstractContextManager[Calls]:
    """Two callers of the gateway while the block runs."""
    key = caller.key("operator")

    def once() -> str:
        status = caller.call("/notes?limit=1", key=key).status
        return "" if status == 200 else f"status {status}"

    return calling(once, callers=2, pause=0.15)


def weights(kubectl: Kubectl) -> dict[str, int]:
    """Weight of each backend of the service's route."""
    (route,) = kubectl.items(_ROUTES, fieldSelector=f"metadata.name={_ROUTE}")
    return {backend["name"]: backend["weight"] for backend in route["spec"]["rules"][0]["backendRefs"]}


def move(kubectl: Kubectl, canary: int) -> None:
    """Give the canary a share of the calls, by hand."""
    patch = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": weight}
        for place, weight in enumerate((100 - canary, canary))
    ]
    kubectl("patch", "httproute", "-n", NAMESPACE, _ROUTE, "--type=json", "-p", json.dumps(patch))


def pods(kubectl: Kubectl, job: str) -> list[str]:
    """Pods of an analysis that are not on their way out, the newest last."""
    found = kubectl.items(_PODS, labelSelector=f"job-name={job}")
    staying = [pod["metadata"] for pod in found if not pod["metadata"].get("deletionTimestamp")]
    return [each["name"] for each in sorted(staying, key=lambda each: str(each["creationTimestamp"]))]


def lines(kubectl: Kubectl, pod: str) -> list[dict[str, Any]]:
    """What a pod of an analysis has logged so far; nothing while it has not begun."""
    text = kubectl.raw(f"{_PODS}/{pod}/log", check=False)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def passed(kubectl: Kubectl) -> list[dict[str, Any]]:
    """The steps that the last analysis found good."""
    return [line for line in lines(kubectl, pods(kubectl, _JOB)[-1]) if line["msg"] == "step passed"]


def template(kubectl: Kubectl) -> dict[str, Any]:
    """The stable pods' template."""
    found: dict[str, Any] = json.loads(kubectl("get", "deployment", "-n", NAMESPACE, _STABLE, "-o", "json"))
    variables = {each["name"]: each.get("value") for each in found["spec"]["template"]["spec"]["containers"][0]["env"]}
    return {"variables": variables, "generation": found["metadata"]["generation"]}


def told(service: Service) -> dict[str, Any]:
    """What the pods behind the service read from their settings when they started."""
    status, shown = service.call("GET", "/settings")
    assert status == 200, shown
    found: dict[str, Any] = shown["settings"]
    return found


def settings_objects(kubectl: Kubectl) -> set[str]:
    """ConfigMaps with settings, of the stable pods and of the canary."""
    names = kubectl("get", "configmaps", "-n", NAMESPACE, "-o", "name").split()
    return {name for name in names if name.startswith("configmap/reference-") and "-settings-" in name}


def hardly_missed(calls: Calls, kubectl: Kubectl) -> None:
    """Assert that callers hardly noticed; otherwise show what the proxies logged of the failed calls."""
    print(calls.told())
    if calls.hardly_missed():
        return
    owner = "gateway.envoyproxy.io/owning-gateway-name=gateway"
    log = kubectl("logs", "-n", "envoy-gateway-system", "-l", owner, "-c", "envoy", "--tail=-1", "--since=5m")
    pytest.fail("\n".join([calls.told(), *(line for line in log.splitlines() if '"status":5' in line)][:20]))


def served(service: str, node: Node, kubectl: Kubectl) -> float:
    """Calls that the pods behind a service have answered, out of their own metrics."""
    found = kubectl.items(_PODS, labelSelector=f"app.kubernetes.io/name={service}")
    total = 0.0
    for pod in found:
        url = f"http://{pod['status'].get('podIP')}:8080/metrics"
        script = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=30).read().decode())"
        answer = node.run([sys.executable, "-c", script])
        assert answer.returncode == 0, f"{pod['metadata']['name']} does not tell its metrics: {answer.stderr}"
        counts = re.findall(
            r'^http_requests_total\{method="GET",route="/notes",.*\} (\S+)$', answer.stdout, re.MULTILINE
        )
        total += sum(map(float, counts))
    return total


@pytest.mark.req("C7.10")
def test_the_weights_of_a_route_are_the_shares_of_the_calls(
    caller: Caller, kubectl: Kubectl, node: Node, outputs: dict[str, Any]
) -> None:
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}
    key, count, share = caller.key("operator"), 150, 0.3

    def reaches(canary: bool) -> bool:
        """Whether both proxies have the new weights: none, or some, of thirty calls meet the canary."""
        before = served(_CANARY, node, kubectl)
        for _ in range(30):
            caller.call("/notes?limit=1", key=key)
        return (served(_CANARY, node, kubectl) > before + 3) == canary

    try:
        move(kubectl, 30)
        wait_for(lambda: reaches(True), 60, "the canary gets calls")
        before = {service: served(service, node, kubectl) for service in (_STABLE, _CANARY)}
        statuses = Counter(caller.call("/notes?limit=1", key=key).status for _ in range(count))
        got = {service: served(service, node, kubectl) - before[service] for service in before}
    finally:
        move(kubectl, 0)
    print(f"of {count} calls at 70/30: {got}, {dict(statuses)}")
    assert statuses[200] >= count * (1 - MISSED_SHARE)
    assert got[_STABLE] + got[_CANARY] >= statuses[200]
    # Five standard deviations of a fair share: about one failure in a million runs.
    assert abs(got[_CANARY] - count * share) < 5 * math.sqrt(count * share * (1 - share))


@pytest.mark.req("C4.10", "P14")
def test_weights_that_somebody_left_off_are_noticed(caller: Caller, kubectl: Kubectl) -> None:
    move(kubectl, 30)
    try:
        with reading(caller):
            print(f"noticed after {noticed(kubectl, 'RolloutWeightsOff'):.0f} s")
    finally:
        move(kubectl, 0)
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}


@pytest.mark.req("R3", "R5", "C7.10", "P7")
def test_a_good_change_goes_through_the_steps_and_hardly_a_call_fails(
    caller: Caller, kubectl: Kubectl, up: Up, service: Service
) -> None:
    before = settings_objects(kubectl)
    assert told(service)["log_level"] == "DEBUG"
    with reading(caller) as calls:
        code, said = up(LOG_LEVEL="INFO")
    assert code == 0, said
    steps = passed(kubectl)
    print(f"{len(calls.made)} calls, {[(line['weight'], line['canary_requests'], line['probes']) for line in steps]}")
    assert [line["weight"] for line in steps] == [_FIRST_STEP, 50]
    assert sum(line["canary_requests"] for line in steps) > 0
    assert "is proven" in lines(kubectl, pods(kubectl, _JOB)[-1])[-1]["msg"]
    assert template(kubectl)["variables"]["REFERENCE_LOG_LEVEL"] == "INFO"
    assert told(service)["log_level"] == "INFO"
    assert len(settings_objects(kubectl)) == len(before) == 2, "of the stable pods and of the canary, each one"
    assert settings_objects(kubectl).isdisjoint(before)
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}
    hardly_missed(calls, kubectl)


@pytest.fixture
def blind(up: Up, kubectl: Kubectl) -> Iterator[str]:
    """A second analysis of the same rights, whose Prometheus is gone."""
    job = json.loads(kubectl("get", "job", "-n", NAMESPACE, _JOB, "-o", "json"))
    pod = job["spec"]["template"]
    pod["metadata"] = {"labels": {"app.kubernetes.io/name": _JOB}}
    for variable in pod["spec"]["containers"][0]["env"]:
        if variable["name"] == "PROMETHEUS_URL":
            variable["value"] = "http://127.0.0.1:9"
    spec = {"backoffLimit": 0, "template": pod}
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": _BLIND, "namespace": NAMESPACE}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(made))
    yield _BLIND
    kubectl("delete", "job", "-n", NAMESPACE, _BLIND, "--ignore-not-found")


@pytest.mark.req("R3", "R24", "R31", "C4.10", "C7.10")
def test_a_bad_change_is_stopped_at_the_canary_and_few_callers_meet_it(
    caller: Caller, kubectl: Kubectl, up: Up, blind: str, service: Service
) -> None:
    before, settings = template(kubectl), settings_objects(kubectl)
    with reading(caller) as calls:
        code, said = up(LOG_LEVEL="WARNING", FAULTS__ERROR_PERCENT="80")
        calls.wait_until_well()
    assert code not in (0, None), said
    message = next((line for line in said.splitlines() if "is refused: at 20 % of the calls" in line), "")
    assert message, said
    met = [call.began for call in calls.failed if call.problem == "status 500"]
    assert met, f"nobody met the canary, so nothing was to be found: {calls.told()}"
    exposed = met[-1] - met[0]
    print(f"{len(met)} of {len(calls.made)} calls failed, within {exposed:.0f} s: {message.strip()}")
    assert "allowed 20 %" in message
    assert "docs/runbooks/canary-failed.md" in message
    assert template(kubectl) == before, "the stable pods were touched"
    assert told(service)["log_level"] == "INFO"
    assert settings_objects(kubectl) > settings, "what the stable pods would start with again is gone"
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}
    # A fifth of the calls, four of five of them failing, for the seconds until it is noticed.
    assert len(calls.failed) <= len(calls.made) / 5
    assert exposed < 90
    noticed(kubectl, "JobFailed")

    def ended() -> bool:
        (job,) = kubectl.items(_JOBS, fieldSelector=f"metadata.name={blind}")
        states = job["status"].get("conditions", [])
        return any(each["type"] == "Failed" and each["status"] == "True" for each in states)

    wait_for(ended, 120, "the analysis without Prometheus has failed")
    last = lines(kubectl, pods(kubectl, blind)[-1])[-1]["msg"]
    assert "Prometheus does not answer" in last
    assert "no call was moved" in last


@pytest.mark.req("C4.10", "R5", "R31")
def test_the_way_back_is_an_ordinary_up_and_outlives_a_killed_analysis(
    caller: Caller, kubectl: Kubectl, up: Up, paths: Paths, service: Service
) -> None:
    refused = pods(kubectl, _JOB)

    def at_work() -> str:
        """The new analysis' pod, once it has moved calls to the canary."""
        new = [pod for pod in pods(kubectl, _JOB) if pod not in refused]
        moved = bool(new) and any(line.get("weight") == _FIRST_STEP for line in lines(kubectl, new[-1]))
        return new[-1] if moved else ""

    with reading(caller) as calls, ThreadPoolExecutor(1) as background:
        running = background.submit(up)
        victim = eventually(lambda: at_work() or (running.done() and "none"), 240, "the analysis has moved calls")
        assert not running.done(), running.result()[1]
        kubectl("delete", "pod", "-n", NAMESPACE, victim, "--grace-period=0", "--force")
        code, said = running.result(timeout=1200)
    assert code == 0, said
    assert victim not in pods(kubectl, _JOB)
    steps = [line["weight"] for line in passed(kubectl)]
    assert steps == [_FIRST_STEP, 50], "the second analysis did not begin at the beginning"
    assert template(kubectl)["variables"]["REFERENCE_LOG_LEVEL"] == "DEBUG"
    assert told(service)["log_level"] == "DEBUG", "the settings of before are back"
    assert len(settings_objects(kubectl)) == 2
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}
    hardly_missed(calls, kubectl)
    said_nothing: list[str] = []
    engine = Engine(paths, STACK, write=said_nothing.append)
    assert engine.preview("--expect-no-changes") == 0, "".join(said_nothing)
