"""The restore bench says what it measured, and whether that is within the target."""

from __future__ import annotations

import dataclasses

from bench.restore import Figures, table

FIGURES = Figures(database_mib=1054.4, log_mib=55.1, backup_seconds=31.6, answer_seconds=179.6, whole_seconds=190.2)


def test_the_row_says_whether_the_target_is_met() -> None:
    assert "| 180 s | <= 180 s: met |" in table(FIGURES)
    assert "| 181 s | <= 180 s: **missed** |" in table(dataclasses.replace(FIGURES, answer_seconds=181.0))


def test_the_table_says_how_much_was_restored() -> None:
    first = table(FIGURES).splitlines()[0]
    assert first.endswith("a database of 1054 MiB, 55 MiB of log after its base backup:")
