"""`ops db backups`: what the objects of operator and plugin say together, and when a restore is not certain."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from omnibase_infra.backup.names import report_name
from rich.console import Console

from local.errors import InputError
from local.plugins.kubernetes.client import Client
from local.plugins.kubernetes.kubeconfig import Connection
from ops.db.backups import _show, read_backups, summary

PLUGIN = "barman-cloud.cloudnative-pg.io"
SPACE = "/apis/postgresql.cnpg.io/v1/namespaces/omnibase-dev"
CLUSTER: dict[str, Any] = {
    "metadata": {"name": "database"},
    "spec": {
        "plugins": [
            {"name": PLUGIN, "parameters": {"barmanObjectName": "database-backups", "serverName": "database-2"}}
        ]
    },
    "status": {"conditions": [{"type": "ContinuousArchiving", "status": "True"}]},
}
STORE: dict[str, Any] = {
    "spec": {"configuration": {"destinationPath": "s3://backups/postgres"}},
    "status": {
        "serverRecoveryWindow": {
            "database-1": {"firstRecoverabilityPoint": "2026-11-01T00:00:00Z"},
            "database-2": {
                "firstRecoverabilityPoint": "2026-11-25T00:15:00Z",
                "lastSuccessfulBackupTime": "2026-11-26T11:15:00Z",
            },
        }
    },
}
MADE: list[dict[str, Any]] = [
    {
        "metadata": {"name": name},
        "spec": {"cluster": {"name": cluster}},
        "status": {"phase": phase, "startedAt": started, "error": error},
    }
    for name, cluster, phase, started, error in (
        ("a", "database", "completed", "2026-11-26T10:15:00Z", ""),
        ("b", "database", "failed", "2026-11-26T11:15:00Z", "AccessDenied"),
        ("c", "another", "completed", "2026-11-26T11:15:00Z", ""),
    )
]
GOOD = {"good": True, "finished": 1_795_000_000.0, "rows": 5000, "tables": 3, "restore_seconds": 4.3}


def test_the_archive_that_is_written_to_decides_how_far_back_a_restore_reaches() -> None:
    found = summary(CLUSTER, STORE, MADE, GOOD)
    assert (found.archive, found.first_recoverability_point) == ("database-2", "2026-11-25T00:15:00Z")
    assert [(each.name, each.phase, each.error) for each in found.backups] == [
        ("b", "failed", "AccessDenied"),
        ("a", "completed", ""),
    ]


@pytest.mark.parametrize(
    ("phases", "problems"),
    [
        (["completed", "failed"], ["the newest base backup failed: AccessDenied; docs/runbooks/backup-too-old.md"]),
        (["failed", "completed"], []),
        (["completed", "running"], []),
        (["failed", "running"], ["the newest base backup failed: AccessDenied; docs/runbooks/backup-too-old.md"]),
        ([], []),
    ],
)
def test_the_newest_base_backup_that_has_ended_must_not_have_failed(phases: list[str], problems: list[str]) -> None:
    made = [
        {
            "metadata": {"name": f"backup-{number}"},
            "spec": {"cluster": {"name": "database"}},
            "status": {"phase": phase, "startedAt": f"2026-11-26T1{number}:15:00Z", "error": "AccessDenied"},
        }
        for number, phase in enumerate(phases)
    ]
    assert summary(CLUSTER, STORE, made, GOOD).problems == problems


@pytest.mark.parametrize(
    ("cluster", "store", "drill", "problem"),
    [
        (
            {**CLUSTER, "spec": {}},
            STORE,
            GOOD,
            "database has no backups; set backup.enabled (docs/architecture/backups.md)",
        ),
        (
            CLUSTER,
            {**STORE, "status": {}},
            GOOD,
            "there is no complete base backup; docs/runbooks/backup-too-old.md",
        ),
        (
            {
                **CLUSTER,
                "status": {
                    "conditions": [{"type": "ContinuousArchiving", "status": "False", "message": "exit status 4"}]
                },
            },
            STORE,
            GOOD,
            "the log is not archived: exit status 4; docs/runbooks/log-not-archived.md",
        ),
        (
            CLUSTER,
            STORE,
            {"good": False, "problems": ["table x"]},
            "the newest restore drill was bad: table x; docs/runbooks/restore-drill.md",
        ),
    ],
)
def test_a_restore_that_is_not_certain_is_a_problem(
    cluster: dict[str, Any], store: dict[str, Any], drill: dict[str, Any], problem: str
) -> None:
    assert summary(cluster, store, [], drill).problems == [problem]


def test_people_see_backups_archive_and_drill() -> None:
    text = io.StringIO()
    _show(summary(CLUSTER, STORE, MADE, GOOD), Console(file=text, width=200))
    lines = text.getvalue().splitlines()
    assert lines[0].split("\t")[:3] == ["b", "failed", "2026-11-26T11:15:00Z"]
    assert "archive     database-2 in s3://backups/postgres" in lines
    assert "restorable  from 2026-11-25T00:15:00Z" in lines
    assert lines[-2].startswith("drill       good at ")
    assert lines[-2].endswith("5000 rows in 3 tables, 4 s")
    assert lines[-1] == "problem     the newest base backup failed: AccessDenied; docs/runbooks/backup-too-old.md"


@pytest.fixture
def api() -> Iterator[tuple[Client, dict[str, Any]]]:
    """An API server that answers with what is put into it, and a client for it."""
    answers: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            body = json.dumps(found or {"kind": "Status", "code": 404, "message": "not found"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = Connection(
        context="test", namespace="default", cluster={"server": f"http://127.0.0.1:{server.server_address[1]}"}, user={}
    )
    yield Client(connection, threading.Event()), answers
    server.shutdown()
    server.server_close()


def test_the_api_server_is_asked_for_the_store_that_the_cluster_names_and_for_the_drills_report(
    api: tuple[Client, dict[str, Any]],
) -> None:
    client, answers = api
    pods = "/api/v1/namespaces/omnibase-dev/pods"
    answers |= {
        f"{SPACE}/clusters/database": CLUSTER,
        "/apis/barmancloud.cnpg.io/v1/namespaces/omnibase-dev/objectstores/database-backups": STORE,
        f"{SPACE}/backups": {"items": MADE},
        pods: {"items": [{"metadata": {"name": "report-0"}}]},
        f"{pods}/report-0:8080/proxy/report": GOOD,
    }
    assert read_backups(client, "omnibase-dev", "database") == summary(CLUSTER, STORE, MADE, GOOD)


def test_the_report_is_that_of_the_clusters_own_drill(
    api: tuple[Client, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, answers = api
    further = {**CLUSTER, "metadata": {"name": "analytics-database"}}
    answers |= {
        f"{SPACE}/clusters/analytics-database": further,
        "/apis/barmancloud.cnpg.io/v1/namespaces/omnibase-dev/objectstores/database-backups": STORE,
        f"{SPACE}/backups": {"items": MADE},
    }
    asked = []
    request = client.request

    def noting(*words: Any, **more: Any) -> Any:  # noqa: ANN401 -- whatever the API server says
        asked.append(more.get("query"))
        return {} if words[1].endswith("/pods") else request(*words, **more)

    monkeypatch.setattr(client, "request", noting)
    assert read_backups(client, "omnibase-dev", "analytics-database").drill == {}
    assert {"labelSelector": f"app.kubernetes.io/name={report_name('analytics-database-drill')}"} in asked


def test_a_cluster_that_is_not_there_is_named(api: tuple[Client, dict[str, Any]]) -> None:
    with pytest.raises(InputError, match="there is no PostgreSQL cluster 'database' in omnibase-dev"):
        read_backups(api[0], "omnibase-dev", "database")
