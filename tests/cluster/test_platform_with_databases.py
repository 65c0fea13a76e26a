"""A second database beside the first one: made, migrated, entered by its own roles only, and gone again."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from local.paths import Paths
from tests.cluster.conftest import Kubectl
from tests.cluster.migrations_kit import table
from tests.cluster.ops_kit import ops
from tests.cluster.platform_kit import NAMESPACE, STACK, Service, silent_engine

_FILES = "build/migrations-of-orders"
"""A set of this test's own, below the project."""
_JOB = "database-migrations"
_RIGHT, _WRONG = table(2, "lines"), {"0002_lines.up.sql": "CREATE TABLE lines (id int);\nSELECT nothing FROM orders;\n"}
_SET = {
    "0001_orders.up.sql": "CREATE TABLE orders (id serial PRIMARY KEY, what text);",
    "0001_orders.down.sql": "DROP TABLE orders;",
    **_RIGHT,
    **table(3, "notes"),
}


def _second(**migrations: object) -> dict[str, str]:
    """Variables that add the second database."""
    database = {
        "owner": "orders_owner",
        "app_role": "orders_app",
        "read_only_role": "orders_reader",
        "extensions": ["pg_trgm"],
        "migrations": {"directory": _FILES, "after": ["reference"], **migrations},
    }
    return {
        "OMNIBASE__POSTGRES__DATABASES__ORDERS": json.dumps(database),
        "OMNIBASE__POSTGRES__FIRST_DATABASE": "reference",
        "OMNIBASE__POSTGRES__POOLER__POOL_SIZE": "5",
    }


# Runs in a pod of the service, which the network lets through to the poolers.
_CLIENT = """
import json, sys
import psycopg
asked = json.load(sys.stdin)
try:
    with psycopg.connect(sslmode="verify-full", sslrootcert="/run/secrets/database-ca/ca.crt", connect_timeout=10,
                         prepare_threshold=None, **asked["connection"]) as made:
        found = made.execute(asked["statement"])
        print(json.dumps({"rows": [list(map(str, row)) for row in found.fetchall()] if found.description else []}))
except psycopg.Error as error:
    print(json.dumps({"error": str(error)}))
"""


class Client:
    """Statements as one role of the second database."""

    def __init__(self, kubectl: Kubectl, role: str) -> None:
        secret = f"database-role-{role.replace('_', '-')}"
        found = json.loads(kubectl("get", "secret", "-n", NAMESPACE, secret, "-o", "jsonpath={.data}"))
        assert base64.b64decode(found["username"]).decode() == role
        self._kubectl, self._role, self._password = kubectl, role, base64.b64decode(found["password"]).decode()

    def ask(self, statement: str, database: str = "orders", host: str = "rw", *, address: str = "") -> dict[str, Any]:
        """`rows`, or the `error`; through a pooler, unless another address is given."""
        connection = {
            "host": address or f"database-pooler-{host}.{NAMESPACE}.svc.cluster.local",
            "user": self._role,
            "password": self._password,
            "dbname": database,
        }
        words = ("exec", "-i", "-n", NAMESPACE, "deploy/reference", "--", "/usr/bin/python3.13", "-c", _CLIENT)
        shown = self._kubectl(*words, stdin=json.dumps({"connection": connection, "statement": statement}))
        answer: dict[str, Any] = json.loads(shown)
        return answer


def _as_superuser(kubectl: Kubectl, statement: str, database: str = "orders") -> str:
    primary = kubectl("get", "pods", "-n", NAMESPACE, "-l", "cnpg.io/instanceRole=primary", "-o", "name").split()[0]
    words = ("psql", "-v", "ON_ERROR_STOP=1", "-qtAc", statement, database)
    return kubectl("exec", "-n", NAMESPACE, primary, "-c", "postgres", "--", *words).strip()


def _databases(kubectl: Kubectl) -> list[str]:
    return _as_superuser(kubectl, "SELECT datname FROM pg_database", "postgres").split()


def _write(paths: Paths, files: dict[str, str]) -> None:
    directory = paths.root / _FILES
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)


def _template(kubectl: Kubectl) -> dict[str, Any]:
    """The pods of the service, as declared."""
    found: dict[str, Any] = json.loads(kubectl("get", "deploy", "-n", NAMESPACE, "reference", "-o", "json"))
    return dict(found["spec"]["template"])


def _applied(kubectl: Kubectl) -> list[str]:
    return _as_superuser(kubectl, "SELECT name FROM schema_migrations ORDER BY 1").split()


@pytest.fixture(scope="module")
def failed(outputs: dict[str, Any], paths: Paths, kubectl: Kubectl) -> Iterator[str]:
    """What `up` says where the second of three files is wrong, and a setting of the service is another one too;
    afterwards the stack is as it was."""
    before = _template(kubectl)
    _write(paths, {**_SET, **_WRONG})
    engine, said = silent_engine(paths, OMNIBASE__SERVICES__REFERENCE__LOG_LEVEL="INFO", **_second())
    assert engine.up() != 0, said()
    assert _template(kubectl) == before, "the service goes on as it was"
    yield said()
    if "orders" in _databases(kubectl):  # a test failed
        engine, said = silent_engine(paths)
        assert engine.up() == 0, said()
    shutil.rmtree(paths.root / _FILES)


@pytest.fixture(scope="module")
def second(failed: str, paths: Paths, kubectl: Kubectl) -> None:
    """The stack with the second database, its file mended, and the new setting of the service."""
    _write(paths, _RIGHT)
    engine, said = silent_engine(paths, OMNIBASE__SERVICES__REFERENCE__LOG_LEVEL="INFO", **_second())
    assert engine.up() == 0, said()


@pytest.mark.req("C2.3", "P6", "P9")
def test_a_migration_that_fails_in_the_middle_fails_the_update_before_any_service_changes(
    failed: str, service: Service, kubectl: Kubectl
) -> None:
    assert 'database orders: 0002_lines.up.sql:2: column "nothing" does not exist' in failed
    assert _applied(kubectl) == ["0001_orders"]
    assert service.write("beside a migration that failed")[0] in (200, 201)
    done = ops("db", "migrations", "--stack", STACK, "--json")
    assert done.code == 1, done.text
    found = {each["database"]: each for each in json.loads(done.text)["databases"]}
    assert found["reference"]["complete"] is True
    assert (found["orders"]["version"], found["orders"]["pending"]) == (1, ["0002_lines", "0003_notes"])


@pytest.mark.req("C2.3", "C2.11")
def test_what_is_left_runs_when_the_file_is_mended_and_services_change_after_it(second: None, kubectl: Kubectl) -> None:
    lines = kubectl("logs", "-n", NAMESPACE, f"job/{_JOB}")
    assert "0001_orders applied" not in lines
    assert lines.index("orders: 0002_lines applied") < lines.index("orders: 0003_notes applied")
    ended = json.loads(kubectl("get", "job", "-n", NAMESPACE, _JOB, "-o", "jsonpath={.status}"))["completionTime"]
    pods = kubectl.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="app.kubernetes.io/name=reference")
    started = [pod["metadata"]["creationTimestamp"] for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    assert started
    assert all(datetime.fromisoformat(each) >= datetime.fromisoformat(ended) for each in started)
    done = ops("db", "migrations", "--stack", STACK, "--verify", "--json")
    assert done.code == 0, done.text


@pytest.mark.req("C2.1")
def test_the_application_of_a_second_database_writes_rows_and_changes_no_schema(second: None, kubectl: Kubectl) -> None:
    application = Client(kubectl, "orders_app")
    assert application.ask("INSERT INTO orders (what) VALUES ('tea') RETURNING what") == {"rows": [["tea"]]}
    assert "permission denied for schema public" in application.ask("CREATE TABLE mine (id int)")["error"]
    assert "must be owner" in application.ask("DROP TABLE orders")["error"]
    assert application.ask("SELECT extname FROM pg_extension WHERE extname = 'pg_trgm'") == {"rows": [["pg_trgm"]]}


@pytest.mark.req("C2.1")
def test_a_read_only_role_reads_rows_on_both_ways_and_writes_none(second: None, kubectl: Kubectl) -> None:
    Client(kubectl, "orders_app").ask("INSERT INTO orders (what) VALUES ('rice')")
    reader = Client(kubectl, "orders_reader")
    assert reader.ask("SELECT what FROM orders WHERE what = 'rice'")["rows"][0] == ["rice"]
    assert reader.ask("SELECT count(*) FROM orders", host="ro")["rows"]
    assert "permission denied for table orders" in reader.ask("INSERT INTO orders (what) VALUES ('salt')")["error"]


@pytest.mark.req("V14", "V12")
def test_a_migrator_logs_in_from_the_pods_of_its_job_alone(second: None, kubectl: Kubectl) -> None:
    migrator = Client(kubectl, "orders_migrator")
    assert "login rejected" in migrator.ask("SELECT 1")["error"], "the poolers do not know it"
    primary = f"database-rw.{NAMESPACE}.svc.cluster.local"
    # The network has no such arrow; whether that is a refusal or silence is the policy controller's way.
    assert re.search("Connection refused|timeout expired", migrator.ask("SELECT 1", address=primary)["error"])
    with pytest.raises(AssertionError, match=r"pg_hba\.conf rejects connection"):
        _as_superuser(kubectl, "SELECT 1", f"host={primary} dbname=orders user=orders_migrator sslmode=require")


@pytest.mark.req("V14")
def test_an_application_reads_what_ran_and_cannot_change_it(second: None, kubectl: Kubectl) -> None:
    application = Client(kubectl, "orders_app")
    assert application.ask("SELECT count(*) FROM schema_migrations") == {"rows": [["3"]]}
    assert "permission denied" in application.ask("DELETE FROM schema_migrations")["error"]


@pytest.mark.req("C2.3", "R6", "P5")
def test_a_target_version_takes_back_what_is_above_it_and_nothing_above_what_exists_is_taken(
    second: None, paths: Paths, kubectl: Kubectl
) -> None:
    engine, said = silent_engine(paths, **_second(target_version=4))
    assert engine.up() != 0
    assert "databases[orders].migrations: target_version=4: there is no such version; known are 0 to 3" in said()
    assert _applied(kubectl) == ["0001_orders", "0002_lines", "0003_notes"]
    engine, said = silent_engine(paths, OMNIBASE__SERVICES__REFERENCE__LOG_LEVEL="INFO", **_second(target_version=1))
    assert engine.up() == 0, said()
    assert _applied(kubectl) == ["0001_orders"]
    assert "orders: version 1, 2 taken back" in kubectl("logs", "-n", NAMESPACE, f"job/{_JOB}")
    assert Client(kubectl, "orders_app").ask("SELECT what FROM orders WHERE what = 'tea'") == {"rows": [["tea"]]}


@pytest.mark.req("V14", "V12")
@pytest.mark.parametrize("role", ["orders_app", "orders_reader"])
@pytest.mark.parametrize("database", ["reference", "postgres"])
def test_no_role_enters_another_database_than_its_own(second: None, kubectl: Kubectl, role: str, database: str) -> None:
    assert "login rejected" in Client(kubectl, role).ask("SELECT 1", database=database)["error"]


def test_the_first_database_goes_on_as_before(second: None, service: Service) -> None:
    assert service.write("beside a second database")[0] == 201


@pytest.mark.req("C2.1")
def test_a_database_that_is_taken_out_goes_with_the_first_up_although_poolers_hold_connections(
    second: None, paths: Paths, kubectl: Kubectl
) -> None:
    for host in ("rw", "ro"):
        assert Client(kubectl, "orders_app").ask("SELECT 1", host=host) == {"rows": [["1"]]}
    held = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'orders' AND usename = 'orders_app'"
    assert int(_as_superuser(kubectl, held)) >= 1
    engine, said = silent_engine(paths)
    assert engine.up() == 0, said()
    assert "orders" not in _databases(kubectl)
