"""Which failed cluster tests are tried once more, and that a defect stays red."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cluster import second_try

_ONE = "tests/cluster/test_a.py::test_one"


def test_the_files_of_few_failures_run_again_each_once() -> None:
    assert second_try.files([_ONE, "tests/cluster/test_a.py::test_two", "tests/cluster/test_b.py::test[x::y]"], 1) == [
        "tests/cluster/test_a.py",
        "tests/cluster/test_b.py",
    ]


@pytest.mark.parametrize(
    ("failed", "code"),
    [([_ONE], 2), ([_ONE], 3), ([_ONE], 4), ([_ONE], 5), ([], 1), ([f"{_ONE}{number}" for number in range(4)], 1)],
)
def test_what_was_no_failed_test_or_too_many_of_them_is_final(failed: list[str], code: int) -> None:
    assert second_try.files(failed, code) == []


@pytest.mark.parametrize(("second", "whole"), [(0, 0), (1, 1), (2, 2)])
def test_the_second_run_decides_and_the_first_is_told(
    second: int, whole: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded = tmp_path / "lastfailed"
    recorded.write_text(json.dumps({_ONE: True, "tests/unit/test_x.py::test_other": True}))
    monkeypatch.setattr(second_try, "_LAST_FAILED", recorded)
    run = "import sys; print('ran', sys.argv[2:]); sys.exit(int(sys.argv[1]))"

    assert second_try.main(1, [sys.executable, "-c", run, str(second)]) == whole

    said = capfd.readouterr().out
    assert "SECOND TRY of tests/cluster/test_a.py" in said
    assert _ONE in said
    assert said.endswith("ran ['tests/cluster/test_a.py']\n")


def test_a_run_without_a_record_keeps_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_try, "_LAST_FAILED", tmp_path / "none")
    assert second_try.main(1, ["false"]) == 1
