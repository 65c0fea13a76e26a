"""Fetching from an API server: a small real server on loopback answers with literals."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.paths import Paths
from local.stack import Stack
from ops.status.cluster import cluster_documents
from ops.status.report import ClusterDocuments

Answers = dict[str, tuple[int, Any]]
POD = {
    "metadata": {
        "namespace": "omnibase-prod",
        "name": "main-1",
        "labels": {"cnpg.io/podRole": "instance", "cnpg.io/cluster": "main"},
    }
}
CLUSTER = {
    "metadata": {"namespace": "omnibase-prod", "name": "main"},
    "spec": {"monitoring": {"tls": {"enabled": True}}},
}


def listed(*items: object) -> tuple[int, Any]:
    return 200, {"items": list(items)}


def usual() -> Answers:
    apps, core, cnpg = "/apis/apps/v1", "/api/v1", "/apis/postgresql.cnpg.io/v1"
    space = "/namespaces/omnibase-prod"
    return {
        f"{core}/nodes": listed({"metadata": {"name": "node-1"}}),
        f"{core}{space}/pods": listed(POD),
        f"{apps}{space}/deployments": listed({"metadata": {"name": "reference"}}),
        f"{apps}{space}/statefulsets": listed(),
        f"{apps}{space}/daemonsets": listed(),
        f"{cnpg}{space}/clusters": listed(CLUSTER),
        f"{cnpg}{space}/poolers": listed(),
        f"{cnpg}{space}/failoverquorums": listed(),
        f"{core}{space}/pods/https:main-1:9187/proxy/metrics": (200, "cnpg_collector_up 1\n"),
    }


@pytest.fixture
def answers() -> Answers:
    return usual()


@pytest.fixture
def server(answers: Answers) -> Iterator[str]:
    """Address of a server that gives the answers, and 404 for everything else."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            code, content = answers.get(self.path, (404, {"message": "not found"}))
            body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def fetched(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterDocuments:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "theirs", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    paths = Paths(instance="local", root=tmp_path, cache=tmp_path, state=tmp_path)
    stack = Stack(name="prod", path=tmp_path, target="existing", context="theirs", instance="local")
    return cluster_documents(paths, stack, ["omnibase-prod"])


def test_everything_is_fetched_from_the_stacks_namespaces_only(fetched: ClusterDocuments) -> None:
    assert fetched.unavailable == ""
    assert [item["metadata"]["name"] for item in fetched.nodes] == ["node-1"]
    assert [(item["kind"], item["metadata"]["name"]) for item in fetched.workloads] == [("Deployment", "reference")]
    assert fetched.metrics == {"omnibase-prod/main-1": "cnpg_collector_up 1\n"}


class TestWithout:
    """A cluster that lacks something, or does not show it."""

    @pytest.fixture
    def answers(self, request: pytest.FixtureRequest) -> Answers:
        changes: Answers = request.param
        return {**usual(), **changes}

    @pytest.mark.parametrize("answers", [{"/api/v1/nodes": (403, {"message": "no"})}], indirect=True)
    def test_nodes_that_may_not_be_seen_are_left_out(self, fetched: ClusterDocuments) -> None:
        assert (fetched.unavailable, fetched.nodes) == ("", ())

    @pytest.mark.parametrize(
        "answers",
        [
            {
                f"/apis/postgresql.cnpg.io/v1/namespaces/omnibase-prod/{kind}": (404, {})
                for kind in ("clusters", "poolers")
            }
        ],
        indirect=True,
    )
    def test_a_cluster_without_the_database_operator_has_no_databases(self, fetched: ClusterDocuments) -> None:
        assert (fetched.unavailable, fetched.clusters) == ("", ())

    @pytest.mark.parametrize(
        "answers", [{"/api/v1/namespaces/omnibase-prod/pods": (403, {"message": "pods is forbidden"})}], indirect=True
    )
    def test_pods_that_may_not_be_seen_make_the_status_unavailable(self, fetched: ClusterDocuments) -> None:
        assert fetched.unavailable == "the cluster does not answer: pods is forbidden"

    @pytest.mark.parametrize(
        "answers",
        [{"/api/v1/namespaces/omnibase-prod/pods/https:main-1:9187/proxy/metrics": (503, "no endpoints")}],
        indirect=True,
    )
    def test_metrics_that_cannot_be_read_are_absent(self, fetched: ClusterDocuments) -> None:
        assert fetched.metrics == {}
