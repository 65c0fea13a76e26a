"""A receipt proves that the service acknowledged a note, also after its key was rotated."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.reference.notes import Note
from services.reference.receipts import Receipts


def note(**changes: object) -> Note:
    values = {"id": 7, "key": "k", "body": "text", "created_at": datetime(2026, 1, 1, tzinfo=UTC), **changes}
    return Note.model_validate(values)


def with_key(directory: Path, text: str, previous: str = "") -> Receipts:
    file = directory / "receipt-key"
    file.write_text(text)
    if previous:
        (directory / "receipt-key.previous").write_text(previous)
    return Receipts(file)


def test_a_receipt_fits_its_note_and_no_other(tmp_path: Path) -> None:
    receipts = with_key(tmp_path, "first key")
    receipt = receipts.of(note())
    assert receipt is not None
    assert receipts.fits(note(), receipt)
    for other in (note(id=8), note(key="other"), note(body="texT")):
        assert not receipts.fits(other, receipt)
    assert not receipts.fits(note(), receipt + "ä")


def test_after_a_rotation_old_receipts_still_fit_and_new_ones_are_made_with_the_new_key(tmp_path: Path) -> None:
    old = with_key(tmp_path, "first key")
    given = old.of(note())
    rotated = with_key(tmp_path, "second key", previous="first key")
    assert given is not None
    assert rotated.fits(note(), given)
    assert rotated.of(note()) != given
    assert not with_key(tmp_path, "third key", previous="second key").fits(note(), given)


def test_without_a_key_there_are_no_receipts_and_none_fits() -> None:
    assert Receipts(None).of(note()) is None
    assert not Receipts(None).fits(note(), "v1.x")


def test_an_empty_key_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no key"):
        with_key(tmp_path, "\n")
