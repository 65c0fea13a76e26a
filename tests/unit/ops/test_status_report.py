"""The verdict: healthy only if engine and cluster agree; what cannot be seen is said and never hidden."""

from __future__ import annotations

import datetime
import io
import json
from typing import Any

import pytest
from rich.console import Console

from ops.status.engine import EngineStatus, LastUpdate
from ops.status.render import duration, render
from ops.status.report import Checkout, ClusterDocuments, Report, build_report

NOW = datetime.datetime(2026, 11, 25, 18, 0, tzinfo=datetime.UTC)
DIGEST = "sha256:" + "a" * 64
UPDATE = LastUpdate(
    kind="update", result="succeeded", finished="2026-11-25T17:00:00Z", age_seconds=3600.0, commit="c" * 40, dirty=False
)
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"namespace": "dev", "name": "reference", "generation": 1},
    "spec": {"replicas": 1},
    "status": {"readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1},
}
NODE = {
    "metadata": {"name": "node-1", "creationTimestamp": "2026-11-25T17:00:00Z"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.34.4"}},
}


def engine(**changes: object) -> EngineStatus:
    known: dict[str, Any] = {
        "stack": "dev",
        "resources": 60,
        "last_update": UPDATE,
        "declared": {"dev/Deployment/reference": {"reference": f"r/reference:1@{DIGEST}"}},
        "outputs": {"service_url": "http://reference:8080"},
    }
    return EngineStatus(**{**known, **changes})


def report(engine_: EngineStatus | None = None, **cluster: object) -> Report:
    known: dict[str, Any] = {"nodes": (NODE,), "workloads": (DEPLOYMENT,)}
    documents = ClusterDocuments(**({} if "unavailable" in cluster else known) | cluster)
    return build_report(engine_ or engine(), documents, Checkout(commit="d" * 40, behind=4), NOW)


def text_of(found: Report) -> str:
    console = Console(file=io.StringIO(), width=160, highlight=False)
    render(console, found)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


STATE: dict[str, Any] = {
    "topics": [
        {"dead_letters": 2, "consumers": [{"pending": 4}, {"pending": 1}]},
        {"dead_letters": 0, "consumers": []},
    ]
}


@pytest.mark.req("C7.5")
def test_dead_letters_are_told_and_make_nothing_unhealthy() -> None:
    found = report(buses={"dev": STATE})
    assert "2 topics, 5 events waiting, 2 dead letters: `ops messages --stack dev` says why" in text_of(found)
    assert found.healthy
    assert found.to_dict()["messages"] == ({"namespace": "dev", "topics": 2, "waiting": 5, "dead_letters": 2},)


def test_without_dead_letters_nothing_is_to_be_looked_at() -> None:
    assert "0 topics, 0 events waiting, no dead letters\n" in text_of(report(buses={"dev": {"topics": []}}))


@pytest.mark.req("P9", "R36")
def test_everything_as_declared_is_healthy() -> None:
    found = report()
    assert found.healthy
    assert "verdict  stack dev is healthy" in text_of(found)


def test_an_output_of_many_lines_takes_one() -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END-----\n"
    text = text_of(report(engine(outputs={"certificate_authority": certificate})))
    assert "certificate_authority -----BEGIN CERTIFICATE----- ... (3 lines)" in text
    assert "MIIB" not in text


def test_an_image_that_is_pinned_is_shown_with_the_way_to_release_it() -> None:
    pins = {"reference": "127.0.0.1:5000/omnibase/reference@sha256:" + "a" * 64}
    found = report(engine(outputs={"image_pins": pins}))
    assert found.healthy
    assert f"reference is pinned to {pins['reference']}; `ops rollback image reference --release`" in text_of(found)


@pytest.mark.req("P10")
def test_the_deployed_and_the_newest_commit_are_shown_with_their_distance() -> None:
    text = text_of(report())
    assert "last update succeeded 1h00m ago" in text
    assert "deployed commit cccccccccc, newest dddddddddd, 4 commits behind" in text


@pytest.mark.req("P9")
def test_a_declared_workload_that_is_gone_is_a_problem() -> None:
    found = report(workloads=())
    assert found.problems == (
        "Deployment dev/reference: declared, but not in the cluster: `make refresh STACK=dev` shows it",
    )


@pytest.mark.req("P1", "P9")
@pytest.mark.parametrize("told", [0, 3])
def test_copies_that_somebody_changed_by_hand_are_a_problem_although_all_are_ready(told: int) -> None:
    status = {"readyReplicas": told, "updatedReplicas": told, "observedGeneration": 1}
    scaled = {**DEPLOYMENT, "spec": {"replicas": told}, "status": status}
    found = report(engine(replicas={"dev/Deployment/reference": 1}), workloads=(scaled,))
    assert found.problems == (
        f"Deployment dev/reference: scaled to {told}, declared is 1: "
        "`make refresh STACK=dev` and `make up STACK=dev` put it back",
    )


def test_copies_are_left_to_an_autoscaler_where_the_stack_names_none() -> None:
    scaled = {**DEPLOYMENT, "spec": {"replicas": 2}, "status": {**DEPLOYMENT["status"], "readyReplicas": 2}}
    scaled["status"]["updatedReplicas"] = 2
    assert report(workloads=(scaled,)).problems == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"resources": 0, "declared": {}}, "stack dev has no resources: `make up STACK=dev` deploys it"),
        ({"pending": ("urn:x::a",)}, "interrupted while changing a: `make up STACK=dev` completes it"),
        ({"unavailable": "the engine is not built yet"}, "the engine is not built yet"),
    ],
)
def test_an_unfinished_stack_says_which_command_completes_it(changes: dict[str, Any], problem: str) -> None:
    assert problem in report(engine(**changes)).problems


def test_while_an_engine_works_its_unfinished_state_is_not_called_a_failure() -> None:
    failed = LastUpdate(**{**UPDATE.__dict__, "result": "failed"})
    found = report(engine(last_update=failed, pending=("urn:x::a",), working="pulumi, process 7"))
    assert found.problems == ("not finished: pulumi, process 7",)


def test_a_failed_update_is_a_problem_although_everything_runs() -> None:
    failed = LastUpdate(**{**UPDATE.__dict__, "result": "failed"})
    assert report(engine(last_update=failed)).problems == (
        "the last update ended as failed: `make up STACK=dev` completes it",
    )


def test_a_cluster_that_is_down_is_one_problem_and_not_one_per_workload() -> None:
    found = report(unavailable="the node is not running: `make up` starts it")
    assert found.problems == ("the node is not running: `make up` starts it",)
    assert "not healthy: 1 problem" in text_of(found)


def test_a_node_that_is_not_ready_is_a_problem() -> None:
    down = {**NODE, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
    assert "node node-1 is not ready" in report(nodes=(down,)).problems


@pytest.mark.req("P1")
@pytest.mark.parametrize(("days", "problems"), [(3, 0), (2, 1), (-1, 1)])
def test_the_registrys_certificate_is_shown_and_a_problem_three_days_before_its_end(days: int, problems: int) -> None:
    end = NOW + datetime.timedelta(days=days)
    found = build_report(engine(), ClusterDocuments(), Checkout(), NOW, {"registry": end})
    assert found.certificates == {"registry": end.isoformat()}
    assert f"registry's certificate   until {end:%Y-%m-%d}" in text_of(found)
    said = [problem for problem in found.problems if "certificate registry" in problem]
    assert len(said) == problems
    assert all("`make up STACK=dev` renews it" in problem for problem in said)


def test_the_json_form_holds_the_verdict_and_every_part() -> None:
    document = json.loads(json.dumps(report().to_dict()))
    assert document["healthy"] is True
    assert document["engine"]["last_update"]["result"] == "succeeded"
    assert document["workloads"][0]["name"] == "reference"
    assert document["nodes"][0]["version"] == "v1.34.4"


def test_a_bracket_in_a_message_is_printed_as_it_is() -> None:
    assert "[Errno 111] refused" in text_of(report(unavailable="[Errno 111] refused"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.4, "0s"), (61, "1m01s"), (3600, "1h00m"), (90000, "1d01h")]
)
def test_an_age_is_told_in_its_two_largest_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
