"""A major upgrade by the real programs, and the check before it: what it finds, pg_upgrade finds too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from omnibase_infra.config.databases import MONITOR_ROLE
from omnibase_infra.postgres import ops_roles

from ops.db.access import opened
from ops.db.upgrade import CONTRIB, Check, Server, judge, read_database, read_server
from tests.cluster.postgres_kit import ADMIN_PASSWORD, DebianPostgres
from tests.cluster.upgrade_kit import DATA, NEW, NEW_DATA, OLD, Servers

MONITORED = "upgraded"
DIGEST = "SELECT count(*) || ' ' || md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM orders t"
TABLES = """
CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore; CREATE EXTENSION pg_stat_statements;
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, facts hstore, body jsonb);
INSERT INTO orders (name, facts, body) SELECT 'Auftrag é ' || n, hstore('n', n::text), jsonb_build_object('n', n)
  FROM generate_series(1, 20000) n;
CREATE INDEX ON orders USING gin (name gin_trgm_ops); ANALYZE orders
"""
WRONG = """
CREATE TABLE parent (id int NOT NULL); CREATE TABLE child () INHERITS (parent);
ALTER TABLE child ALTER id DROP NOT NULL; CREATE TABLE settings (parser regconfig)
"""
IN_TURN = (  # what pg_upgrade says first of it, and what puts it right
    ("reg* data types in user tables", "DROP TABLE settings"),
    ("inconsistent NOT NULL constraints", "ALTER TABLE child ALTER id SET NOT NULL"),
)


@pytest.fixture
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    made = Servers(root=tmp_path_factory.mktemp("upgrade") / "root")
    made.create()
    yield made
    for programs, data in ((OLD, DATA), (NEW, NEW_DATA)):
        if (made.root / data.removeprefix("/") / "postmaster.pid").exists():
            made.stop(programs, data)


@pytest.fixture
def monitored(external_database: DebianPostgres) -> Iterator[DebianPostgres]:
    """A server with the role that `ops` looks with."""
    role = next(each for each in ops_roles.roles("database") if each["name"] == MONITOR_ROLE)
    groups = ", ".join(role["inRoles"])
    external_database.sql(f"CREATE ROLE {MONITOR_ROLE} LOGIN PASSWORD '{ADMIN_PASSWORD}' IN ROLE {groups}")
    external_database.sql(f"CREATE DATABASE {MONITORED}")
    yield external_database
    external_database.sql(f"DROP DATABASE {MONITORED} WITH (FORCE)")
    external_database.sql(f"DROP ROLE {MONITOR_ROLE}")


def seen(server: DebianPostgres) -> Server:
    found, databases = {}, ["postgres"]
    known: Server | None = None
    for name in ("postgres", MONITORED):
        with opened(host=server.host, port=server.port, authority=server.ca, role=MONITOR_ROLE,
                    password=ADMIN_PASSWORD, database=name) as connection:  # fmt: skip
            known = known or read_server(connection)[0]
            databases = read_server(connection)[1]
            found[name] = read_database(connection)
    assert known is not None
    assert {"postgres", MONITORED} <= {*databases}
    return Server(**{**vars(known), "databases": found})


def bad(checks: Iterator[Check]) -> dict[str, str]:
    return {each.name: each.found for each in checks if not each.good}


@pytest.mark.req("C2.1")
def test_the_check_finds_in_a_running_server_what_stands_against_an_upgrade(monitored: DebianPostgres) -> None:
    version = seen(monitored).version
    assert version >= (17, 6)
    assert bad(judge(seen(monitored), (18, 7), CONTRIB)) == {}
    if version >= (17, 12):
        assert "know the option pg_attver" in bad(judge(seen(monitored), (18, 6), CONTRIB))["versions"]

    monitored.sql(WRONG, MONITORED)
    monitored.sql('CREATE EXTENSION "uuid-ossp"', MONITORED)
    monitored.sql("BEGIN; CREATE TABLE half (id int); PREPARE TRANSACTION 'left-behind'", MONITORED)
    monitored.sql(
        "CREATE SUBSCRIPTION feed CONNECTION 'host=nowhere.test' PUBLICATION p WITH (connect = false)", MONITORED
    )
    monitored.sql("CREATE DATABASE shut ALLOW_CONNECTIONS false")
    try:
        assert bad(judge(seen(monitored), (18, 7), CONTRIB)) == {
            "extensions": f"{MONITORED}: uuid-ossp",
            "prepared transactions": "left-behind",
            "subscriptions": f"{MONITORED}: feed",
            "columns of types with system OIDs": f"{MONITORED}: public.settings.parser: regconfig",
            "columns that are nullable below a parent that is not": f"{MONITORED}: child.id",
            "databases that nobody may enter": "shut",
        }
        assert "extensions" not in bad(judge(seen(monitored), (18, 7), CONTRIB | {"uuid-ossp"}))
    finally:
        monitored.sql("ALTER SUBSCRIPTION feed SET (slot_name = NONE)", MONITORED)
        monitored.sql("DROP SUBSCRIPTION feed", MONITORED)
        monitored.sql("ROLLBACK PREPARED 'left-behind'", MONITORED)
        monitored.sql("DROP DATABASE shut")


@pytest.mark.req("C2.1")
def test_an_upgrade_that_is_refused_changes_nothing_and_one_that_is_not_keeps_every_row(servers: Servers) -> None:
    servers.sql(OLD, TABLES)
    before = servers.sql(OLD, DIGEST)
    assert before.startswith("20000 ")
    servers.sql(OLD, WRONG)
    for complaint, remedy in IN_TURN:
        servers.stop(OLD, DATA)
        refused = servers.upgrade()
        assert refused.returncode != 0
        assert complaint in refused.stdout + servers.reasons(), refused.stdout
        servers.start(OLD, DATA)
        assert servers.sql(OLD, DIGEST) == before
        servers.sql(OLD, remedy)

    servers.stop(OLD, DATA)
    done = servers.upgrade()
    assert "Upgrade Complete" in done.stdout, done.stdout
    servers.start(NEW, NEW_DATA)
    assert servers.sql(NEW, "SHOW server_version_num").startswith("1800")
    assert servers.sql(NEW, DIGEST) == before
    assert servers.sql(NEW, "INSERT INTO orders (name) VALUES ('after') RETURNING id") == "20001"
    assert servers.sql(NEW, "SELECT count(*) FROM orders WHERE name LIKE '%Auftrag é 777'") == "1"
    assert servers.sql(NEW, "SHOW data_checksums") == "on"
    locale = "SELECT concat(datlocprovider, datlocale) FROM pg_database WHERE datname = 'app'"
    assert servers.sql(NEW, locale) == "bC.UTF-8"
    statistics = "SELECT count(*) FROM pg_stats WHERE tablename = 'orders'"
    assert int(servers.sql(NEW, statistics)) == 4, "from 18 on they come along"
    servers.run(f"{NEW}/psql -h /run -U postgres -v ON_ERROR_STOP=1 -qf {NEW_DATA}/update_extensions.sql postgres")
    old = "SELECT count(*) FROM pg_available_extensions WHERE installed_version <> default_version"
    assert servers.sql(NEW, old) == "0"
