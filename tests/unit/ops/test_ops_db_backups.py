"""`ops db backups`: what the objects of operator and plugin say together, and when a restore is not certain."""

from __future__ import annotations

import io
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.backup.names import report_name
from omnibase_infra.postgres.backups import store_name
from rich.console import Console

from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import Client
from local.plugins.kubernetes.kubeconfig import Connection
from ops.db import backups as command
from ops.db.access import Place
from ops.db.backups import _show, read_backups, summary
from tests.stacks.support.promtool import PROMTOOL

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
    found = replace(summary(CLUSTER, STORE, MADE, GOOD), archived_up_to="2026-11-26T12:00:07Z")
    _show(found, Console(file=text, width=200))
    lines = text.getvalue().splitlines()
    assert lines[0].split("\t")[:3] == ["b", "failed", "2026-11-26T11:15:00Z"]
    assert "archive     database-2 in s3://backups/postgres" in lines
    assert "restorable  from 2026-11-25T00:15:00Z" in lines
    assert "last backup 2026-11-26T11:15:00Z" in lines
    assert "log         archived up to 2026-11-26T12:00:07Z" in lines
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


def test_a_cluster_that_is_not_there_is_named_and_so_is_where_the_archive_of_one_that_was_would_be(
    api: tuple[Client, dict[str, Any]],
) -> None:
    api[1][f"{SPACE}/clusters"] = {"items": [{"metadata": {"name": "orders-database"}}]}
    with pytest.raises(InputError, match="there is no PostgreSQL cluster 'database' in omnibase-dev") as wrong:
        read_backups(api[0], "omnibase-dev", "database")
    assert wrong.value.hint.startswith("there are: orders-database; ")
    assert wrong.value.hint.endswith("in the store of `backup.target`: docs/runbooks/restore.md")


@pytest.mark.req("R10", "P19")
def test_of_a_cluster_that_is_gone_the_newest_archive_is_shown_and_the_page_that_makes_it_anew(
    api: tuple[Client, dict[str, Any]],
) -> None:
    client, answers = api
    answers |= {
        f"/apis/barmancloud.cnpg.io/v1/namespaces/omnibase-dev/objectstores/{store_name('database')}": STORE,
        f"{SPACE}/backups": {"items": MADE},
        "/api/v1/namespaces/omnibase-dev/pods": {"items": []},
    }
    found = read_backups(client, "omnibase-dev", "database")
    assert (found.archive, found.destination) == ("database-2", "s3://backups/postgres")
    assert (found.first_recoverability_point, found.last_backup) == ("2026-11-25T00:15:00Z", "2026-11-26T11:15:00Z")
    assert found.problems == ["database is gone; docs/runbooks/restore.md makes it anew out of database-2"]


def test_a_store_that_is_not_there_is_no_cluster_that_is_not(api: tuple[Client, dict[str, Any]]) -> None:
    api[1][f"{SPACE}/clusters/database"] = CLUSTER
    with pytest.raises(LocalError, match="database archives to ObjectStore database-backups, which is not there"):
        read_backups(api[0], "omnibase-dev", "database")


class Primary:
    """A server whose archiver says this."""

    def __init__(self, at: float | None) -> None:
        self.at = at

    def execute(self, *_: object) -> Primary:
        return self

    def fetchall(self) -> list[dict[str, float | None]]:
        return [{"at": self.at}]


@pytest.mark.req("R10", "P19")
@pytest.mark.parametrize(
    ("primary", "measured", "said"),
    [
        (1_790_000_000.5, 1_780_000_000, "2026-09-21T14:13:20Z"),
        (None, 1_790_000_000, "2026-09-21T14:13:20Z"),
        (LocalError("database has no primary now"), 1_790_000_000, "2026-09-21T14:13:20Z"),
        (LocalError("database has no primary now"), None, ""),
        (None, LocalError("stack dev has no Prometheus"), ""),
    ],
)
def test_up_to_when_the_log_is_archived_says_the_primary_and_while_it_is_away_prometheus(
    primary: float | LocalError | None, measured: float | LocalError | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def connected(*_: object) -> Iterator[Primary]:
        if isinstance(primary, LocalError):
            raise primary
        yield Primary(primary)

    def ask(path: str, query: Mapping[str, str]) -> dict[str, Any]:
        assert (path, query) == ("query", {"query": command.MEASURED.format(job="database")})
        if isinstance(measured, LocalError):
            raise measured
        return {"result": [] if measured is None else [{"metric": {}, "value": [1_795_000_000, str(measured)]}]}

    monkeypatch.setattr(command, "connected", connected)
    assert command.archived_up_to(Place(stack="dev"), ask) == said


def test_prometheus_knows_it_of_servers_that_are_gone_and_takes_never_for_no_moment(tmp_path: Path) -> None:
    name, file = "cnpg_pg_stat_archiver_last_archived_time", tmp_path / "tests.yml"
    series = [
        {"series": f'{name}{{job="database",pod="database-1"}}', "values": "1790000000x4 stale"},
        {"series": f'{name}{{job="database",pod="database-2"}}', "values": "-1x200"},
        {"series": f'{name}{{job="orders-database",pod="orders-database-1"}}', "values": "1795000000x200"},
    ]
    wanted = {"expr": command.MEASURED.format(job="database"), "eval_time": "2h",
              "exp_samples": [{"labels": "{}", "value": 1_790_000_000}]}  # fmt: skip
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": [wanted]}]
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
