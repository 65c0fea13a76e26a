"""What `ops rollback database` asks of Kubernetes and does there; the test plays the API server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.errors import LocalError
from local.plugins.kubernetes.client import ApiError
from ops.rollback.database import live
from ops.rollback.database.live import MEMORY, Servers
from ops.rollback.database.seen import Instance, Seen
from ops.rollback.database.settings import Memory

CLUSTER = "/apis/postgresql.cnpg.io/v1/namespaces/omnibase-dev/clusters/database"
POOLERS = "/apis/postgresql.cnpg.io/v1/namespaces/omnibase-dev/poolers"
POD = "/api/v1/namespaces/omnibase-dev/pods/database-2"
FATAL = json.dumps({"record": {"error_severity": "FATAL", "message": "no"}})
INSTANCE = Instance(name="database-2", uid="u-1", ready=False, primary=False, current=True)


@dataclass
class Server:
    """Plays the API server."""

    cluster: dict[str, Any] = field(default_factory=lambda: {"metadata": {"name": "database", "generation": 3}})
    poolers: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    """Text by whether it is of the container before."""
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    refuses: bool = False

    def request(self, method: str, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- as the client's
        if method == "GET":
            return self.cluster if path == CLUSTER else {"items": self.poolers if path == POOLERS else []}
        self.sent.append((method, path, more["body"]))
        if self.refuses:
            raise ApiError(409, {}, path)
        return {}

    def text(self, path: str) -> str:
        assert path.startswith(f"{POD}/log?container=postgres")
        key = "before" if "previous=true" in path else "now"
        if key not in self.logs:
            raise ApiError(400, {}, path)
        return self.logs[key]

    def servers(self) -> Servers:
        return Servers(client=self, stack="dev", namespace="omnibase-dev", cluster="database")  # type: ignore[arg-type]


def pooler(name: str, cluster: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "generation": 1}, "spec": {"cluster": {"name": cluster}}}


def test_a_look_reads_cluster_its_poolers_and_pods() -> None:
    server = Server(poolers=[pooler("rw", "database"), pooler("ro", "database"), pooler("other", "other-database")])
    server.cluster["spec"] = {"instances": 3}
    found = server.servers().look()
    assert (found.wanted, found.instances, found.phase) == (3, (), "not started")
    assert [each.name for each in found.poolers] == ["ro", "rw"]
    assert server.servers().generation() == 3


def test_what_is_declared_is_another_text_after_a_change_of_the_cluster_or_of_a_pooler() -> None:
    server = Server(poolers=[pooler("rw", "database"), pooler("other", "other-database")])
    texts = [server.servers().declared()]
    for changed in (server.cluster, server.poolers[0], server.poolers[1]):
        changed["metadata"]["generation"] += 1
        texts.append(server.servers().declared())
    assert texts == ["database:3 rw:1", "database:4 rw:1", "database:4 rw:2", "database:4 rw:2"]


@pytest.mark.parametrize(
    ("logs", "words"),
    [({"before": FATAL, "now": ""}, "no"), ({"now": FATAL}, "no"), ({"before": "", "now": FATAL}, "no"), ({}, "")],
)
def test_words_come_from_the_container_that_ended_or_from_the_one_that_runs(logs: dict[str, str], words: str) -> None:
    assert Server(logs=logs).servers().words(INSTANCE) == words


@pytest.mark.parametrize("refuses", [False, True])
def test_only_that_very_pod_is_deleted_and_one_that_is_gone_is_fine(refuses: bool) -> None:
    server = Server(refuses=refuses)
    server.servers().delete(INSTANCE)
    assert server.sent == [("DELETE", POD, {"preconditions": {"uid": "u-1"}})]


def test_what_was_not_healthy_is_remembered_at_the_cluster_until_it_is_forgotten() -> None:
    server, memory = Server(), Memory(rejected=frozenset({"b", "a"}), going_to="c", declared="database:3")
    assert server.servers().memory() == Memory()
    server.servers().remember(memory)
    server.servers().remember(Memory())
    bodies = [body["metadata"]["annotations"][MEMORY] for _, path, body in server.sent if path == CLUSTER]
    assert json.loads(bodies[0])["rejected"] == ["a", "b"]
    assert bodies[1] is None
    server.cluster["metadata"]["annotations"] = {MEMORY: bodies[0]}
    assert server.servers().memory() == memory


def test_a_server_that_does_not_answer_has_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise LocalError("no way to it")

    monkeypatch.setattr(live, "connected", refused)
    seen = Seen(phase="", wanted=1, instances=(INSTANCE,), parameters={"a": "1"})
    assert Server().servers().difference(INSTANCE, seen).unread == ("no answer (no way to it)",)
