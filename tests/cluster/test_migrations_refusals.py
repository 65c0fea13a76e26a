"""Databases and servers that the migration runner does not work on, and what it says instead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cluster.migrations_kit import World, table
from tests.cluster.postgres_kit import DebianPostgres
from tests.cluster.test_postgresql_plugin_refusals import restarted
from tests.cluster.tls_kit import make_authority


@pytest.fixture
def world(external_database: DebianPostgres, tmp_path: Path) -> Iterator[World]:
    made = World(external_database, tmp_path)
    yield made
    made.remove()


@pytest.mark.req("C2.3")
def test_an_expired_certificate_is_told_from_one_of_another_authority(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.server.give_certificate(make_authority("external database"), valid_for=timedelta(minutes=-1))
    with restarted(world.server):
        expired = world.run("up", code=1)
        other = world.directory / "other.crt"
        other.write_text(world.server.ca)
    world.databases["orders"]["connection"]["ca_file"] = str(other)
    unknown = world.run("up", code=1)
    assert "the server's certificate has expired; have it renewed there" in expired
    assert "connection.ca_file must be the authority that signs the server's" in unknown
    assert "expired" not in unknown


@pytest.mark.req("C2.3")
def test_a_database_that_does_not_hold_utf_8_is_refused_before_anything_runs(world: World) -> None:
    world.database("orders", table(1, "a"))
    world.server.sql("DROP DATABASE orders")
    world.server.sql("CREATE DATABASE orders OWNER orders_owner TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    said = world.run("up", code=1)
    assert "database orders: holds SQL_ASCII and not UTF8, so that each client reads other letters" in said
    assert "CREATE DATABASE orders OWNER orders_owner TEMPLATE template0 ENCODING 'UTF8'" in said
    assert world.tables("orders") == []
