"""What a rollback reads from the cluster, with the answers of an API server that the test plays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local.plugins.kubernetes.client import ApiError
from ops.rollback.history import REJECTED
from ops.rollback.live import Live

REPOSITORY = "127.0.0.1:5000/omnibase/reference"
OLD, NEW = (f"sha256:{letter * 64}" for letter in "ab")


def pod(name: str, digest: str, *, service: str = "reference", ready: bool = True, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- parts of a pod
    status = {
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [
            {"name": "main", "restartCount": more.get("restarts", 0), "state": more.get("state", {})}
        ],
    }
    metadata: dict[str, Any] = {"name": name, "labels": {"app.kubernetes.io/name": service}}
    if more.get("leaving"):
        metadata["deletionTimestamp"] = "2026-03-01T10:00:00Z"
    return {"metadata": metadata, "spec": {"containers": [{"image": f"{REPOSITORY}@{digest}"}]}, "status": status}


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


@dataclass
class Server:
    """Plays the API server: lists by the last word of the path."""

    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    """Answer of Prometheus by a word of the question."""
    patched: list[tuple[str, object]] = field(default_factory=list)
    gone: str = ""

    def request(self, method: str, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- as the client's
        if method == "PATCH":
            if self.gone and path.endswith(self.gone):
                raise ApiError(404, {}, path)
            self.patched.append((path, more["body"]))
            return {}
        if "monitoring" in path:
            return {"items": [{"metadata": {"name": "prometheus-0"}}] if self.answers else []}
        return {"items": self.lists.get(path.rpartition("/")[2], [])}

    def text(self, path: str) -> str:
        (query,) = parse_qs(urlsplit(path).query)["query"]
        return next(answer for word, answer in self.answers.items() if word in query)

    def live(self) -> Live:
        return Live(client=self, namespace="omnibase-dev", services=("reference",))  # type: ignore[arg-type]  # plays


def deployment(digest: str, replicas: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"name": "reference", "generation": 2},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"image": f"{REPOSITORY}@{digest}"}]}}},
        "status": {"observedGeneration": 2},
    }


def test_a_rollout_is_finished_when_all_pods_of_the_digest_are_ready_and_no_others_are_left() -> None:
    server = Server({"deployments": [deployment(NEW, 2)], "pods": [pod("new-1", NEW), pod("new-2", NEW)]})
    assert server.live().seen(NEW).unfinished == ()
    server.lists["pods"] += [pod("old-1", OLD, leaving=True), pod("canary", OLD, service="reference-canary")]
    assert server.live().seen(NEW).unfinished == (), "what leaves and what is no copy of the service does not count"
    server.lists["pods"] += [pod("old-2", OLD)]
    assert server.live().seen(NEW).unfinished == ("reference: 1 pods with another digest still run",)
    server.lists["pods"] = [pod("new-1", NEW, ready=False)]
    assert server.live().seen(NEW).unfinished == (f"reference: 0 of 2 pods with {NEW[:19]} ready",)


@pytest.mark.parametrize(
    ("reason", "restarts", "hopeless"),
    [
        ("CrashLoopBackOff", 1, False),
        ("CrashLoopBackOff", 2, True),
        ("ImagePullBackOff", 0, True),
        ("ContainerCreating", 5, False),
    ],
)
@pytest.mark.parametrize("service", ["reference", "reference-canary"])
def test_a_pod_of_the_target_that_cannot_start_ends_the_attempt(
    reason: str, restarts: int, hopeless: bool, service: str
) -> None:
    broken = pod("new-1", NEW, service=service, ready=False, restarts=restarts, state=waiting(reason))
    server = Server({"pods": [broken]})
    assert bool(server.live().hopeless(NEW)) is hopeless
    assert server.live().hopeless(OLD) == "", "pods of other digests do not decide"


def test_references_are_those_of_ready_pods_and_of_the_deployments() -> None:
    server = Server(
        {"deployments": [deployment(NEW)], "pods": [pod("a", OLD), pod("b", OLD), pod("c", NEW, ready=False)]}
    )
    assert server.live().ready_images(REPOSITORY) == [f"{REPOSITORY}@{OLD}"]
    assert server.live().asked_images(REPOSITORY) == [f"{REPOSITORY}@{NEW}"]
    assert server.live().ready_images("127.0.0.1:5000/omnibase/other") == []


def test_a_mark_is_set_taken_away_and_no_condition() -> None:
    server = Server(gone="reference-2")
    server.live().reject(["reference-1", "reference-2"], "was not healthy")
    server.live().reject(["reference-1"], "")
    place = "/apis/apps/v1/namespaces/omnibase-dev/replicasets/reference-1"
    assert server.patched == [
        (place, {"metadata": {"annotations": {REJECTED: "was not healthy"}}}),
        (place, {"metadata": {"annotations": {REJECTED: None}}}),
    ]


def test_requests_are_counted_by_pod_with_those_that_failed() -> None:
    results = ",".join(
        f'{{"metric": {{"pod": "{name}", "status": "{status}"}}, "value": [1, "{count}"]}}'
        for name, status, count in [("a", "200", 90), ("a", "503", 10), ("b", "404", 5)]
    )
    server = Server(answers={"by (pod, status)": f'{{"data": {{"result": [{results}]}}}}'})
    assert server.live().counts("reference") == {"a": (100.0, 10.0), "b": (5.0, 0.0)}
    assert Server().live().counts("reference") is None, "without Prometheus nothing is known"


@pytest.mark.parametrize(("result", "share"), [('[{"metric": {}, "value": [1, "0.25"]}]', 0.25), ("[]", None)])
def test_the_share_before_is_none_without_requests(result: str, share: float | None) -> None:
    server = Server(answers={"[5m]": f'{{"data": {{"result": {result}}}}}'})
    assert server.live().share_before("reference") == share
