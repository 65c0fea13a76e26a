"""`ops db migrations`: the pod that is asked, and what is made of its answer."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from omnibase_infra.postgres import databases, migrating
from omnibase_infra.workload import pod_template
from rich.console import Console

from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError
from ops.db import migrations
from ops.db.access import Place
from tests.stacks.support.samples import postgres

GOOD = {"database": "reference", "version": 1, "complete": True, "applied": [], "pending": [], "problems": []}
BEHIND = {**GOOD, "database": "orders", "complete": False, "pending": ["0002_b"], "problems": ["orders: no table"]}


def own_job() -> dict[str, Any]:
    """The Job that PostgresCluster makes, as far as it matters."""
    template = pod_template(
        "database-migrations",
        migrating.job(databases.migrations("database", postgres())),
        {"app.kubernetes.io/name": "x"},
    )
    template["metadata"]["labels"] |= {"batch.kubernetes.io/controller-uid": "1"}
    return {"metadata": {"name": "database-migrations", "namespace": "space"}, "spec": {"template": template}}


class Api:
    """An API server that runs every Job at once, with one end."""

    def __init__(self, said: str, code: int, *, has_job: bool = True) -> None:
        self.said, self.code, self.has_job = said, code, has_job
        self.made: list[dict[str, Any]] = []
        self.deleted: list[str] = []

    def request(self, method: str, path: str, *, query: object = None, body: Any = None) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        if method == "POST":
            self.made.append(body)
            return {"metadata": {"name": body["metadata"]["generateName"] + "abcde"}}
        if method == "DELETE":
            self.deleted.append(path.rpartition("/")[2])
            return {}
        if path.endswith("/pods"):
            ended = {"state": {"terminated": {"exitCode": self.code}}}
            return {"items": [{"metadata": {"name": "pod"}, "status": {"containerStatuses": [ended]}}]}
        if not self.has_job:
            raise ApiError(404, {"message": "not found"}, path)
        return own_job()

    def text(self, path: str) -> str:
        assert path.endswith("/pods/pod/log")
        return self.said


def asked(monkeypatch: pytest.MonkeyPatch, api: Api, **options: bool) -> tuple[int, str]:
    """Exit code and what was printed as JSON."""
    monkeypatch.setattr(migrations, "cluster_client", lambda *_: api)
    printed = io.StringIO()
    code = migrations.migrations(
        Place(stack="dev"), "", verify=options.get("verify", False), as_json=False, console=Console(file=printed)
    )
    return code, printed.getvalue()


def test_the_pod_is_the_runners_own_with_another_command_and_no_mark_of_its_job() -> None:
    own = own_job()
    made = migrations.asking_job(own, ["verify", "--json"])
    theirs, ours = (each["spec"]["template"]["spec"] for each in (own, made))
    assert {**ours["containers"][0], "args": []} == {**theirs["containers"][0], "args": []}
    assert ours["containers"][0]["args"] == ["/etc/omnibase/plan.json", "verify", "--json"]
    assert ours["volumes"] == theirs["volumes"]
    assert made["spec"]["template"]["metadata"]["labels"] == {"app.kubernetes.io/name": "x"}
    assert made["spec"]["backoffLimit"] == 0


def test_where_everything_is_there_it_ends_well_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(json.dumps({"databases": [GOOD]}), 0)
    assert asked(monkeypatch, api) == (0, "reference\t1\t-\t-\n")
    assert api.deleted == ["database-migrations-status-abcde"]


def test_what_is_pending_or_wrong_is_told_and_ends_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = asked(monkeypatch, Api(json.dumps({"databases": [GOOD, BEHIND]}), 1), verify=True)
    assert code == 1
    assert "orders\t1\t0002_b\torders: no table\n" in said


@pytest.mark.parametrize(
    ("said", "code", "kind", "words"),
    [
        ("error: database orders: no connection to x:5432", 1, LocalError, "database orders: no connection"),
        ("error: database 'x' is not in the plan; known are reference", 2, InputError, "known are reference"),
        ("", 137, LocalError, "the runner ended with 137"),
    ],
)
def test_a_runner_that_could_not_say_anything_is_quoted(
    monkeypatch: pytest.MonkeyPatch, said: str, code: int, kind: type[Exception], words: str
) -> None:
    api = Api(said, code)
    with pytest.raises(kind, match=words):
        asked(monkeypatch, api)
    assert api.deleted


def test_without_migrations_the_answer_says_what_makes_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there is no Job omnibase-dev/database-migrations"):
        asked(monkeypatch, Api("", 0, has_job=False))
