"""The SQL of a new database, and what is refused of a set of migrations."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from omnibase_infra.postgres.bootstrap import bootstrap_sql, migration_problems, read_migrations

from tests.stacks.support.samples import MIGRATIONS

ROOT = Path(__file__).resolve().parents[3]
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
    assert text.index("CREATE TABLE schema_migrations") < text.index("ALTER DEFAULT PRIVILEGES")
    assert "GRANT SELECT ON schema_migrations TO reference_app;" in text


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["0001_a.up.sql"], "0001_a has no down file"),
        (["0001_a.down.sql"], "0001_a.down.sql has no up file"),
        (["0002_a.up.sql", "0002_a.down.sql"], "they must be 0001 without gap"),
        (["0001_a.up.sql", "0001_a.down.sql", "0001_b.up.sql", "0001_b.down.sql"], "they must be 0001, 0002"),
        (["0001-a.up.sql"], "must be named NNNN_name.up.sql"),
    ],
)
def test_a_set_with_holes_is_refused(names: list[str], complaint: str) -> None:
    assert complaint in "; ".join(migration_problems(dict.fromkeys(names, "")))


def test_the_repositorys_own_migrations_are_complete() -> None:
    found = read_migrations(ROOT / "migrations" / "reference")
    assert "0001_create_notes.up.sql" in found
    assert migration_problems(found) == []


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none does not exist"):
        read_migrations(tmp_path / "none")
