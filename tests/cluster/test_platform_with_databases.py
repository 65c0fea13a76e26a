"""A second database beside the first one: made, entered by its own roles only, and gone again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.paths import Paths
from tests.cluster.conftest import Kubectl
from tests.cluster.platform_kit import NAMESPACE, Service, silent_engine

_SECOND = {
    "OMNIBASE__POSTGRES__DATABASES__ORDERS": (
        "{owner: orders_owner, app_role: orders_app, read_only_role: orders_reader, extensions: [pg_trgm]}"
    ),
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

    def ask(self, statement: str, database: str = "orders", host: str = "rw") -> dict[str, Any]:
        """`rows`, or the `error`."""
        connection = {
            "host": f"database-pooler-{host}.{NAMESPACE}.svc.cluster.local",
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


@pytest.fixture(scope="module")
def second(outputs: dict[str, Any], paths: Paths, kubectl: Kubectl) -> Iterator[None]:
    """The stack with a second database; afterwards as it was."""
    engine, said = silent_engine(paths, **_SECOND)
    assert engine.up() == 0, said()
    # As its migrations will, once they run: as the owner, who cannot log in.
    _as_superuser(kubectl, "SET ROLE orders_owner; CREATE TABLE public.orders (id serial PRIMARY KEY, what text)")
    yield
    if "orders" in _databases(kubectl):  # a test failed
        engine, said = silent_engine(paths)
        assert engine.up() == 0, said()


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
