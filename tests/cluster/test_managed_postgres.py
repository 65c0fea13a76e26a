"""An external PostgreSQL through the real engine, as the administrator of a managed service would run it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from omnibase_infra import ManagedDatabaseArgs, ManagedPostgresArgs
from omnibase_infra.postgres import Connection, connection_files, migrating
from omnibase_infra.postgres.managed import rights
from pulumi import Output

from tests.cluster.example_kit import Example, copy_example, own_engine
from tests.cluster.migrations_kit import World
from tests.cluster.postgres_kit import ADMIN, ADMIN_PASSWORD, HOST, DebianPostgres
from tests.cluster.tls_kit import make_authority, make_certificate

_NO_CHANGES = "--expect-no-changes"
_APP, _OWNER, _DATABASE = "orders_app", "orders_owner", "orders"
_READER, _MIGRATOR, _MONITOR = "orders_reader", "orders_migrator", "orders_monitor"


def _databases(*extensions: str) -> str:
    """Two databases of one server, the first with every role that there can be."""
    orders = {
        "owner": _OWNER,
        "app_role": _APP,
        "read_only_role": _READER,
        "migrator_role": _MIGRATOR,
        "extensions": list(extensions),
    }
    return json.dumps({_DATABASE: orders, "orders_log": {"owner": "orders_log_owner", "app_role": "orders_log_app"}})


@pytest.fixture(scope="module")
def server(external_database: DebianPostgres) -> DebianPostgres:
    """The database server."""
    return external_database


@pytest.fixture(scope="module")
def orders(server: DebianPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """The example, deployed once."""
    directory = tmp_path_factory.mktemp("managed")
    made = copy_example("managed-postgres", directory, own_engine(directory))
    settings = {
        "host": HOST,
        "port": str(server.port),
        "ca": str(server.directory / "tls" / "ca.crt"),
        "administrator": ADMIN,
        "databases": _databases("pgcrypto", "pg_trgm"),
        "firstDatabase": _DATABASE,
        "monitorRole": _MONITOR,
    }
    for key, value in settings.items():
        made.config(key, value)
    made.config("administratorPassword", ADMIN_PASSWORD, secret=True)
    made.run("up", "--yes", "--skip-preview")
    yield made
    made.run("destroy", "--yes", "--skip-preview")
    assert not _names(server), "the destroyed stack left something"


@pytest.fixture
def login(server: DebianPostgres, orders: Example) -> Callable[[], psycopg.Connection[tuple[Any, ...]]]:
    """Connects as the application does, with what the stack says."""

    def connect() -> psycopg.Connection[tuple[Any, ...]]:
        told = orders.outputs()
        assert (told["rw_host"], told["port"], told["sslmode"]) == (HOST, server.port, "verify-full")
        return server.connect(str(told["user"]), str(told["password"]), str(told["database"]))

    return connect


def _names(server: DebianPostgres) -> list[str]:
    found = server.sql("SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database")
    return sorted(str(row[0]) for row in found if "orders" in str(row[0]))


def _migrate(server: DebianPostgres) -> None:
    """What a migration does: the owner makes a table."""
    statement = f"SET ROLE {_OWNER}; CREATE TABLE IF NOT EXISTS notes (id bigserial PRIMARY KEY, body text)"
    server.sql(statement, _DATABASE)


@pytest.mark.req("C2.6")
def test_the_application_reads_and_writes_rows_and_nothing_else(
    server: DebianPostgres, login: Callable[[], psycopg.Connection[tuple[Any, ...]]]
) -> None:
    _migrate(server)
    with login() as connection:
        connection.execute("INSERT INTO notes (body) VALUES ('one')")
        connection.execute("UPDATE notes SET body = 'two'")
        assert connection.execute("SELECT body FROM notes").fetchall() == [("two",)]
        for statement in (
            "CREATE TABLE mine (id int)", "DROP TABLE notes", "ALTER TABLE notes ADD COLUMN more int",
            "TRUNCATE notes", "CREATE SCHEMA mine", f"SET ROLE {_OWNER}", "CREATE TEMPORARY TABLE mine (id int)",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # the statements of the list


@pytest.mark.req("C2.3")
def test_migrations_run_as_the_migrator_who_is_nothing_but_the_owner_and_the_reader_reads_what_they_make(
    server: DebianPostgres, orders: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = orders.outputs()["passwords"]
    migrator = server.connect(_MIGRATOR, passwords[_MIGRATOR], _DATABASE)
    with migrator, pytest.raises(psycopg.errors.InsufficientPrivilege):
        migrator.execute("CREATE TABLE public.migrated (id int)")
    (tmp_path / "password").write_text(passwords[_MIGRATOR])
    up = "CREATE TABLE migrated (id int); INSERT INTO migrated VALUES (1);"
    files = {"0001_migrated.up.sql": up, "0001_migrated.down.sql": "DROP TABLE migrated;"}
    # as the Job has it, at the places of this machine; its host is a variable of the pod
    settings: ManagedDatabaseArgs = {
        "owner": _OWNER, "app_role": _APP, "read_only_role": _READER, "migrations": {"files": files},
    }  # fmt: skip
    sets = rights.migrated(cast(ManagedPostgresArgs, {"databases": {_DATABASE: settings}}))
    planned = migrating.plan(sets, Output.from_input(HOST), server.port)["databases"][_DATABASE]
    places = {"password_file": str(tmp_path / "password"), "ca_file": str(server.directory / "tls" / "ca.crt")}
    planned |= {"connection": {**planned["connection"], **places}, "directory": _DATABASE}
    world = World(server, tmp_path, databases={_DATABASE: planned})
    world.write(_DATABASE, files)
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")
    assert f"no connection to elsewhere.invalid:{server.port} as {_MIGRATOR}" in world.run("apply", code=1)
    monkeypatch.setenv("PGHOST", HOST)
    assert "rights given" not in world.run("apply"), "what the provider gave is all that the runner wants"
    with server.connect(_READER, passwords[_READER], _DATABASE) as reader:
        assert reader.execute("SELECT id FROM public.migrated").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("DELETE FROM public.migrated")


def test_no_role_enters_another_database_and_the_monitor_reads_no_rows(server: DebianPostgres, orders: Example) -> None:
    passwords = orders.outputs()["passwords"]
    for role, database in ((_APP, "orders_log"), ("orders_log_app", _DATABASE), (_READER, "orders_log")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            server.connect(role, passwords[role], database)
    _migrate(server)
    with server.connect(_MONITOR, passwords[_MONITOR], _DATABASE) as monitor:
        assert monitor.execute(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        ).fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            monitor.execute("SELECT * FROM public.notes")


@pytest.mark.req("C2.8")
def test_libpq_connects_by_the_files_that_consumers_are_given(
    server: DebianPostgres, orders: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = orders.outputs()
    place = tmp_path / _DATABASE
    place.mkdir()
    it = Connection(database=_DATABASE, user=_APP, endpoints={"rw": HOST}, directory=str(place), port=server.port)
    for name, text in connection_files(it, told["passwords"][_APP], server.ca).items():
        (place / name).write_text(text)
    monkeypatch.setenv("PGSERVICEFILE", str(place / "pg_service.conf"))
    for words in (f"service={_DATABASE}", f"service={_DATABASE}-rw", (place / "url").read_text()):
        with psycopg.connect(words) as connection:
            found = connection.execute("SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert found.fetchone() == (_APP, True)
    make_certificate(make_authority("another"), HOST, place)
    with pytest.raises(psycopg.OperationalError, match="SSL error"):
        psycopg.connect((place / "url").read_text())


def test_roles_and_grants_are_those_of_the_cluster_in_kubernetes(server: DebianPostgres, orders: Example) -> None:
    roles = dict(server.sql("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'orders%'"))
    logins = (_APP, _READER, _MIGRATOR, _MONITOR, "orders_log_app")
    assert roles == {_OWNER: False, "orders_log_owner": False, **dict.fromkeys(logins, True)}
    acl = server.sql(
        "SELECT a.grantee::regrole::text, a.privilege_type FROM pg_database d, aclexplode(d.datacl) a "
        "WHERE datname = 'orders' AND a.grantee::regrole::text <> 'orders_owner' ORDER BY 1"
    )
    assert acl == [(role, "CONNECT") for role in (_APP, _MIGRATOR, _READER, "pg_monitor")]
    assert server.sql(f"SELECT has_schema_privilege('{_APP}', 'public', 'CREATE')", _DATABASE) == [(False,)]
    extensions = {str(row[0]) for row in server.sql("SELECT extname FROM pg_extension", _DATABASE)}
    assert extensions == {"plpgsql", "pgcrypto", "pg_trgm"}
    # what the administrator lent itself for a moment is given back
    members = server.sql(
        "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'rds_admin'::regrole AND set_option "
        "AND roleid::regrole::text LIKE 'orders%' ORDER BY 1"
    )
    assert members == [("orders_log_owner",), (_OWNER,)]


def test_no_password_is_in_the_servers_log_or_readable_in_the_state(server: DebianPostgres, orders: Example) -> None:
    password = str(orders.outputs()["password"])
    assert len(password) == 64
    assert password not in server.log
    assert "CREATE ROLE" in server.log, "statements are logged, so a password in one would show"
    assert password not in orders.state()
    assert ADMIN_PASSWORD not in orders.state()


@pytest.mark.req("C1.10")
def test_a_second_up_changes_nothing(orders: Example) -> None:
    orders.run("preview", _NO_CHANGES)
    orders.run("up", "--yes", "--skip-preview", _NO_CHANGES)
    orders.run("refresh", "--yes", "--skip-preview", _NO_CHANGES)


def test_what_somebody_changed_by_hand_is_shown_and_repaired(server: DebianPostgres, orders: Example) -> None:
    defaults = f"ALTER DEFAULT PRIVILEGES FOR ROLE {_OWNER} IN SCHEMA public"
    by_hand = {
        "orders-app-database": f"REVOKE CONNECT ON DATABASE {_DATABASE} FROM {_APP}",
        "orders-everybody-database": f"GRANT CONNECT ON DATABASE {_DATABASE} TO PUBLIC",
        "orders-owner": f"ALTER ROLE {_OWNER} LOGIN",
        "orders-app-tables": f"{defaults} REVOKE ALL ON TABLES FROM {_APP}",
    }
    for statement in by_hand.values():
        server.sql(statement, _DATABASE)
    refreshed = orders.run("refresh", "--yes", "--skip-preview", _NO_CHANGES, code=7)
    assert [name for name in by_hand if name not in refreshed.text] == []
    orders.run("refresh", "--yes", "--skip-preview")
    repaired = orders.run("up", "--yes", "--skip-preview", "--diff")
    assert [name for name in by_hand if name not in repaired.text] == []
    orders.run("refresh", "--yes", "--skip-preview", _NO_CHANGES)
    server.sql(f"SET ROLE {_OWNER}; CREATE TABLE later (id int)", _DATABASE)
    assert server.sql(f"SELECT has_table_privilege('{_APP}', 'later', 'INSERT')", _DATABASE) == [(True,)]


def test_a_password_changed_by_hand_is_shown_and_put_back(
    server: DebianPostgres, orders: Example, login: Callable[[], psycopg.Connection[tuple[Any, ...]]]
) -> None:
    server.sql(f"ALTER ROLE {_APP} PASSWORD 'somebody-elses'")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login()
    refreshed = orders.run("refresh", "--yes", "--skip-preview", "--diff")
    assert "orders-app-role" in refreshed.text
    assert "somebody-elses" not in refreshed.text
    orders.run("up", "--yes", "--skip-preview")
    login().close()


@pytest.mark.req("C5.5")
def test_another_generation_is_another_password_and_the_old_one_is_refused(
    server: DebianPostgres, orders: Example, login: Callable[[], psycopg.Connection[tuple[Any, ...]]]
) -> None:
    before = str(orders.outputs()["password"])
    orders.config("passwordGeneration", "2")
    orders.run("up", "--yes", "--skip-preview")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        server.connect(_APP, before, _DATABASE)
    login().close()
    orders.run("preview", _NO_CHANGES)


def test_a_server_that_is_down_gives_a_clear_error_and_the_next_up_completes(
    server: DebianPostgres, orders: Example
) -> None:
    orders.config("databases", _databases("pgcrypto", "pg_trgm", "btree_gin"))
    server.stop()
    try:
        failed = orders.run("up", "--yes", "--skip-preview", code=None)
        assert failed.code not in (0, 7)
        assert f"error connecting to PostgreSQL server {HOST}:{server.port}" in failed.text
        assert "Connection refused" in failed.text
        assert ADMIN_PASSWORD not in failed.text
    finally:
        server.start()
    orders.run("up", "--yes", "--skip-preview")
    assert server.sql("SELECT count(*) FROM pg_extension WHERE extname = 'btree_gin'", _DATABASE) == [(1,)]


def test_a_client_that_does_not_use_tls_is_refused(server: DebianPostgres, orders: Example) -> None:
    password = str(orders.outputs()["password"])
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
        psycopg.connect(host=HOST, port=server.port, user=_APP, password=password, dbname=_DATABASE, sslmode="disable")


@pytest.mark.req("R38")
def test_a_database_that_was_there_before_is_taken_over_with_its_rows(
    server: DebianPostgres, orders: Example, tmp_path: Path
) -> None:
    server.sql("CREATE ROLE orders_old_owner; GRANT orders_old_owner TO rds_admin WITH ADMIN OPTION")
    server.sql("CREATE DATABASE orders_old OWNER orders_old_owner")
    server.sql("SET ROLE orders_old_owner; CREATE TABLE kept AS SELECT 7 AS id", "orders_old")
    old = copy_example("managed-postgres", tmp_path, own_engine(tmp_path))
    given = {"databases": '{"orders_old": {"owner": "orders_old_owner", "app_role": "orders_old_app"}}'}
    settings = {"host": HOST, "port": str(server.port), "ca": str(server.directory / "tls" / "ca.crt")}
    for key, value in {**settings, **given, "administrator": ADMIN}.items():
        old.config(key, value)
    old.config("administratorPassword", ADMIN_PASSWORD, secret=True)
    refused = old.run("up", "--yes", "--skip-preview", code=None)
    assert 'role "orders_old_owner" already exists' in refused.text
    assert "take it over with `pulumi import`" in refused.text
    there = {("Role", "owner"): "orders_old_owner", ("Database", "database"): "orders_old"}
    below = {"parent": "orders", "provider": "server"}
    resources = [
        {"type": f"postgresql:index/{kind.lower()}:{kind}", "name": f"orders-{name}", "id": identity, **below}
        for (kind, name), identity in there.items()
    ]
    (tmp_path / "import.json").write_text(json.dumps({"resources": resources, "nameTable": _urns(old)}))
    old.run(
        "import",
        "--yes",
        "--protect=false",
        "--generate-code=false",
        "--skip-preview",
        "--file",
        str(tmp_path / "import.json"),
    )
    old.run("up", "--yes", "--skip-preview")
    told = old.outputs()
    with (
        server.connect("orders_old_app", told["password"], "orders_old") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM kept")  # default privileges are for what is made from now on
    assert server.sql("SELECT id FROM kept", "orders_old") == [(7,)]
    old.run("preview", _NO_CHANGES)
    old.run("destroy", "--yes", "--skip-preview")
    assert [name for name in _names(server) if "old" in name] == []


def _urns(of: Example) -> dict[str, str]:
    """Name -> URN of what the stack has, as `pulumi import` wants to be told."""
    resources = json.loads(of.state())["deployment"]["resources"]
    return {str(each["urn"]).rpartition("::")[2]: str(each["urn"]) for each in resources}


def test_wrong_settings_end_in_one_message_before_anything_is_made(
    server: DebianPostgres, orders: Example, tmp_path: Path
) -> None:
    wrong = copy_example("managed-postgres", tmp_path, own_engine(tmp_path))
    settings = {
        "host": "db.example.test", "sslmode": "disable", "administrator": "postgres",
        "databases": '{"postgres": {"owner": "same", "app_role": "same", "extensions": ["dblink"]}}',
    }  # fmt: skip
    for key, value in settings.items():
        wrong.config(key, value)
    wrong.config("administratorPassword", "unused", secret=True)
    refused = wrong.run("preview", code=None)
    assert refused.code not in (0, 7)
    for words in (
        "ManagedPostgres 'orders':",
        "databases[postgres].app_role='same' is databases[postgres].owner already",
        "database='postgres' is reserved",
        "sslmode='disable' sends passwords and rows in clear text to host='db.example.test'",
        "extension 'dblink' is not on the list",
    ):
        assert words in refused.text, words
    assert "orders-owner" not in refused.text
