"""Where an object is: as recorded, or as its import ID says."""

from __future__ import annotations

import threading

import pytest

from local.plugins.common.errors import ResourceError
from local.plugins.postgresql.places import database_and_name, wanted_database
from local.plugins.postgresql.server import Server
from local.plugins.postgresql.settings import Settings


def test_what_is_recorded_counts_more_than_the_id() -> None:
    assert database_and_name("schema", "other.renamed", {"database": "d", "name": "s"}) == ("d", "s")


def test_an_import_takes_database_and_name_from_the_id() -> None:
    assert database_and_name("extension", "d.pg_trgm", {}) == ("d", "pg_trgm")


@pytest.mark.parametrize("identity", ["pg_trgm", "a.b.c", ""])
def test_an_id_of_another_form_is_refused_with_the_form_that_is_expected(identity: str) -> None:
    with pytest.raises(ResourceError, match=r"has not the expected format 'database\.extension'"):
        database_and_name("extension", identity, {})


def test_what_names_no_database_is_in_the_providers_own() -> None:
    server = Server(Settings(database="home"), threading.Event())
    assert wanted_database({}, server) == "home"
    assert wanted_database({"database": "d"}, server) == "d"
