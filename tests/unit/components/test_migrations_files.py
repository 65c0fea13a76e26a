"""What a set of migration files may be, and how its SQL is understood."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.migrations import MigrationError, migrations, problems, read_files
from omnibase_infra.migrations.files import IndexChange
from omnibase_infra.migrations.sql import SqlError, statements

ROOT = Path(__file__).resolve().parents[3]
PAIR = {"0001_a.up.sql": "CREATE TABLE a ();", "0001_a.down.sql": "DROP TABLE a;"}
INDEX_UP = "-- migrate: concurrently\nCREATE UNIQUE INDEX CONCURRENTLY a_b ON a (b);"
INDEX_DOWN = "-- migrate: concurrently\nDROP INDEX CONCURRENTLY a_b;"
INDEX = {**PAIR, "0002_i.up.sql": INDEX_UP, "0002_i.down.sql": INDEX_DOWN}


def complaint(**changes: str | None) -> str:
    """What is said of the good pair with these files instead; `up` is 0001_a.up.sql, and None takes one away."""
    names = {"up": "0001_a.up.sql", "down": "0001_a.down.sql", "verify": "0001_a.verify.sql"}
    files: dict[str, str | None] = {**PAIR, **{names[role]: text for role, text in changes.items()}}
    return "; ".join(problems({name: text for name, text in files.items() if text is not None}))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"0001_a.up.sql": "SELECT 1"}, "0001_a has no down file; write 0001_a.down.sql"),
        ({"0001_a.down.sql": "SELECT 1"}, "0001_a has no up file"),
        ({"0002_b.up.sql": "SELECT 1", "0002_b.down.sql": "SELECT 1"}, "up files go to 0002, but 0001 is missing"),
        ({**PAIR, "0001_b.up.sql": "SELECT 1"}, "number 0001 is used more than once: 0001_a, 0001_b"),
        ({**PAIR, "0001_b.down.sql": "SELECT 1"}, "number 0001 is used more than once: 0001_a, 0001_b"),
        ({"0001-a.up.sql": "SELECT 1"}, "0001-a.up.sql: must be named NNNN_name.up.sql"),
        ({"1_a.up.sql": "SELECT 1"}, "must be named"),
        ({"0001_A.up.sql": "SELECT 1"}, "must be named"),
        ({"notes.sql": "SELECT 1"}, "must be named"),
        ({"0000_a.up.sql": "SELECT 1", "0000_a.down.sql": "SELECT 1"}, "numbers begin with 0001"),
    ],
)
def test_a_set_with_holes_or_strange_names_is_refused(files: dict[str, str], words: str) -> None:
    assert words in "; ".join(problems(files))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no statement"),
        ("-- nothing\n/* here */ ;;\n", "holds no statement"),
        ("\ufeffSELECT 1", "byte order mark"),
        ("SELECT 1;\r\n", "carriage returns"),
        ("SELECT 'a\0'", "zero byte"),
        ("SELECT 'a", "line 1: a text begins and does not end"),
        ('SELECT 1;\nSELECT "a', "line 2: a name begins"),
        ("SELECT $x$ a $y$", "line 1: a dollar quote begins"),
        ("SELECT 1 /* /* */", "line 1: a comment begins"),
        ("BEGIN; SELECT 1; COMMIT", "line 1: BEGIN is not allowed; the runner begins and ends the transaction"),
        ("SELECT 1;\ncommit", "line 2: COMMIT is not allowed"),
        ("START TRANSACTION", "START is not allowed"),
        ("PREPARE TRANSACTION 'x'", "PREPARE is not allowed"),
        ("\\i other.sql", "commands of psql are not SQL"),
        ("COPY a FROM STDIN", "COPY FROM STDIN has no input"),
        ("create index concurrently a_b on a (b)", "CONCURRENTLY cannot run in a transaction"),
        ("SELECT 1; DROP INDEX CONCURRENTLY a_b", "give it a file of its own"),
        ("-- migrate: concurently\nSELECT 1", "`-- migrate: concurently` means nothing in a file of kind up"),
        ("-- migrate: concurrently\nSELECT 1", "is for CREATE INDEX CONCURRENTLY and DROP INDEX CONCURRENTLY only"),
        (f"{INDEX_UP}\nSELECT 1;", "holds 2 statements; it may hold one"),
        ("-- migrate: concurrently\nCREATE INDEX CONCURRENTLY ON a (b)", "must name its index"),
        ("-- migrate: concurrently\nCREATE INDEX CONCURRENTLY IF NOT EXISTS x ON a (b)", "without IF [NOT] EXISTS"),
        ("-- migrate: concurrently\nDROP INDEX CONCURRENTLY x CASCADE", "must name its index"),
        ("-- migrate: irreversible\nSELECT 1", "is marked irreversible and has a down file"),
    ],
)
def test_a_text_that_cannot_run_as_one_step_is_refused(text: str, words: str) -> None:
    assert words in complaint(up=text)


def test_markers_are_for_the_files_where_they_mean_something() -> None:
    assert "means nothing in a file of kind verify; known: none" in complaint(
        verify="-- migrate: concurrently\nSELECT 1"
    )
    assert "means nothing in a file of kind down; known: concurrently" in complaint(
        down="-- migrate: irreversible\nSELECT 1"
    )


def test_everything_that_is_wrong_is_said_together() -> None:
    with pytest.raises(MigrationError) as raised:
        migrations({"0001_a.up.sql": "", "0003_c.up.sql": "COMMIT"})
    assert len(raised.value.problems) == 5
    assert raised.value.exit_code == 2


def test_a_way_back_may_be_declared_missing() -> None:
    (made,) = migrations({"0001_a.up.sql": "-- migrate: irreversible\nSELECT 1;"})
    assert made.down is None


def test_a_marked_file_is_known_by_its_index() -> None:
    made = migrations(INDEX)[1]
    assert made.down is not None
    assert (made.up.change, made.down.change) == (
        IndexChange(index="a_b", comes=True),
        IndexChange(index="a_b", comes=False),
    )
    assert migrations(PAIR)[0].up.change is None


def test_names_of_an_index_may_be_quoted_and_have_a_schema() -> None:
    down = '-- migrate: concurrently\nDROP INDEX CONCURRENTLY public."A b";'
    (made,) = migrations({**PAIR, "0001_a.down.sql": down})
    assert made.down is not None
    assert made.down.change == IndexChange(index='public."A b"', comes=False)


def test_a_checksum_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "0001_a.up.sql").write_bytes("SELECT 'ä';\n".encode())
    (tmp_path / "0001_a.down.sql").write_text("SELECT 1")
    (tmp_path / "README.md").write_text("not a migration")
    (made,) = migrations(read_files(tmp_path))
    assert made.up.sha256 == "9fad520211325c6141d159f7a986876c672ccd528cc95b63a57e7e6720ddcff2"


def test_files_that_are_not_utf_8_are_named_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "0001_a.up.sql").write_bytes("SELECT 'ä'".encode("latin-1"))
    with pytest.raises(MigrationError, match=r"0001_a\.up\.sql: byte 8 is not UTF-8"):
        read_files(tmp_path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="none does not exist"):
        read_files(tmp_path / "none")


def test_the_repositorys_own_migrations_are_complete() -> None:
    for directory in sorted((ROOT / "migrations").iterdir()):
        assert migrations(read_files(directory)), directory


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("SELECT ';'; SELECT 2", 2),
        ("SELECT 'it''s; '; SELECT E'\\'; ' || ';'", 2),
        ('SELECT 1 AS "a;""b;"; SELECT 2;', 2),
        ("SELECT $$ ; $$; SELECT $a$ $$ ; $b$ $a$;", 2),
        ("SELECT 1 -- ; not here\n; SELECT 2", 2),
        ("SELECT 1 /* ; /* nested ; */ ; */; SELECT 2", 2),
        ("CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2); SELECT 3", 2),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; SELECT 2", 2),
        ("CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO a VALUES (1); END", 1),
        ("DO $body$ BEGIN PERFORM 1; END $body$", 1),
        ("SELECT a$1 FROM b; SELECT $1", 2),
        ("SELECT U&'\\0041;', B'1;'", 1),
    ],
)
def test_statements_end_where_postgresql_ends_them(text: str, count: int) -> None:
    assert len(statements(text)) == count


_PIECES = st.sampled_from([
    "SELECT 1", "SELECT ';'", "SELECT $$;$$", "SELECT $t$ $$;$$ $t$", 'SELECT ";"', "SELECT E'\\';'", "DO (a; b)",
    "SELECT 'it''s;'", "SELECT a -- ;\n", "/* ; */ SELECT b",
])  # fmt: skip


@given(st.lists(_PIECES, max_size=12), st.sampled_from([";", ";\n", " ; -- ;\n", ";/* ; */"]))
def test_any_statements_in_a_row_are_told_apart(pieces: list[str], separator: str) -> None:
    assert len(statements(separator.join(pieces))) == len(pieces)


@given(st.text(alphabet="ab;'\"$/*-\\\n(E)", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = statements(text)
    except SqlError:
        return
    assert all(each.tokens and 1 <= each.line <= text.count("\n") + 1 for each in found)
