"""The life of the reference service's sessions on a real PostgreSQL: seen by request, over a restart, until SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ops.db.access import Row, opened
from ops.db.sessions import read_sessions
from tests.cluster.node_kit import free_port, wait_for
from tests.cluster.notes_kit import notes_database
from tests.cluster.postgres_kit import ADMIN_PASSWORD, SUPERUSER, DebianPostgres

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "sessions"
APP = f"{DATABASE}_app"
SESSIONS = "SELECT {} FROM pg_stat_activity WHERE usename = 'sessions_app'"


class Running:
    """A process of the service."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.address = process, f"http://127.0.0.1:{port}"

    def write(self, identity: str) -> int:
        """Store a note; the status of the answer."""
        headers = {"X-Correlation-ID": identity, "Idempotency-Key": identity}
        return httpx.post(f"{self.address}/notes", json={"body": "text"}, headers=headers, timeout=60).status_code

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def running(external_database: DebianPostgres, tmp_path: Path) -> Iterator[Running]:
    with notes_database(external_database, DATABASE, tmp_path) as given:
        port = free_port()
        variables = {f"REFERENCE_{key.upper()}": str(value) for key, value in {**given, "port": port}.items()}
        with subprocess.Popen(
            [sys.executable, "-m", "services.reference"], cwd=ROOT, env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                found = Running(process, port)
                wait_for(found.answers, 60, lambda: "the service answers")
                yield found
            finally:
                process.kill()


@contextmanager
def locked(server: DebianPostgres) -> Iterator[None]:
    """Nobody can write notes until the block ends."""
    with server.connect(SUPERUSER, ADMIN_PASSWORD, DATABASE) as connection, connection.transaction():
        connection.execute("LOCK TABLE notes")
        yield


def waiting(server: DebianPostgres) -> list[Row]:
    """The service's sessions that somebody is in the way of."""
    with opened(host=server.host, port=server.port, authority=server.ca, role=SUPERUSER, password=ADMIN_PASSWORD,
                database="postgres") as connection:  # fmt: skip
        return [row for row in read_sessions(connection, DATABASE) if row["role"] == APP and row["blocked_by"]]


@pytest.mark.req("C6.2", "C2.7")
def test_a_request_that_waits_is_known_by_its_id_and_answered_before_the_process_ends(
    external_database: DebianPostgres, running: Running
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with locked(external_database):
            answer: Future[int] = pool.submit(running.write, "request-1")
            wait_for(lambda: bool(waiting(external_database)), 30, lambda: "the request waits")
            (session,) = waiting(external_database)
            running.process.send_signal(signal.SIGTERM)
            wait_for(lambda: not running.answers(), 30, lambda: "no new request is taken")
        assert answer.result() == 201
    assert (session["correlation_id"], session["application"]) == ("request-1", "reference")
    assert session["statement"].startswith("INSERT INTO notes")
    # the web server ends by the signal that it was given, once it has answered and closed everything
    assert running.process.wait(timeout=60) == -signal.SIGTERM
    assert external_database.sql(SESSIONS.format("count(*)")) == [(0,)]


@pytest.mark.req("C2.2", "C2.5")
def test_sessions_that_are_cut_off_are_made_again_without_an_error(
    external_database: DebianPostgres, running: Running
) -> None:
    for number in range(3):
        assert running.write(f"request-{number}") == 201
        external_database.sql(SESSIONS.format("pg_terminate_backend(pid)"))
    assert running.write("request-2") == 200, "the same key is the same note"


@pytest.mark.req("C2.2", "C2.5")
def test_a_request_is_carried_over_a_restart_of_the_server(external_database: DebianPostgres, running: Running) -> None:
    external_database.stop()
    with ThreadPoolExecutor(1) as pool:
        answer: Future[int] = pool.submit(running.write, "request-1")
        external_database.start()
        assert answer.result() == 201
    assert external_database.sql("SELECT key FROM notes", DATABASE) == [("request-1",)]


def test_a_database_that_stays_away_is_said_in_time(external_database: DebianPostgres, running: Running) -> None:
    external_database.stop()
    try:
        assert running.write("request-1") == 503
    finally:
        external_database.start()
