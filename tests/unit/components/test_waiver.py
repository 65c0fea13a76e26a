"""A waiver is complete, known and in date, or it is refused."""

from __future__ import annotations

import datetime

import pytest
from omnibase_infra.waiver import Waiver, waiver_problems

TODAY = datetime.date(2026, 6, 1)
GOOD: Waiver = {
    "setting": "writable-root",
    "reason": "legacy image writes there",
    "owner": "ops",
    "until": "2026-06-01",
}


def complaints(**changes: str) -> str:
    waiver: Waiver = {**GOOD, **changes}  # type: ignore[typeddict-item]  # changes are keys of Waiver
    return "\n".join(waiver_problems([waiver], ["writable-root"], TODAY))


def test_a_waiver_holds_on_its_last_day() -> None:
    assert complaints() == ""


@pytest.mark.req("V28")
def test_a_waiver_fails_the_day_after() -> None:
    assert "ended on 2026-05-31" in complaints(until="2026-05-31")


@pytest.mark.req("V28")
@pytest.mark.parametrize("until", ["", "soon", "2026-13-01"])
def test_a_waiver_without_a_date_is_refused(until: str) -> None:
    assert "must be a date YYYY-MM-DD" in complaints(until=until)


def test_a_waiver_is_not_for_ever() -> None:
    assert "more than 366 days ahead" in complaints(until="2027-06-03")
    assert complaints(until="2027-06-02") == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"setting": "root-user"}, "no such rule; known: writable-root"),
        ({"reason": "because"}, "at least 10 characters"),
        ({"owner": " "}, "owner is missing"),
    ],
)
def test_a_waiver_says_what_why_and_who(change: dict[str, str], complaint: str) -> None:
    assert complaint in complaints(**change)
