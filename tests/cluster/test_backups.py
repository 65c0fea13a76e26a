"""Backups of a database, restores from them, and the drill: with a real store over TLS and real faults.

One small cluster beside the tested stack, made by the engine as users make one. It is restored twice, to a moment and
to a position of the log, by one `up`, while the drill runs.
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from local.paths import Paths
from local.plugins.kubernetes import kubeconfig
from local.plugins.kubernetes.client import Client
from ops.db import access
from ops.db import backups as command
from ops.db.access import Place
from ops.db.backups import read_backups
from ops.rotate import served
from tests.cluster.conftest import Kubectl
from tests.cluster.example_kit import Example, database_backups
from tests.cluster.node_kit import eventually, wait_for

_SPACE, _DB, _AGAIN, _AT = "backups-of-orders", "orders", "orders-again", "orders-at"


@pytest.fixture(scope="module")
def orders(
    paths: Paths, image_references: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Example]:
    """examples/database-backups, deployed once, without the restore."""
    made = database_backups(tmp_path_factory.mktemp("orders"), paths, image_references)
    made.run("up", "--yes", "--skip-preview")
    yield made
    made.run("destroy", "--yes", "--skip-preview")
    made.run("stack", "rm", "--yes")


Query = Callable[[str, str], list[str]]


@pytest.fixture(scope="module")
def sql(kubectl: Kubectl) -> Query:
    """Ask the first server of a cluster as its superuser; the lines of the answer."""

    def ask(cluster: str, query: str) -> list[str]:
        command = ("psql", "-d", "shop", "-At", "-v", "ON_ERROR_STOP=1", "-c", query)
        return kubectl("exec", "-n", _SPACE, f"{cluster}-1", "-c", "postgres", "--", *command).splitlines()

    return ask


def _get(kubectl: Kubectl, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", kind, name, "-n", _SPACE, "-o", "json"))
    return found


def _archiving(kubectl: Kubectl) -> str:
    conditions = _get(kubectl, "cluster", _DB)["status"].get("conditions", [])
    return next((each["status"] for each in conditions if each["type"] == "ContinuousArchiving"), "")


_CLOSE = "SELECT pg_logical_emit_message(true, 'test', 'news'); SELECT pg_walfile_name(pg_switch_wal())"
_WAITS = """SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity')
  AND last_failed_time < now() - interval '5 s', false) FROM pg_stat_archiver"""
"""Whether the archiver gave up: PostgreSQL itself tries again after a minute, or when there is a new file."""


def _archived(sql: Query) -> None:
    """Close the log's file and wait until it is in the store."""
    segment = sql(_DB, _CLOSE)[-1]

    def arrived() -> bool:
        if sql(_DB, _WAITS) == ["t"]:
            sql(_DB, _CLOSE)
        return sql(_DB, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")[0] >= segment

    wait_for(arrived, 60, f"{segment} is archived")


@dataclass(frozen=True, kw_only=True)
class Restores:
    """What the table `events` was at a moment and at a position of the log, what it is now, and the `up` to both."""

    at_moment: list[str]
    at_position: list[str]
    now: list[str]
    done: Future[float]
    """Seconds that it took."""


_EVENTS = "SELECT id, what FROM events ORDER BY id"
_MOMENT = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@pytest.fixture(scope="module")
def restores(orders: Example, sql: Query) -> Iterator[Restores]:
    """Both restores, begun."""
    sql(_DB, "CREATE TABLE events (id int PRIMARY KEY, what text); "
             "INSERT INTO events SELECT n, repeat(md5(n::text), 3) FROM generate_series(1, 1000) n")  # fmt: skip
    at_moment = sql(_DB, _EVENTS)
    orders.config("moment", sql(_DB, _MOMENT)[0])
    sql(_DB, "SELECT pg_sleep(1); UPDATE events SET what = 'second' WHERE id % 3 = 0")
    at_position = sql(_DB, _EVENTS)
    orders.config("position", sql(_DB, "SELECT pg_current_wal_lsn()")[0])
    sql(_DB, "DELETE FROM events WHERE id % 2 = 0; UPDATE events SET what = 'wrong'; "
             "INSERT INTO events VALUES (5001, 'late')")  # fmt: skip
    now = sql(_DB, _EVENTS)
    _archived(sql)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(_up, orders)
        yield Restores(at_moment=at_moment, at_position=at_position, now=now, done=done)


def _up(orders: Example) -> float:
    began = time.monotonic()
    orders.run("up", "--yes", "--skip-preview")
    return time.monotonic() - began


@pytest.mark.req("P19", "V14")
def test_a_new_database_is_backed_up_at_once_and_its_log_is_archived(
    orders: Example, kubectl: Kubectl, sql: Query
) -> None:
    def phase() -> str:
        found = json.loads(kubectl("get", "backups.postgresql.cnpg.io", "-n", _SPACE, "-o", "json"))["items"]
        return str(found[0].get("status", {}).get("phase", "")) if found else ""

    wait_for(lambda: phase() == "completed", 90, lambda: f"the first base backup is complete, but {phase()!r}")
    wait_for(lambda: _archiving(kubectl) == "True", 60, "the log is archived")
    window = _get(kubectl, "objectstores.barmancloud.cnpg.io", f"{_DB}-backups")["status"]["serverRecoveryWindow"]
    assert list(window) == ["orders-1"]
    assert window["orders-1"]["firstRecoverabilityPoint"]


@pytest.mark.req("P19")
def test_a_drill_restores_what_is_there_now_and_says_so_in_metrics(
    restores: Restores, kubectl: Kubectl, sql: Query
) -> None:
    sql(_DB, "CREATE TABLE kept (id int PRIMARY KEY, what text, at timestamptz DEFAULT now()); "
             "INSERT INTO kept (id, what) SELECT n, md5(n::text) FROM generate_series(1, 5000) n; "
             "CREATE TABLE busy (id int PRIMARY KEY, what text); CREATE TABLE enough (); "
             "CREATE TABLE empty (id int); ALTER TABLE kept ENABLE ROW LEVEL SECURITY; ANALYZE")  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(sql, _DB, _WRITER)
        kubectl("create", "job", "drill-now", "-n", _SPACE, f"--from=cronjob/{_DB}-drill-job")
        wait_for(lambda: _ended(kubectl) != "" or "the living cluster at" in _said(kubectl), 90, "rows are compared")
        assert not writing.done(), "it was compared while there was writing"
        sql(_DB, f"INSERT INTO enough DEFAULT VALUES; {_CLOSE}")
        writing.result()
    ended = eventually(lambda: _ended(kubectl), 200, "the drill ended")
    said = _said(kubectl)
    assert ended == "Complete", said
    report = json.loads(said.splitlines()[-1])["report"]
    assert (report["good"], report["problems"]) == (True, [])
    standing = 5000 + len(restores.now)
    assert standing < report["rows"] < standing + _WRITES
    metrics = eventually(lambda: _metrics(kubectl, report["rows"]), 60, "the report is shown")
    assert metrics["restore_drill_good"] == 1
    assert metrics["restore_drill_last_good_timestamp_seconds"] == pytest.approx(report["finished"], abs=1)
    print(f"drill: {report['restore_seconds']:.1f} s to restore, {report['archive_seconds']:.1f} s until archived")


_WRITES = 6000
_WRITER = """DO $$ BEGIN
  FOR number IN 1..6000 LOOP
    INSERT INTO busy VALUES (number, 'new');
    UPDATE busy SET what = 'old' WHERE id = number - 5;
    DELETE FROM busy WHERE id % 7 = 0 AND id = number - 9;
    COMMIT;
    EXIT WHEN EXISTS (SELECT FROM enough);
    PERFORM pg_sleep(0.02);
  END LOOP;
END $$"""
"""Writing, thirty to fifty times a second, until it is enough."""


def _said(kubectl: Kubectl) -> str:
    """What the drill said so far; nothing while its pod starts."""
    return kubectl("logs", "-n", _SPACE, "-l", "batch.kubernetes.io/job-name=drill-now", "--tail=-1", check=False)


def _ended(kubectl: Kubectl) -> str:
    conditions = _get(kubectl, "job", "drill-now").get("status", {}).get("conditions", [])
    return next((each["type"] for each in conditions if each["type"] in ("Complete", "Failed")), "")


def _metrics(kubectl: Kubectl, rows: int) -> dict[str, float]:
    """What the report's pod shows, once it shows a drill of so many rows."""
    pods = kubectl.items(
        f"/api/v1/namespaces/{_SPACE}/pods", labelSelector=f"app.kubernetes.io/name={_DB}-drill-report"
    )
    text = kubectl.raw(f"/api/v1/namespaces/{_SPACE}/pods/{pods[0]['metadata']['name']}:8080/proxy/metrics")
    found = {name: float(value) for name, value in re.findall(r"^(\w+)\{[^}]*\} (\S+)$", text, re.MULTILINE)}
    return found if found.get("restore_drill_rows") == rows else {}


@pytest.mark.req("R10", "P19")
def test_a_restore_to_a_moment_has_every_row_of_before_and_none_of_after(
    restores: Restores, sql: Query, kubectl: Kubectl
) -> None:
    print(f"restored twice in {restores.done.result():.0f} s")
    assert sql(_AGAIN, _EVENTS) == restores.at_moment
    assert sql(_DB, _EVENTS) == restores.now, "the old cluster is as it was"
    assert sql(_AGAIN, "SELECT timeline_id FROM pg_control_checkpoint()") != sql(
        _DB, "SELECT timeline_id FROM pg_control_checkpoint()"
    )
    window = _get(kubectl, "objectstores.barmancloud.cnpg.io", f"{_AGAIN}-backups")
    assert window["spec"]["configuration"]["destinationPath"] == "s3://backups/test"


@pytest.mark.req("R10", "P19")
def test_a_restore_to_a_position_of_the_log_has_what_was_written_before_it(restores: Restores, sql: Query) -> None:
    restores.done.result()
    assert sql(_AT, _EVENTS) == restores.at_position


@pytest.mark.req("P19")
def test_ops_lists_backups_archive_and_drill_of_each_cluster(restores: Restores, paths: Paths) -> None:
    restores.done.result()
    client = Client(kubeconfig.select(kubeconfig.load(str(paths.kubeconfig))), threading.Event())
    found = read_backups(client, _SPACE, _DB)
    assert (found.archive, found.destination, found.archiving) == (f"{_DB}-1", "s3://backups/test", True)
    assert (found.backups[-1].phase, found.drill["good"], found.problems) == ("completed", True, [])
    assert found.first_recoverability_point <= found.last_backup
    other = read_backups(client, _SPACE, _AGAIN)
    assert (other.archive, other.drill) == (f"{_AGAIN}-1", {}), "nobody drills the restored one"


def test_the_command_prints_what_it_found_for_people_and_for_scripts(
    restores: Restores, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    restores.done.result()
    monkeypatch.setattr(command, "stack_namespace", lambda _: _SPACE)
    client = Client(kubeconfig.select(kubeconfig.load(str(paths.kubeconfig))), threading.Event())
    monkeypatch.setattr(command, "cluster_client", lambda *_: client)
    monkeypatch.setattr(access, "stack_namespace", lambda _: _SPACE)
    monkeypatch.setattr(access, "cluster_client", lambda *_: client)
    forwarding = served.Kubectl(command=(str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}"))
    monkeypatch.setattr(served.Kubectl, "of", lambda *_: forwarding)
    place, text = Place(stack="test", cluster=_DB), io.StringIO()
    assert command.backups(place, as_json=False, console=Console(file=text, width=200)) == 0
    said = text.getvalue()
    assert f"archive     {_DB}-1 in s3://backups/test" in said
    assert re.search(r"^restorable  from 20\d\d-\d\d-\d\dT.+$", said, re.MULTILINE)
    assert re.search(r"^last backup 20\d\d-\d\d-\d\dT.+$", said, re.MULTILINE)
    assert re.search(r"^log         archived up to 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$", said, re.MULTILINE)
    assert re.search(r"^drill       good at 20.+: \d+ rows in \d+ tables", said, re.MULTILINE)
    assert command.backups(place, as_json=True, console=Console(file=text)) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["problems"], document["drill"]["good"], document["archiving"]) == ([], True, True)
    assert document["first_recoverability_point"] <= document["last_backup"]


def test_a_store_that_is_gone_is_noticed_and_the_log_follows_when_it_is_back(
    orders: Example, kubectl: Kubectl, sql: Query
) -> None:
    kubectl("scale", "statefulset/store-server", "-n", _SPACE, "--replicas=0")
    try:
        sql(_DB, "INSERT INTO events VALUES (6000, 'while away'); SELECT pg_switch_wal()")
        wait_for(lambda: _archiving(kubectl) == "False", 120, "the cluster says that its log is not archived")
        failed = "SELECT coalesce(last_failed_time > last_archived_time, failed_count > 0) FROM pg_stat_archiver"
        assert sql(_DB, failed) == ["t"], "what the alert reads"
    finally:
        kubectl("scale", "statefulset/store-server", "-n", _SPACE, "--replicas=1")
    kubectl("rollout", "status", "statefulset/store-server", "-n", _SPACE, "--timeout=90s", seconds=100)
    _archived(sql)
    wait_for(lambda: _archiving(kubectl) == "True", 120, "the log is archived again")


def test_wrong_keys_are_said_by_archive_and_backup_and_right_ones_mend_both(
    orders: Example, kubectl: Kubectl, sql: Query
) -> None:
    store = ("objectstores.barmancloud.cnpg.io", f"{_DB}-backups", "-n", _SPACE)
    configuration = _get(kubectl, *store[:2])["spec"]["configuration"]
    kubectl("create", "secret", "generic", "wrong-keys", "-n", _SPACE, "--from-literal=secret-key=not-the-key")
    kubectl("patch", *store, "--type=merge", "-p", _keys({"name": "wrong-keys", "key": "secret-key"}))
    try:
        # the sidecar goes on with what it has read for some seconds
        wait_for(lambda: _refused(kubectl, sql), 120, "the archive is refused with the store's words")
        kubectl("apply", "-f", "-", stdin=json.dumps(_backup("with-wrong-keys")))
        found = eventually(lambda: _phase(kubectl, "with-wrong-keys", "failed"), 60, "the backup failed")
        assert found["error"], found
    finally:
        kubectl("patch", *store, "--type=merge", "-p", _keys(configuration["s3Credentials"]["secretAccessKey"]))
    _archived(sql)
    kubectl("apply", "-f", "-", stdin=json.dumps(_backup("with-right-keys")))
    eventually(lambda: _phase(kubectl, "with-right-keys", "completed"), 90, "the next backup is complete")


def _refused(kubectl: Kubectl, sql: Query) -> bool:
    if sql(_DB, "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'") == ["0"]:
        # one at a time: each file that waits takes seconds to archive, once the keys are right again
        sql(_DB, _CLOSE)
    said = kubectl("logs", "-n", _SPACE, f"{_DB}-1", "-c", "plugin-barman-cloud", "--since=10s")
    return "SignatureDoesNotMatch" in said


def _keys(selector: dict[str, str]) -> str:
    return json.dumps({"spec": {"configuration": {"s3Credentials": {"secretAccessKey": selector}}}})


def _backup(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {"name": name, "namespace": _SPACE},
        "spec": {
            "cluster": {"name": _DB},
            "method": "plugin",
            "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
        },
    }


def _phase(kubectl: Kubectl, name: str, phase: str) -> dict[str, Any]:
    status: dict[str, Any] = _get(kubectl, "backups.postgresql.cnpg.io", name).get("status", {})
    return status if status.get("phase") == phase else {}


def test_a_second_up_changes_nothing(orders: Example) -> None:
    orders.run("preview", "--expect-no-changes")
