"""The documents by which clients find a database, as programs read them."""

from __future__ import annotations

import configparser
import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from omnibase_infra.postgres import Connection, connection_files
from psycopg.conninfo import conninfo_to_dict

IT = Connection(
    database="orders",
    user="orders_app",
    endpoints={"ro": "ro.example.test", "rw": "rw.example.test"},
    directory="/run/secrets/databases/orders",
)
FILES = connection_files(IT, "p/a:s s@w%rd", "PEM")


@pytest.mark.req("C2.8")
def test_the_document_says_everything_but_the_password() -> None:
    told = json.loads(FILES["connection.json"])
    assert told == {
        "schema": "omnibase.database/1",
        "dbname": "orders",
        "user": "orders_app",
        "endpoints": {
            "ro": {"host": "ro.example.test", "port": 5432},
            "rw": {"host": "rw.example.test", "port": 5432},
        },
        "sslmode": "verify-full",
        "ca_file": "/run/secrets/databases/orders/ca.crt",
        "password_file": "/run/secrets/databases/orders/password",
        "service_file": "/run/secrets/databases/orders/pg_service.conf",
        "url_file": "/run/secrets/databases/orders/url",
    }
    assert "s s@w" not in FILES["connection.json"]


@pytest.mark.parametrize(("file", "host"), [("url", "ro"), ("url-rw", "rw"), ("url-ro", "ro")])
def test_an_address_is_what_libpq_reads_also_with_any_password(file: str, host: str) -> None:
    assert conninfo_to_dict(FILES[file]) == {
        "host": f"{host}.example.test",
        "port": "5432",
        "dbname": "orders",
        "user": "orders_app",
        "password": "p/a:s s@w%rd",
        "sslmode": "verify-full",
        "sslrootcert": "/run/secrets/databases/orders/ca.crt",
    }
    parts = urlsplit(FILES[file])
    assert unquote(str(parts.password)) == "p/a:s s@w%rd"
    assert parse_qs(parts.query)["sslmode"] == ["verify-full"]


def test_the_service_file_has_one_service_for_each_endpoint_and_one_for_the_first() -> None:
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(FILES["pg_service.conf"])
    assert {name: found[name]["host"] for name in found.sections()} == {
        "orders": "ro.example.test",
        "orders-ro": "ro.example.test",
        "orders-rw": "rw.example.test",
    }
    assert {found[name]["sslmode"] for name in found.sections()} == {"verify-full"}
