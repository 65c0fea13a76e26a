"""Statements as `ops db` shows them: nothing of what users wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.db.statements import correlation_id, plain


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM notes WHERE id = $1", "SELECT * FROM notes WHERE id = $1"),
        ("SELECT 'it''s', 12, 1.5e3, t1.c2", "SELECT ?, ?, ?, t1.c2"),
        (r"SELECT E'a\'b', 'c\', 'd'", "SELECT ?, ?, ?"),
        ("CREATE ROLE a PASSWORD 'secret'", "CREATE ROLE a PASSWORD ?"),
        ("ALTER ROLE a PASSWORD $$sec'ret$$ -- secret", "ALTER ROLE a PASSWORD ?"),
        ("DO $x$ secret $$ $x$", "DO ?"),
        ('SELECT "secret column" FROM "T"', 'SELECT "secret column" FROM "T"'),
        ("/* correlation_id=a-1 */ INSERT\n  INTO n\tVALUES ($1)", "INSERT INTO n VALUES ($1)"),
        ("ALTER ROLE a PASSWORD 'cut off by the ser", "ALTER ROLE a PASSWORD ?"),
        ("SELECT $tag$ cut off", "SELECT ?"),
        ("SELECT 1 /* cut off", "SELECT ?"),
        ("SELECT 1_000, 0x1F, 1e-3, .5, a.b1-2", "SELECT ?, ?, ?, ?, a.b1-?"),
        ("SELECT U&'\\0041', b'101' FROM t", "SELECT ?, ? FROM t"),
        ("", ""),
    ],
)
def test_texts_and_numbers_are_left_out_and_names_stay(statement: str, shown: str) -> None:
    assert plain(statement) == shown


@given(st.text(alphabet=st.characters(exclude_characters="'", codec="ascii"), max_size=60))
def test_nothing_of_a_text_is_shown_whatever_is_in_it(text: str) -> None:
    assert plain(f"VALUES ('{text}', '{text}', t)") == "VALUES (?, ?, t)"


def test_the_correlation_id_is_the_one_of_the_comment_that_services_write() -> None:
    assert correlation_id("/* correlation_id=0d7f.A-b_c */ SELECT 1") == "0d7f.A-b_c"
    assert correlation_id("SELECT 1 /* of somebody */") == ""
    assert correlation_id(None) == ""
