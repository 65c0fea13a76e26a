"""A password against what PostgreSQL keeps of it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.plugins.postgresql.passwords import matches

ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
# made by PostgreSQL 17: CREATE ROLE app PASSWORD 'correct horse'
MADE_BY_POSTGRESQL = (
    "SCRAM-SHA-256$4096:igFRm28SdMexkbn8kGiHIA==$rs8iLkla+jjz1aEo"
    "+YyjlH/vvqdlYkLCQ7L7TpDTwIM=:BjD214Qc7lh4IFBHACC/ctESC7DClnxxDvNZcaM59Ss="
)


def scram(password: str, salt: bytes = b"0123456789abcdef", iterations: int = 2) -> str:
    """RFC 5802, written down a second time."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


def test_a_verifier_of_the_real_server_matches_its_password_only() -> None:
    assert matches(MADE_BY_POSTGRESQL, "app", "correct horse")
    assert not matches(MADE_BY_POSTGRESQL, "app", "correct  horse")


@settings(max_examples=50)
@given(ASCII, ASCII)
def test_a_scram_verifier_matches_exactly_its_own_password(password: str, other: str) -> None:
    assert matches(scram(password), "app", password)
    assert matches(scram(password), "app", other) == (password == other)


def test_an_md5_hash_belongs_to_one_role() -> None:
    kept = "md5" + hashlib.md5(b"hushapp").hexdigest()  # noqa: S324  # the server's format
    assert matches(kept, "app", "hush")
    assert not matches(kept, "other", "hush")


@pytest.mark.parametrize("kept", ["", "md5", "something else"])
def test_no_password_matches_none(kept: str) -> None:
    assert not matches(kept, "app", "hush")


def test_a_password_that_is_given_as_its_hash_is_compared_as_text() -> None:
    assert matches(scram("x"), "app", scram("x"))


def test_what_the_server_would_normalise_is_taken_as_unchanged() -> None:
    assert matches(scram("anything"), "app", "pässword")
