"""What benches write into docs/benchmarks.md, and what they leave alone."""

from __future__ import annotations

import pytest

from bench import migrations, policy, restore, upgrade
from bench.page import PAGE, Place
from bench.postgres import report


def test_figures_stand_between_their_marks_and_nothing_else_changes() -> None:
    place = Place("bench-speed", "Speed")
    page = place.with_figures("# Benchmarks\n\nText.\n", "old")
    assert page == "# Benchmarks\n\nText.\n\n## Speed\n\n<!-- bench-speed -->\nold\n<!-- /bench-speed -->\n"
    assert place.with_figures(f"{page}\nAfter.\n", "new") == f"{page}\nAfter.\n".replace("old", "new")


@pytest.mark.parametrize(
    "place", [migrations.PLACE, policy.PLACE, report.PLACE, restore.PLACE, upgrade.PLACE], ids=lambda place: place.bench
)
def test_the_committed_page_has_a_place_for_the_figures_of_each_bench(place: Place) -> None:
    page = PAGE.read_text(encoding="utf-8")
    changed = place.with_figures(page, "figures")
    before, _, after = changed.partition("\nfigures\n")
    assert page.startswith(before)
    assert page.endswith(after)
    assert f"## {place.heading}\n" in before
