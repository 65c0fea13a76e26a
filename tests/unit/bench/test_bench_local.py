"""A run of the bench adds one row and never loses an earlier one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import local as bench

MEMORY = bench.Memory(proportional=2 << 30, resident=5 << 29, pods=1 << 30)
FIGURES = bench.Figures(up_unchanged=8.04, with_dev=MEMORY)
PAGE = f"# Benchmarks\n\n{bench._BEGIN}\n{bench._END}\n\n## What it brought\n"


def row(day: str) -> str:
    return bench.table_row(FIGURES, day, "abc1234", "2 x CPU, 8 GiB, Debian")


def test_a_row_names_day_commit_and_machine_and_marks_what_was_not_measured() -> None:
    assert row("2026-11-25") == (
        "| 2026-11-25 | abc1234 | 2 x CPU, 8 GiB, Debian | 8.0 s | - | - | 2.00 GiB (2.50), pods 1.00 | - | - | - |"
    )


def test_every_figure_has_a_heading_and_a_target_and_every_line_as_many_cells() -> None:
    lines = [*bench.header().splitlines(), row("2026-11-25")]
    assert {line.count("|") for line in lines} == {11}


def test_a_second_run_keeps_the_first_row_and_the_text_around_the_table() -> None:
    page = bench.with_row(bench.with_row(PAGE, row("2026-11-25")), row("2026-11-26"))
    assert page.count(row("2026-11-25")) == 1
    assert page.index(row("2026-11-25")) < page.index(row("2026-11-26"))
    assert page.count("| target |") == 1
    assert page.startswith("# Benchmarks\n")
    assert page.endswith("\n\n## What it brought\n")


def test_a_page_without_its_marks_is_not_overwritten() -> None:
    with pytest.raises(bench.BenchError, match="has no lines"):
        bench.with_row("# Benchmarks\n", row("2026-11-25"))


def test_the_committed_page_takes_a_row() -> None:
    page = Path(bench.PAGE).read_text(encoding="utf-8")
    assert row("2026-11-25") in bench.with_row(page, row("2026-11-25"))


def test_the_machine_is_described_by_processors_memory_and_system() -> None:
    processors, memory, *_ = bench.machine().split(", ")
    assert " x " in processors
    assert memory.endswith(" GiB")


def test_an_unknown_argument_is_refused_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--ful"]) == 2
    assert "unknown argument '--ful'" in capsys.readouterr().err


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, str]]]:
    """What a bench runs, by its last word, with the variables that it sets; nothing is really run."""
    commands: list[tuple[str, Mapping[str, str]]] = []

    def run(*command: str, extra: Mapping[str, str] | None = None) -> float:
        commands.append((command[-1], extra or {}))
        return float(len(commands))

    monkeypatch.setattr(bench, "_run", run)
    monkeypatch.setattr(bench, "_memory", lambda: MEMORY)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    return commands


def test_a_full_run_measures_every_figure(ran: list[tuple[str, Mapping[str, str]]]) -> None:
    figures = bench.measure(warm=True, cold=True)

    assert None not in vars(figures).values()
    assert [word for word, _ in ran] == [
        "down", "clean", "up", "down", "clean",
        "down", "bench.node_alone", "down", "up",
        "up", "up", "up", "preview", "preview", "preview", "test",
    ]  # fmt: skip


def test_a_cold_up_finds_empty_caches_and_leaves_none(ran: list[tuple[str, Mapping[str, str]]]) -> None:
    bench._cold_up()

    (before, up, after) = (ran[:2], ran[2], ran[3:])
    assert not any(extra for _, extra in before)  # what is deployed belongs to the usual cache
    assert set(up[1]) == {"OMNIBASE_CACHE", "GOCACHE", "GOMODCACHE"}
    assert [extra for _, extra in after] == [up[1], up[1]]
    assert not any(Path(directory).exists() for directory in up[1].values())


def test_a_short_run_deletes_nothing(ran: list[tuple[str, Mapping[str, str]]]) -> None:
    figures = bench.measure(warm=False, cold=False)

    assert {word for word, _ in ran} == {"up", "preview", "test"}
    assert (figures.up_cold, figures.up_warm, figures.node_alone) == (None, None, None)
