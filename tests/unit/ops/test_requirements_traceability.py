"""A requirement's id leads from a test to the page, and a wrong id stops the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import InputError
from ops.requirements import Catalogue, Requirement, Results, TestResult, render_page
from ops.requirements.page import state_of

ROOT = Path(__file__).resolve().parents[3]


def result(name: str, *requirements: str, outcome: str = "passed", day: str = "2026-11-25") -> TestResult:
    assert outcome in ("passed", "failed", "skipped", "not run")
    return TestResult(id=f"tests/unit/test_a.py::{name}", requirements=requirements, outcome=outcome, day=day)  # type: ignore[arg-type] # checked one line above


def run_pytest(directory: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A session of its own with the project's hooks, over one small test file."""
    (directory / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (directory / "pytest.ini").write_text("[pytest]\nmarkers = req(id): named requirement\n")
    (directory / "test_sample.py").write_text(body)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *options],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # other plugins triple the time of these runs
        cwd=directory, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


def test_the_catalogue_holds_every_numbered_requirement_once() -> None:
    identifiers = [requirement.id for requirement in Catalogue.load()]
    families = {letter: sum(name.startswith(letter) for name in identifiers) for letter in "CRPV"}
    assert families == {"C": 77, "R": 38, "P": 22, "V": 30}
    assert len(set(identifiers)) == 167


def test_the_same_id_in_two_chapters_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text("A one:\n  C1: x\nB two:\n  C1: y\n")
    with pytest.raises(InputError, match="C1 stands in two chapters"):
        Catalogue.load(file)


@pytest.mark.parametrize(("written", "meant"), [("C2.33", "C2.3"), ("c4.1", "C4.1"), ("V3l", "V3"), ("PP9", "P9")])
def test_a_mistyped_id_leads_to_the_nearest_one(written: str, meant: str) -> None:
    assert Catalogue.load().nearest(written) == meant


def test_unknown_ids_stop_collection_and_name_the_nearest(tmp_path: Path) -> None:
    body = (
        "import pytest\n"
        "@pytest.mark.req('C2.33')\ndef test_a(): pass\n"
        "@pytest.mark.req('X9')\ndef test_b(): pass\n"
        "@pytest.mark.req()\ndef test_c(): pass\n"
    )
    ended = run_pytest(tmp_path, body)
    text = ended.stdout + ended.stderr
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_a: requirement 'C2.33' is unknown, the nearest is 'C2.3'" in text
    assert "test_b: requirement 'X9' is unknown" in text
    assert "test_c: @pytest.mark.req takes ids as texts" in text


def test_a_run_reports_the_outcome_of_every_named_requirement(tmp_path: Path) -> None:
    body = (
        "import pytest\n"
        "@pytest.mark.req('C2.3', 'P5')\n@pytest.mark.parametrize('n', [1, 2])\ndef test_half(n): assert n == 1\n"
        "@pytest.mark.req('R1')\ndef test_good(): pass\n"
        "def test_without_a_name(): pass\n"
        "@pytest.fixture\ndef broken():\n    yield\n    raise RuntimeError('left behind')\n"
        "@pytest.mark.req('V1')\ndef test_untidy(broken): pass\n"
    )
    run_pytest(tmp_path, body, "--requirements-report", "report.json")
    found = {test.sentence: (test.requirements, test.outcome) for test in Results.read(tmp_path / "report.json").tests}
    assert found == {
        "half": (("C2.3", "P5"), "failed"),
        "good": (("R1",), "passed"),
        "untidy": (("V1",), "failed"),
    }


def test_a_run_of_some_tests_keeps_what_an_earlier_run_said_of_the_others(tmp_path: Path) -> None:
    body = "import pytest\n@pytest.mark.req('R1')\ndef test_one(): pass\n@pytest.mark.req('R2')\ndef test_two(): pass\n"
    for chosen in ("one", "two"):
        run_pytest(tmp_path, body, "-k", chosen, "--requirements-report", "report.json")
    found = {test.sentence: test.outcome for test in Results.read(tmp_path / "report.json").tests}
    assert found == {"one": "passed", "two": "passed"}


def test_workers_of_one_run_write_one_report(tmp_path: Path) -> None:
    body = (
        "import pytest\n"
        "@pytest.mark.req('R1')\n@pytest.mark.parametrize('n', range(4))\ndef test_even(n): assert n % 2 == 0\n"
        "@pytest.mark.req('R2')\ndef test_good(): pass\n"
        "@pytest.mark.req('V1')\ndef test_last(): pass\n"
    )
    ended = run_pytest(tmp_path, body, "-p", "xdist", "-n", "2", "--requirements-report", "report.json")
    assert "2 failed, 4 passed" in ended.stdout
    found = {test.sentence: (test.requirements, test.outcome) for test in Results.read(tmp_path / "report.json").tests}
    assert found == {"even": (("R1",), "failed"), "good": (("R2",), "passed"), "last": (("V1",), "passed")}


def test_collecting_alone_reports_tests_as_not_run(tmp_path: Path) -> None:
    body = "import pytest\n@pytest.mark.req('R1')\ndef test_good(): pass\n"
    run_pytest(tmp_path, body, "--collect-only", "--requirements-report", "report.json")
    assert [test.outcome for test in Results.read(tmp_path / "report.json").tests] == ["not run"]


def test_a_later_run_replaces_what_it_ran_and_keeps_the_rest() -> None:
    known = Results.of([result("test_a", "R1", outcome="failed"), result("test_b", "R2", day="2026-11-01")])
    newer = Results.of([result("test_a", "R1"), result("test_b", "R2", outcome="not run", day="")])
    merged = {test.id.partition("::")[2]: (test.outcome, test.day) for test in known.merged(newer).tests}
    assert merged == {"test_a": ("passed", "2026-11-25"), "test_b": ("passed", "2026-11-01")}


def test_a_test_that_no_longer_exists_proves_nothing_and_others_what_they_name_now() -> None:
    present = Results.of([result("test_a", "R2", outcome="not run", day="")])
    kept = Results.of([result("test_a", "R1"), result("test_gone", "R1")]).held_against(present)
    assert [(test.sentence, test.requirements, test.outcome) for test in kept.tests] == [("a", ("R2",), "passed")]


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([], "not yet"),
        (["passed", "passed"], "shown"),
        (["passed", "failed"], "failed"),
        (["passed", "not run"], "partly run"),
        (["not run", "skipped"], "not run"),
    ],
)
def test_one_failure_or_gap_is_enough_to_lose_the_word_shown(outcomes: list[str], state: str) -> None:
    tests = [result(f"test_{n}", "R1", outcome=word) for n, word in enumerate(outcomes)]
    assert state_of(Requirement(id="R1", chapter="R", title="x"), tests) == state


def test_a_known_gap_keeps_a_passing_requirement_from_counting_as_shown() -> None:
    gap = Requirement(id="R1", chapter="R", title="from nothing", gap="only on Debian")
    page = render_page(Catalogue([gap]), Results.of([result("test_up", "R1")]))
    assert "| shown in part | 1 |" in page
    assert "| shown in part (2026-11-25); missing: only on Debian |" in page


def test_a_gap_of_an_unknown_requirement_is_refused(tmp_path: Path) -> None:
    gaps = tmp_path / "gaps.yaml"
    gaps.write_text("P99: x\n")
    with pytest.raises(InputError, match="P99 is unknown"):
        Catalogue.load(gaps_file=gaps)


def test_the_page_names_every_requirement_its_proof_and_what_is_missing() -> None:
    tests = [result("test_make_up_works", "R1"), result("test_bad", "C1.3", outcome="failed")]
    page = render_page(Catalogue.load(), Results.of(tests))
    for requirement in Catalogue.load():
        assert f"| {requirement.id} | {requirement.title} |" in page
    assert "| [make up works](../../tests/unit/test_a.py) | shown (2026-11-25) |" in page
    assert "**failed**: bad (2026-11-25)" in page
    assert "| shown | 1 |\n| failed | 1 |\n| not yet | 165 |" in page
    assert "- P Pains of the past: P1, P2" in page
    assert "| [R Programme](#r-programme) | 1 |  | 37 |" in page, "a row for each chapter"


def test_many_proofs_are_counted_and_not_listed() -> None:
    page = render_page(Catalogue.load(), Results.of(result(f"test_{n}", "R1") for n in range(9)))
    assert "; 5 more |" in page


@pytest.mark.parametrize(
    ("text", "complaint"), [("{", "is not JSON"), (json.dumps({"format": 7}), "is not a requirements report")]
)
def test_a_foreign_file_is_refused_with_the_way_to_make_a_right_one(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(InputError, match=complaint) as caught:
        Results.read(file)
    assert "pytest --requirements-report" in caught.value.hint


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such report"):
        Results.read(tmp_path / "absent.json")
