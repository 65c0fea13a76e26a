"""The SQL of a new database, and what is refused of a set of migrations."""

from __future__ import annotations

import hashlib

import pytest
from omnibase_infra.postgres.bootstrap import bootstrap_problems, bootstrap_sql

from tests.stacks.support.samples import MIGRATIONS

UP, DOWN = MIGRATIONS["0001_create_notes.up.sql"], MIGRATIONS["0001_create_notes.down.sql"]


def sql() -> str:
    return bootstrap_sql("reference", "reference_owner", "reference_app", MIGRATIONS)


@pytest.mark.req("P5")
def test_only_forward_files_are_run() -> None:
    assert UP in sql()
    assert DOWN not in sql()


def test_migrations_run_as_the_owner_and_after_the_grants() -> None:
    text = sql()
    order = ["REVOKE ALL ON DATABASE", "SET ROLE reference_owner;", "ALTER DEFAULT PRIVILEGES", UP, "RESET ROLE;"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.req("V14")
def test_public_may_not_even_connect() -> None:
    assert "REVOKE ALL ON DATABASE reference FROM PUBLIC;" in sql()
    assert "REVOKE ALL ON SCHEMA public FROM PUBLIC;" in sql()


def test_what_ran_is_recorded_with_the_checksums_of_both_files() -> None:
    sums = [hashlib.sha256(text.encode()).hexdigest() for text in (UP, DOWN)]
    assert f"VALUES (1, '0001_create_notes', '{sums[0]}', '{sums[1]}', 0);" in sql()


def test_the_applications_rights_on_the_record_end_with_reading() -> None:
    text = sql()
    # made before the default privileges are in force, which would let the application rewrite history
    assert text.index("CREATE TABLE IF NOT EXISTS schema_migrations") < text.index("ALTER DEFAULT PRIVILEGES")
    assert "GRANT SELECT ON schema_migrations TO reference_app;" in text


def test_a_set_that_no_database_may_have_is_refused() -> None:
    assert "0001_a has no down file" in "; ".join(bootstrap_problems({"0001_a.up.sql": "SELECT 1"}))
    assert bootstrap_problems(MIGRATIONS) == []


def test_what_cannot_run_in_the_transaction_of_a_new_database_is_refused() -> None:
    texts = {
        "0001_a.up.sql": "-- migrate: concurrently\nCREATE INDEX CONCURRENTLY a_b ON a (b);",
        "0001_a.down.sql": "DROP INDEX a_b;",
    }
    (problem,) = bootstrap_problems(texts)
    assert problem.startswith("0001_a.up.sql is marked concurrently")


def test_verify_queries_are_not_run_when_the_database_is_made() -> None:
    text = bootstrap_sql("reference", "o", "a", {**MIGRATIONS, "0001_create_notes.verify.sql": "SELECT 'promise'"})
    assert "promise" not in text
