"""The reference service from its image, on a real PostgreSQL behind a real pooler with TLS, all from our images."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.node import Node
from local.paths import Paths
from tests.cluster.images_kit import HARDENED, Answer, Docker, ask
from tests.cluster.node_kit import eventually, wait_for
from tests.cluster.tls_kit import make_authority, make_certificate

DATABASE_PORT, POOLER_PORT, SERVICE_PORT = 15432, 16432, 18090
NAMES = ("reference-test-database", "reference-test-pooler", "reference-test-service")
MIGRATION = "migrations/reference/0001_create_notes"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Database, pooler and service, each a container on the node's loopback."""

    docker: Docker
    images: dict[str, str]
    namespace: Path
    files: Path

    def sql(self, statement: str, database: str = "app") -> str:
        """Run SQL as the superuser, past the pooler."""
        words = (
            "psql",
            "-h",
            "/run/postgresql",
            "-p",
            str(DATABASE_PORT),
            "-v",
            "ON_ERROR_STOP=1",
            "-At",
            "-d",
            database,
        )
        return self.docker("exec", "-i", NAMES[0], *words, stdin=statement)

    def service(self, *changes: str) -> None:
        """Start the service; `changes` are more VARIABLE=value."""
        settings = {
            "RW_HOST": "localhost", "RO_HOST": "localhost", "PORT": str(POOLER_PORT), "NAME": "app", "USER": "app",
            "PASSWORD_FILE": "/etc/files/password", "CA_FILE": "/etc/files/ca.crt", "ATTEMPT_SECONDS": "2",
            "DEADLINE_SECONDS": "90",
        }  # fmt: skip
        variables = [f"REFERENCE_DATABASE_{key}={value}" for key, value in settings.items()]
        variables += [f"REFERENCE_PORT={SERVICE_PORT}", "REFERENCE_ENVIRONMENT=prod", *changes]
        words = [f"--env={variable}" for variable in variables]
        self.docker("rm", "--force", NAMES[2], check=False)
        mount = f"--volume={self.files}:/etc/files:ro"
        self.docker("run", "--detach", f"--name={NAMES[2]}", *HARDENED, mount, *words, self.images["reference"])
        wait_for(self._alive, 30, "the service")

    def ask(self, method: str, path: str, *, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        return ask(self.namespace, SERVICE_PORT, method, path, body=body, headers=headers)

    def logs(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.docker("logs", NAMES[2]).splitlines()]

    def _alive(self) -> bool:
        try:
            return self.ask("GET", "/healthz").status == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def stack(
    node: Node, paths: Paths, image_references: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    files = tmp_path_factory.mktemp("reference")
    files.chmod(0o755)
    docker = Docker(paths=paths)
    made = Stack(
        docker=docker, images=image_references, namespace=Path("/run/netns") / node.plan.name, files=files / "files"
    )
    try:
        _start_database(made, files)
        _start_pooler(made)
        made.service()
        wait_for(lambda: made.ask("GET", "/readyz").status == 200, 30, "the service behind its pooler")
        yield made
    finally:
        docker("rm", "--force", "--volumes", *NAMES, check=False)


def _start_database(stack: Stack, directory: Path) -> None:
    data, run = directory / "data", directory / "run"
    for path in (data, run):
        path.mkdir(mode=0o700)
        stack.docker(
            "run", "--rm", "--user=0:0", f"--volume={path}:/mnt", stack.images["postgres"], "chown", "26:26", "/mnt"
        )
    mounts = (f"--volume={data}:/var/lib/postgresql/data", f"--volume={run}:/run/postgresql", "--tmpfs=/tmp")
    place = ("-D", "/var/lib/postgresql/data/pgdata")
    image = stack.images["postgres"]
    stack.docker(
        "run", "--rm", *HARDENED, *mounts, image, "initdb", *place, "--auth-local=trust", "--auth-host=scram-sha-256"
    )
    settings = ("-c", "listen_addresses=127.0.0.1", "-c", f"port={DATABASE_PORT}", "-c", "fsync=off")
    stack.docker("run", "--detach", f"--name={NAMES[0]}", *HARDENED, *mounts, image, "postgres", *place, *settings)
    ready = ("exec", NAMES[0], "pg_isready", "-h", "/run/postgresql", "-p", str(DATABASE_PORT))
    wait_for(lambda: "accepting" in stack.docker(*ready, check=False), 30, "PostgreSQL")
    stack.sql("CREATE ROLE owner NOLOGIN; CREATE ROLE app LOGIN PASSWORD 'first-password'", "postgres")
    stack.sql("CREATE DATABASE app OWNER owner", "postgres")
    root = stack.docker.paths.root
    tables = (root / f"{MIGRATION}.up.sql").read_text()
    stack.sql(f"SET ROLE owner; {tables} GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO app;")


def _start_pooler(stack: Stack) -> None:
    files = stack.files
    files.mkdir()
    authority = make_authority("reference test")
    make_certificate(authority, "localhost", files)
    (files / "password").write_text("first-password\n")
    (files / "users.txt").write_text('"app" "first-password"\n')
    (files / "pgbouncer.ini").write_text(f"""\
[databases]
app = host=127.0.0.1 port={DATABASE_PORT} dbname=app
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {POOLER_PORT}
unix_socket_dir =
pool_mode = transaction
default_pool_size = 3
server_login_retry = 1
auth_type = scram-sha-256
auth_file = /etc/files/users.txt
client_tls_sslmode = require
client_tls_ca_file = /etc/files/ca.crt
client_tls_cert_file = /etc/files/tls.crt
client_tls_key_file = /etc/files/tls.key
""")
    for file in files.iterdir():
        file.chmod(0o644)  # another user's container reads them; the real ones are projected volumes
    mount = f"--volume={files}:/etc/files:ro"
    words = ("/usr/bin/pgbouncer", "/etc/files/pgbouncer.ini")
    stack.docker(
        "run", "--detach", f"--name={NAMES[1]}", *HARDENED, "--user=998:996", mount, stack.images["postgres"], *words
    )


def _write(stack: Stack, key: str, body: str = "hello") -> Answer:
    return stack.ask("POST", "/notes", body={"body": body}, headers={"Idempotency-Key": key})


def test_a_note_written_through_the_pooler_is_read_through_the_other_endpoint(stack: Stack) -> None:
    written = _write(stack, "first").json()

    answer = stack.ask("GET", f"/notes/{written['id']}")

    assert answer.status == 200
    assert answer.json() == written
    assert stack.sql("SELECT body FROM notes WHERE key = 'first'") == "hello"


def test_a_repeated_write_finds_its_row(stack: Stack) -> None:
    first, second = _write(stack, "again"), _write(stack, "again")

    assert (first.status, second.status) == (201, 200)
    assert first.json() == second.json()


def test_a_key_used_for_another_body_is_refused(stack: Stack) -> None:
    _write(stack, "taken", "one")

    assert _write(stack, "taken", "two").status == 422


def test_simultaneous_writes_with_one_key_make_one_row(stack: Stack) -> None:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(_write(stack, "race").status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [200] * 7 + [201]


def test_pages_follow_each_other(stack: Stack) -> None:
    for number in range(5):
        _write(stack, f"page-{number}")
    first = stack.ask("GET", "/notes?limit=3").json()
    second = stack.ask("GET", f"/notes?limit=3&after={first[-1]['id']}").json()

    ids = [note["id"] for note in first + second]
    assert len(ids) == 6
    assert ids == sorted(set(ids))


def test_an_absent_note_is_not_found(stack: Stack) -> None:
    assert stack.ask("GET", "/notes/999999999").status == 404
    assert stack.ask("GET", "/notes/999999999?fresh=true").status == 404


def test_more_requests_than_server_connections_all_succeed(stack: Stack) -> None:
    """Statements are not prepared, so the pooler may give each transaction another server connection."""
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(_write(stack, f"many-{n}").status)) for n in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [201] * 30


def test_a_restart_of_the_database_loses_and_doubles_no_acknowledged_write(stack: Stack) -> None:
    statuses: list[int] = []

    def write() -> None:
        statuses.append(_write(stack, f"restart-{len(statuses)}").status)

    with ThreadPoolExecutor(1) as background:
        for _ in range(5):
            write()
        restart = background.submit(stack.docker, "restart", "--time=1", NAMES[0])
        while not restart.done():
            write()
        restart.result()
        for _ in range(5):
            write()

    assert set(statuses) == {201}
    assert stack.sql("SELECT count(*) FROM notes WHERE key LIKE 'restart-%'") == str(len(statuses))


def test_while_the_database_is_away_it_lives_but_is_not_ready(stack: Stack) -> None:
    stack.docker("stop", "--time=1", NAMES[0])
    try:
        assert stack.ask("GET", "/healthz").status == 200
        assert stack.ask("GET", "/readyz").status == 503
    finally:
        stack.docker("start", NAMES[0])

    wait_for(lambda: stack.ask("GET", "/readyz").status == 200, 30, "readiness")


@pytest.mark.req("C6.1")
def test_its_log_is_one_object_a_line_and_keeps_secrets(stack: Stack) -> None:
    stack.ask("GET", "/notes?limit=1", headers={"X-Correlation-ID": "log-test"})

    def written() -> bool:
        return any(line["correlation_id"] == "log-test" and line["message"] == "request" for line in stack.logs())

    wait_for(written, 20, "the engine has the request's line")
    lines = stack.logs()
    assert all(line["service"] == "reference" and line["environment"] == "prod" for line in lines)
    assert "first-password" not in json.dumps(lines)


@pytest.mark.req("C6.3")
def test_its_metrics_count_what_it_did(stack: Stack) -> None:
    text = stack.ask("GET", "/metrics").body.decode()

    assert 'http_requests_total{method="POST",route="/notes",status="201"}' in text
    assert 'database_pool_connections{endpoint="rw",state="idle"}' in text


def test_a_pooler_with_another_name_than_its_certificate_is_refused(stack: Stack) -> None:
    stack.service("REFERENCE_DATABASE_RW_HOST=127.0.0.1", "REFERENCE_DATABASE_DEADLINE_SECONDS=1")
    try:
        assert stack.ask("GET", "/readyz").status == 503
        problem = eventually(
            lambda: next((line for line in stack.logs() if line["message"] == "database unavailable"), None),
            20,
            "the reason in the log",
        )
        assert "certificate" in str(problem["error"])
    finally:
        stack.service()


def test_a_rotated_password_needs_no_restart(stack: Stack) -> None:
    stack.sql("ALTER ROLE app PASSWORD 'second-password'")
    (stack.files / "users.txt").write_text('"app" "second-password"\n')
    (stack.files / "password").write_text("second-password\n")
    stack.docker("kill", "--signal=HUP", NAMES[1])  # read the users again
    stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")

    assert _write(stack, "rotated").status == 201


def test_a_stop_lets_running_requests_finish(stack: Stack) -> None:
    """The request waits for a lock when the signal comes."""
    hold = (
        "DO $$ BEGIN LOCK TABLE notes IN EXCLUSIVE MODE; "
        "FOR i IN 1..1800 LOOP EXIT WHEN EXISTS (SELECT FROM pg_class WHERE relname = 'release'); "
        "PERFORM pg_sleep(0.1); END LOOP; END $$"
    )
    holder = threading.Thread(target=lambda: stack.sql(hold))
    holder.start()
    held = "SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' AND relation = 'notes'::regclass AND granted"
    wait_for(lambda: stack.sql(held) == "1", 20, "the table is locked")
    answers: list[int] = []
    request = threading.Thread(target=lambda: answers.append(_write(stack, "last").status))
    request.start()
    wait_for(lambda: stack.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1", 20, "the request waits")

    stop = threading.Thread(target=lambda: stack.docker("stop", "--time=180", NAMES[2]))
    stop.start()
    wait_for(lambda: not stack._alive(), 30, "it was told to stop and takes no more requests")
    assert answers == []
    stack.sql("CREATE TABLE release ()")
    for thread in (request, stop, holder):
        thread.join()

    assert answers == [201]
    assert stack.docker("inspect", "--format={{.State.ExitCode}}", NAMES[2]) == "0"
    stack.service()
