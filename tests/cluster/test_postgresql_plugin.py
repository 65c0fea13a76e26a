"""The offline postgresql plugin against a real server: every type made, read, changed, imported and deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from local.plugins.common.bridged import check, diff, recorded_inputs
from local.plugins.common.errors import ResourceError
from local.plugins.common.naming import Naming
from local.plugins.common.values import Object, plain
from local.plugins.postgresql.kinds import KINDS
from local.plugins.postgresql.server import Server
from local.plugins.postgresql.settings import Settings
from local.plugins.postgresql.shapes import SHAPES
from tests.cluster.node_kit import wait_for
from tests.cluster.postgres_kit import ADMIN, ADMIN_PASSWORD, HOST, SUPERUSER, DebianPostgres


@pytest.fixture
def database(external_database: DebianPostgres) -> DebianPostgres:
    """The database server."""
    return external_database


def settings(database: DebianPostgres, user: str, **changes: object) -> Settings:
    given: dict[str, object] = {
        "host": HOST,
        "port": database.port,
        "username": user,
        "password": ADMIN_PASSWORD,
        "superuser": user == SUPERUSER,
        "sslmode": "verify-full",
        "root_certificate": str(database.directory / "tls" / "ca.crt"),
        "timeout_seconds": 10,
        **changes,
    }
    return Settings(**given)  # type: ignore[arg-type]  # a mapping of its fields


@pytest.fixture(params=[ADMIN, SUPERUSER])
def server(request: pytest.FixtureRequest, database: DebianPostgres) -> Iterator[Server]:
    """The server as the administrator of a managed service sees it, and as a superuser does; cleaned afterwards."""
    yield Server(settings(database, request.param), threading.Event())
    for (name,) in database.sql("SELECT datname FROM pg_database WHERE datname LIKE 'plugin%'"):
        database.sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    for (name,) in database.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'plugin%'"):
        database.sql(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


class Managed:
    """A resource as the engine keeps it."""

    def __init__(self, server: Server, kind: str, **inputs: object) -> None:
        self.server = server
        self.token = f"postgresql:index/{kind[0].lower()}{kind[1:]}:{kind}"
        self.shape, self.kind = SHAPES[self.token], KINDS[self.token]
        self.inputs = self._checked(inputs)
        self.kind.create(server, self.inputs)
        self.identity = self.kind.identify(self.inputs, server)
        self.state = self.found(self.inputs)
        assert self.differences() == [], "what was just made is no change"

    def _checked(self, inputs: dict[str, object]) -> Object:
        urn = f"urn:pulumi:dev::t::{self.token}::thing"
        checked, failures = check(self.shape, urn, {}, dict(inputs), Naming(proposed="plugin_thing"))
        assert failures == []
        return dict(plain(checked))

    def found(self, known: Object) -> Object:
        state = self.kind.read(self.server, self.identity, known)
        assert state is not None
        return state

    def differences(self) -> list[str]:
        return [str(change.path[0]) for change in diff(self.shape, self.state, self.inputs).changes]

    def refresh(self) -> list[str]:
        """Read, and say what differs from the program."""
        self.state = self.found(self.state)
        return self.differences()

    def update(self, **changes: object) -> None:
        self.inputs = self._checked({**self.inputs, **changes})
        self.kind.update(self.server, self.state, self.inputs)
        self.state = self.found({**self.state, **self.inputs})
        assert self.differences() == []

    def imported(self) -> Object:
        state = self.kind.read(self.server, self.identity, {})
        assert state is not None
        return recorded_inputs(self.shape, state, {})

    def delete(self) -> None:
        self.kind.delete(self.server, self.state)
        assert self.kind.read(self.server, self.identity, self.state) is None
        self.kind.delete(self.server, self.state)  # one that is gone already is fine


def test_a_role_lives(server: Server, database: DebianPostgres) -> None:
    role = Managed(
        server,
        "Role",
        name="plugin_app",
        login=True,
        password="one",
        connectionLimit=5,
        searchPaths=["a", "B c"],
        statementTimeout=5000,
    )
    database.connect("plugin_app", "one").close()
    role.update(
        password="two", connectionLimit=7, searchPaths=[], statementTimeout=0, validUntil="2099-01-01 00:00:00+00"
    )
    with pytest.raises(psycopg.OperationalError):
        database.connect("plugin_app", "one")
    database.connect("plugin_app", "two").close()
    assert role.refresh() == []
    database.sql("ALTER ROLE plugin_app PASSWORD 'three' CONNECTION LIMIT 1 NOINHERIT")
    assert role.refresh() == ["password", "connectionLimit", "inherit"]
    role.update()
    database.connect("plugin_app", "two").close()
    assert role.imported() == {
        "__defaults": [],
        "name": "plugin_app",
        "login": True,
        "connectionLimit": 7,
        "validUntil": "2099-01-01 00:00:00+00",
    }
    role.update(name="plugin_renamed")
    database.connect("plugin_renamed", "two").close()
    role.identity = "plugin_renamed"
    role.delete()


def test_members_are_given_and_taken(server: Server, database: DebianPostgres) -> None:
    group, other = (Managed(server, "Role", name=name) for name in ("plugin_group", "plugin_other"))
    member = Managed(server, "Role", name="plugin_member", roles=["plugin_group"])
    member.update(roles=["plugin_other"])
    with database.connect(server.settings.username, ADMIN_PASSWORD) as by_hand:
        by_hand.execute("GRANT plugin_group TO plugin_member")  # since 16 only who granted it can take it away
    assert member.refresh() == ["roles"]
    member.update()
    for each in (member, group, other):
        each.delete()


def test_a_database_lives(server: Server, database: DebianPostgres) -> None:
    owner, heir = (Managed(server, "Role", name=name) for name in ("plugin_owner", "plugin_heir"))
    made = Managed(server, "Database", name="plugin_db", owner="plugin_owner", connectionLimit=3, encoding="UTF8")
    assert made.state["lcCollate"] == "C.UTF-8"
    made.update(owner="plugin_heir", connectionLimit=-1)
    database.sql("ALTER DATABASE plugin_db CONNECTION LIMIT 9")
    assert made.refresh() == ["connectionLimit"]
    made.update()
    assert made.imported()["owner"] == "plugin_heir"
    made.update(name="plugin_renamed")
    made.identity = "plugin_renamed"
    with database.connect(server.settings.username, ADMIN_PASSWORD, "plugin_renamed") as held:
        made.delete()
        with pytest.raises(psycopg.OperationalError):
            held.execute("SELECT 1")
    for each in (owner, heir):
        each.delete()


def test_schema_extension_grants_and_default_privileges_live(server: Server, database: DebianPostgres) -> None:
    me = server.settings.username
    owner, app = (Managed(server, "Role", name=name) for name in ("plugin_owner", "plugin_app"))
    member = Managed(server, "GrantRole", role=me, grantRole="plugin_owner")
    made = Managed(server, "Database", name="plugin_db", owner="plugin_owner")
    schema = Managed(server, "Schema", name="plugin_s", database="plugin_db", owner="plugin_owner", dropCascade=True)
    extension = Managed(server, "Extension", name="pg_trgm", database="plugin_db", schema="plugin_s")
    assert extension.imported()["name"] == "pg_trgm"
    defaults = Managed(
        server,
        "DefaultPrivileges",
        role="plugin_app",
        database="plugin_db",
        owner="plugin_owner",
        schema="plugin_s",
        objectType="table",
        privileges=["SELECT", "INSERT"],
    )
    database.sql("SET ROLE plugin_owner; CREATE TABLE plugin_s.one (id int, body text)", "plugin_db")
    grant = Managed(
        server,
        "Grant",
        role="plugin_app",
        database="plugin_db",
        schema="plugin_s",
        objectType="table",
        privileges=["SELECT", "INSERT"],
    )
    database.sql("SET ROLE plugin_owner; CREATE TABLE plugin_s.two (id int)", "plugin_db")
    assert grant.refresh() == [], "default privileges covered the new table"
    database.sql(
        "REVOKE INSERT ON plugin_s.two FROM plugin_app; GRANT TRUNCATE ON plugin_s.one TO plugin_app", "plugin_db"
    )
    assert grant.refresh() == ["privileges"]
    grant.update()
    grant.update(privileges=["ALL"])
    assert grant.refresh() == [], "ALL is what PostgreSQL lists"
    column = Managed(
        server,
        "Grant",
        role="plugin_app",
        database="plugin_db",
        schema="plugin_s",
        objectType="column",
        objects=["one"],
        columns=["body"],
        privileges=["UPDATE"],
    )
    defaults.update(privileges=["SELECT"])
    everything = (
        "ALTER DEFAULT PRIVILEGES FOR ROLE plugin_owner IN SCHEMA plugin_s REVOKE ALL ON TABLES FROM plugin_app"
    )
    database.sql(everything, "plugin_db")
    assert defaults.kind.read(server, defaults.identity, defaults.state) is None
    everybody = Managed(server, "Grant", role="public", database="plugin_db", objectType="database", privileges=[])
    database.sql("GRANT TEMPORARY ON DATABASE plugin_db TO PUBLIC")
    assert everybody.refresh() == ["privileges"]
    everybody.update()
    schema.update(name="plugin_t")
    for each in (column, grant):
        each.state["schema"] = "plugin_t"
    column.kind.delete(server, column.state)
    grant.kind.delete(server, grant.state)
    assert database.sql("SELECT has_table_privilege('plugin_app', 'plugin_t.one', 'SELECT')", "plugin_db") == [(False,)]
    extension.delete()
    schema.identity = "plugin_db.plugin_t"
    schema.delete()
    for each in (made, member, app, owner):
        each.delete()


def test_a_new_database_lets_everybody_in_and_the_plugin_sees_it(server: Server) -> None:
    made = Managed(server, "Database", name="plugin_db")
    grant = KINDS["postgresql:index/grant:Grant"]
    wanted = {"role": "public", "database": "plugin_db", "objectType": "database", "privileges": []}
    state = grant.read(server, "", wanted)
    assert state is not None
    assert state["privileges"] == ["CONNECT", "TEMPORARY"]
    made.delete()


def test_nothing_is_left_half_done_when_a_statement_fails(server: Server, database: DebianPostgres) -> None:
    role = KINDS["postgresql:index/role:Role"]
    inputs = dict(
        plain(
            check(
                SHAPES["postgresql:index/role:Role"],
                "a::b::c::d",
                {},
                {"name": "plugin_half", "roles": ["plugin_missing"]},
                Naming(),
            )[0]
        )
    )
    with pytest.raises(
        ResourceError, match=r"error creating role 'plugin_half': role \"plugin_missing\" does not exist"
    ):
        role.create(server, inputs)
    assert database.sql("SELECT 1 FROM pg_roles WHERE rolname = 'plugin_half'") == []


def test_a_borrowed_membership_is_given_back_after_an_error_too(server: Server, database: DebianPostgres) -> None:
    owner = Managed(server, "Role", name="plugin_owner")
    made = Managed(server, "Database", name="plugin_db", owner="plugin_owner")
    state = {**made.state, "owner": "plugin_owner"}
    with pytest.raises(ResourceError, match="error updating database"):
        made.kind.update(server, state, {**made.inputs, "tablespaceName": "missing"})
    members = database.sql("SELECT 1 FROM pg_auth_members WHERE roleid = 'plugin_owner'::regrole AND set_option")
    assert members == []
    made.delete()
    owner.delete()


def test_many_grants_on_one_object_at_once_all_arrive(server: Server, database: DebianPostgres) -> None:
    roles = [Managed(server, "Role", name=f"plugin_{number}") for number in range(8)]
    made = Managed(server, "Database", name="plugin_db")

    def grant(number: int) -> Managed:
        return Managed(
            server,
            "Grant",
            role=f"plugin_{number}",
            database="plugin_db",
            objectType="database",
            privileges=["CONNECT"],
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(grant, range(8)))
    acl = database.sql(
        "SELECT count(*) FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = grantee "
        "WHERE datname = 'plugin_db' AND rolname ~ '^plugin_[0-9]$'"
    )
    assert acl == [(8,)]
    for each in (made, *roles):
        each.delete()


def test_a_superusers_setting_for_one_who_is_none_says_what_to_set(database: DebianPostgres) -> None:
    server = Server(settings(database, ADMIN, superuser=True), threading.Event())
    role = KINDS["postgresql:index/role:Role"]
    with pytest.raises(PermissionError, match="set `superuser=False` on the provider"):
        role.read(server, ADMIN, {"name": ADMIN, "password": "x", "login": True})


def test_cancel_ends_a_statement_that_waits(database: DebianPostgres) -> None:
    server = Server(settings(database, SUPERUSER), threading.Event())

    def wait() -> None:
        with server.reading() as connection:
            connection.execute("SELECT pg_sleep(600)")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        asleep = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
        wait_for(lambda: bool(database.sql(asleep)), 20, "the statement runs")
        server.cancel()
        with pytest.raises(ResourceError, match="canceling statement due to user request"):
            waiting.result(timeout=120)


def test_a_certificate_of_another_name_or_authority_is_refused(database: DebianPostgres) -> None:
    for changes, words in (
        ({"host": "127.0.0.1"}, "does not match host name"),
        ({"root_certificate": "/etc/hosts"}, ""),
    ):
        server = Server(settings(database, ADMIN, **changes), threading.Event())
        with pytest.raises(ResourceError, match=f"error connecting to PostgreSQL server.*{words}"), server.reading():
            pass
