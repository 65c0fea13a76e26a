"""What the offline postgresql plugin says when server or administrator cannot do what is wanted: field and remedy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from local.plugins.common.errors import ResourceError
from local.plugins.postgresql.server import Server
from tests.cluster.node_kit import free_port
from tests.cluster.postgres_kit import ADMIN, ADMIN_PASSWORD, DebianPostgres
from tests.cluster.test_postgresql_plugin import Managed, settings
from tests.cluster.tls_kit import make_authority

_BEGINNING = "error connecting to PostgreSQL server localhost:"


@pytest.fixture
def database(external_database: DebianPostgres) -> DebianPostgres:
    """The database server."""
    return external_database


@pytest.fixture
def server(database: DebianPostgres) -> Iterator[Server]:
    """The server as the administrator of a managed service sees it; cleaned afterwards."""
    yield Server(settings(database, ADMIN), threading.Event())
    database.sql("DROP DATABASE IF EXISTS plugin_old WITH (FORCE)")
    for role in ("plugin_old", "plugin_poor", "plugin_owner"):
        database.sql(f"DROP ROLE IF EXISTS {role}")


@contextmanager
def restarted(database: DebianPostgres, *, tls: bool = True) -> Iterator[None]:
    """The server with what was changed of it, and afterwards with a certificate that is good."""
    database.stop()
    database.start(tls=tls)
    try:
        yield
    finally:
        database.stop()
        database.give_certificate(make_authority("external database"))
        database.start()


def refusal(database: DebianPostgres, **changes: object) -> str:
    """What is said when no connection can be made."""
    with (
        pytest.raises(ResourceError) as refused,
        Server(settings(database, ADMIN, **changes), threading.Event()).reading(),
    ):
        pass
    assert ADMIN_PASSWORD not in str(refused.value)
    return str(refused.value)


@pytest.mark.req("C1.3")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong"}, "password: it is not that of `username`; set the right one"),
        ({"username": "nobody"}, "password: it is not that of `username`; set the right one"),
        ({"host": "127.0.0.1"}, "host: use a name that is in the server's certificate"),
        ({"host": "no-such-host.invalid"}, "host: there is no such name"),
        ({"root_certificate": "/nowhere/ca.pem"}, "sslrootcert: it names no file with certificates"),
        ({"sslmode": "disable"}, "pg_hba.conf refuses this role, this address, or a connection without TLS"),
    ],
)
def test_a_connection_that_is_refused_names_the_field_and_what_to_do(
    database: DebianPostgres, changes: dict[str, object], words: str
) -> None:
    said = refusal(database, **changes)
    assert said.startswith("error connecting to PostgreSQL server ")
    assert words in said


def test_a_port_where_nobody_listens_is_named(database: DebianPostgres) -> None:
    said = refusal(database, port=free_port("127.0.0.1"))
    assert "Connection refused" in said
    assert "host, port: no server listens there" in said


def test_a_server_without_tls_is_no_reason_to_lower_sslmode(database: DebianPostgres) -> None:
    with restarted(database, tls=False):
        said = refusal(database)
    assert "sslmode: the server offers no TLS; turn it on there" in said


def test_an_expired_certificate_is_told_from_one_of_another_authority(database: DebianPostgres) -> None:
    database.give_certificate(make_authority("external database"), valid_for=timedelta(minutes=-1))
    with restarted(database):
        expired = refusal(database)
        other = database.directory / "other.crt"
        other.write_text(database.ca)
    unknown = refusal(database, root_certificate=str(other))
    assert "sslrootcert: the server's certificate has expired; have it renewed there" in expired
    assert "give the certificates (PEM) of the authority that signs the server's" in unknown
    with Server(settings(database, ADMIN), threading.Event()).reading():
        pass


@pytest.mark.parametrize(
    ("kind", "inputs", "words"),
    [
        ("Role", {"name": "plugin_old"}, "error creating role 'plugin_old': role \"plugin_old\" already exists"),
        (
            "Database",
            {"name": "plugin_old"},
            "error creating database 'plugin_old': database \"plugin_old\" already exists",
        ),
    ],
)
def test_what_was_there_before_is_to_be_imported(
    database: DebianPostgres, server: Server, kind: str, inputs: dict[str, object], words: str
) -> None:
    database.sql("CREATE ROLE plugin_old")
    database.sql("CREATE DATABASE plugin_old")
    with pytest.raises(ResourceError) as refused:
        Managed(server, kind, **inputs)
    assert words in str(refused.value)
    assert "take it over with `pulumi import`" in str(refused.value)


def test_an_extension_that_the_server_does_not_have_is_named(database: DebianPostgres, server: Server) -> None:
    Managed(server, "Role", name="plugin_owner")
    made = Managed(server, "Database", name="plugin_old")
    with pytest.raises(ResourceError, match=r"error creating extension 'vector' in 'plugin_old': extension \"vector\""):
        Managed(server, "Extension", name="vector", database="plugin_old")
    with pytest.raises(ResourceError, match="extensions: the server has no such package"):
        Managed(server, "Extension", name="vector", database="plugin_old")
    made.delete()


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("Role", {"name": "plugin_new"}),
        ("Database", {"name": "plugin_new"}),
        (
            "Grant",
            {"role": "plugin_poor", "database": "plugin_old", "objectType": "database", "privileges": ["CONNECT"]},
        ),
    ],
)
def test_an_administrator_with_too_few_rights_is_told_which(
    database: DebianPostgres, server: Server, kind: str, inputs: dict[str, object]
) -> None:
    database.sql(f"CREATE ROLE plugin_poor LOGIN PASSWORD '{ADMIN_PASSWORD}'")
    database.sql("CREATE DATABASE plugin_old")
    poor = Server(settings(database, "plugin_poor"), threading.Event())
    with pytest.raises(ResourceError, match="username: the administrator needs CREATEROLE and CREATEDB"):
        Managed(poor, kind, **inputs)
    assert database.sql("SELECT 1 FROM pg_roles WHERE rolname = 'plugin_new'") == []
    assert database.sql("SELECT 1 FROM pg_database WHERE datname = 'plugin_new'") == []
