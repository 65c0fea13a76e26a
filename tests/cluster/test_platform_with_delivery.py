"""Delivery in a deployed environment: a good change, a bad one, and what happens to an analysis that is hit."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from local.engine import Engine
from local.node import Node
from local.paths import Paths
from tests.cluster.alerts_kit import noticed
from tests.cluster.conftest import Kubectl
from tests.cluster.gateway_kit import Caller
from tests.cluster.node_kit import wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK

_CANARY, _STABLE, _JOB, _ROUTE = "reference-canary", "reference", "reference-analysis", "notes"
_BLIND = "reference-analysis-blind"
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


@contextmanager
def calling(caller: Caller) -> Iterator[list[tuple[float, int]]]:
    """Callers of the gateway while the block runs; yields time and status of every call."""
    seen: list[tuple[float, int]] = []
    stop, key = threading.Event(), caller.key("operator")

    def loop() -> None:
        while not stop.is_set():
            started = time.monotonic()
            seen.append((started, caller.call("/notes?limit=1", key=key).status))
            stop.wait(0.15)

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)


def weights(kubectl: Kubectl) -> dict[str, int]:
    """Weight of each backend of the service's route."""
    route = json.loads(kubectl("get", "httproute", "-n", NAMESPACE, _ROUTE, "-o", "json"))
    return {backend["name"]: backend["weight"] for backend in route["spec"]["rules"][0]["backendRefs"]}


def move(kubectl: Kubectl, canary: int) -> None:
    """Give the canary a share of the calls, by hand."""
    patch = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": weight}
        for place, weight in enumerate((100 - canary, canary))
    ]
    kubectl("patch", "httproute", "-n", NAMESPACE, _ROUTE, "--type=json", "-p", json.dumps(patch))


def lines(kubectl: Kubectl, job: str) -> list[dict[str, Any]]:
    """What an analysis has logged so far; nothing while it has no pod."""
    text = kubectl("logs", "-n", NAMESPACE, f"job/{job}", "--tail=-1", check=False)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def template(kubectl: Kubectl) -> dict[str, Any]:
    """The stable pods' template."""
    found: dict[str, Any] = json.loads(kubectl("get", "deployment", "-n", NAMESPACE, _STABLE, "-o", "json"))
    variables = {each["name"]: each.get("value") for each in found["spec"]["template"]["spec"]["containers"][0]["env"]}
    return {"variables": variables, "generation": found["metadata"]["generation"]}


_MISSED_SHARE = 0.02
"""On a quiet machine no call fails; while other tests keep both cores busy, up to two of 300 did."""


def failed(seen: list[tuple[float, int]]) -> list[tuple[float, int]]:
    return [each for each in seen if each[1] != 200]


def hardly_missed(seen: list[tuple[float, int]], kubectl: Kubectl) -> None:
    """Assert that callers hardly noticed; otherwise show what the proxies logged of the failed calls."""
    missed = failed(seen)
    print(f"{len(missed)} of {len(seen)} calls failed: {missed}")
    if len(missed) <= len(seen) * _MISSED_SHARE:
        return
    owner = "gateway.envoyproxy.io/owning-gateway-name=gateway"
    log = kubectl("logs", "-n", "envoy-gateway-system", "-l", owner, "-c", "envoy", "--tail=-1", "--since=5m")
    pytest.fail("\n".join([f"failed: {missed}", *(line for line in log.splitlines() if '"status":5' in line)][:20]))


@pytest.mark.req("C7.10")
def test_the_weights_of_a_route_are_the_shares_of_the_calls(
    caller: Caller, kubectl: Kubectl, node: Node, outputs: dict[str, Any]
) -> None:
    def served(service: str) -> float:
        """Calls that the pods behind a service have answered, out of their own metrics."""
        pods = json.loads(
            kubectl("get", "pods", "-n", NAMESPACE, "-l", f"app.kubernetes.io/name={service}", "-o", "json")
        )["items"]
        total = 0.0
        for pod in pods:
            url = f"http://{pod['status']['podIP']}:8080/metrics"
            script = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=5).read().decode())"
            text = node.run([sys.executable, "-c", script]).stdout
            found = re.findall(r'^http_requests_total\{method="GET",route="/notes",.*\} (\S+)$', text, re.MULTILINE)
            total += sum(map(float, found))
        return total

    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}
    key, calls, share = caller.key("operator"), 150, 0.3

    def reaches(canary: bool) -> bool:
        """Whether both proxies have the new weights: none, or some, of thirty calls meet the canary."""
        before = served(_CANARY)
        for _ in range(30):
            caller.call("/notes?limit=1", key=key)
        return (served(_CANARY) > before + 3) == canary

    try:
        move(kubectl, 30)
        wait_for(lambda: reaches(True), 60, "the canary gets calls")
        before = {service: served(service) for service in (_STABLE, _CANARY)}
        seen = [(time.monotonic(), caller.call("/notes?limit=1", key=key).status) for _ in range(calls)]
        got = {service: served(service) - before[service] for service in before}
    finally:
        move(kubectl, 0)
    print(f"of {calls} calls at 70/30: {got}")
    hardly_missed(seen, kubectl)
    assert got[_STABLE] + got[_CANARY] >= calls - len(failed(seen))
    # Five standard deviations of a fair share: about one failure in a million runs.
    assert abs(got[_CANARY] - calls * share) < 5 * math.sqrt(calls * share * (1 - share))


@pytest.mark.req("C4.10", "P14")
def test_weights_that_somebody_left_off_are_noticed(caller: Caller, kubectl: Kubectl) -> None:
    move(kubectl, 30)
    try:
        with calling(caller):
            print(f"noticed after {noticed(kubectl, 'RolloutWeightsOff'):.0f} s")
    finally:
        move(kubectl, 0)
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}


@pytest.mark.req("R3", "C7.10")
def test_a_good_change_goes_through_the_steps_and_hardly_a_call_fails(caller: Caller, kubectl: Kubectl, up: Up) -> None:
    with calling(caller) as seen:
        code, said = up(LOG_LEVEL="INFO")
    assert code == 0, said
    steps = [line for line in lines(kubectl, _JOB) if line["msg"] == "step passed"]
    print(f"{len(seen)} calls, {[(line['weight'], line['canary_requests'], line['probes']) for line in steps]}")
    assert [line["weight"] for line in steps] == [20, 50]
    assert sum(line["canary_requests"] for line in steps) > 0
    assert "is proven" in lines(kubectl, _JOB)[-1]["msg"]
    assert template(kubectl)["variables"]["REFERENCE_LOG_LEVEL"] == "INFO"
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}
    hardly_missed(seen, kubectl)


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
    caller: Caller, kubectl: Kubectl, up: Up, blind: str
) -> None:
    before = template(kubectl)
    with calling(caller) as seen:
        code, said = up(LOG_LEVEL="INFO", FAULTS__ERROR_PERCENT="80")
    assert code not in (0, None), said
    message = next(line for line in said.splitlines() if "is refused: at 20 % of the calls" in line)
    print(f"{len(failed(seen))} of {len(seen)} calls failed: {message.strip()}")
    assert "allowed 20 %" in message
    assert "docs/runbooks/canary-failed.md" in message
    assert template(kubectl) == before, "the stable pods were touched"
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}
    # A fifth of about twelve calls a second, four of five of them failing, for the seconds until it is noticed.
    assert len(failed(seen)) <= min(30, len(seen) / 5)
    assert [status for _, status in seen[-10:]] == [200] * 10
    noticed(kubectl, "JobFailed")

    def ended() -> bool:
        state = json.loads(kubectl("get", "job", "-n", NAMESPACE, blind, "-o", "json"))["status"]
        return any(each["type"] == "Failed" and each["status"] == "True" for each in state.get("conditions", []))

    wait_for(ended, 120, "the analysis without Prometheus has failed")
    last = lines(kubectl, blind)[-1]["msg"]
    assert "Prometheus does not answer" in last
    assert "no call was moved" in last


@pytest.mark.req("C4.10", "R31")
def test_the_way_back_is_an_ordinary_up_and_outlives_a_killed_analysis(
    caller: Caller, kubectl: Kubectl, up: Up, paths: Paths
) -> None:
    def pods() -> list[str]:
        text = kubectl(
            "get", "pods", "-n", NAMESPACE, "-l", f"job-name={_JOB}", "-o", "jsonpath={.items[*].metadata.name}"
        )
        return text.split()

    refused = pods()

    def at_work() -> bool:
        return bool(set(pods()) - set(refused)) and any(line.get("weight") == 20 for line in lines(kubectl, _JOB))

    with calling(caller) as seen, ThreadPoolExecutor(1) as background:
        running = background.submit(up)
        wait_for(lambda: running.done() or at_work(), 240, "the analysis has moved calls")
        assert not running.done(), running.result()[1]
        (victim,) = set(pods()) - set(refused)
        kubectl("delete", "pod", "-n", NAMESPACE, victim, "--grace-period=0", "--force")
        code, said = running.result(timeout=400)
    assert code == 0, said
    assert victim not in pods()
    steps = [line["weight"] for line in lines(kubectl, _JOB) if line["msg"] == "step passed"]
    assert steps == [20, 50], "the second analysis did not begin at the beginning"
    assert template(kubectl)["variables"]["REFERENCE_LOG_LEVEL"] == "DEBUG"
    assert weights(kubectl) == {_STABLE: 100, _CANARY: 0}
    hardly_missed(seen, kubectl)
    said_nothing: list[str] = []
    engine = Engine(paths, STACK, write=said_nothing.append)
    assert engine.preview("--expect-no-changes") == 0, "".join(said_nothing)
