"""`ops requirements`: the list on a terminal, as JSON, or as the page docs/reference/requirements.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.errors import InputError
from ops.requirements.catalogue import Catalogue, Requirement
from ops.requirements.page import render_page, state_of
from ops.requirements.reports import last_results, present_tests
from ops.requirements.results import TestResult


def show(ids: Sequence[str], reports: Sequence[Path], *, as_json: bool, console: Console) -> int:
    """Print requirements and the state of their proof; 1 if a test that proves one of them failed.

    Raises:
        InputError: an unknown id, or a report that is none.
    """
    catalogue = Catalogue.load()
    unknown = [identifier for identifier in ids if identifier not in catalogue]
    if unknown:
        nearest = ", ".join(f"{name!r}: did you mean {catalogue.nearest(name)!r}?" for name in unknown)
        raise InputError(f"unknown requirement {nearest}", hint="`ops requirements` lists all")
    proofs = last_results(reports).by_requirement()
    rows = [(item, proofs.get(item.id, [])) for item in catalogue if not ids or item.id in ids]
    if as_json:
        print(json.dumps([_entry(item, tests) for item, tests in rows], indent=2))
    else:
        table = Table("id", "requirement", "state", "tests")
        for item, tests in rows:
            table.add_row(item.id, escape(item.title), state_of(item, tests), str(len(tests)))
        console.print(table)
    return 1 if any(state_of(item, tests) == "failed" for item, tests in rows) else 0


def write_page(page: Path, reports: Sequence[Path], console: Console) -> int:
    """Write the page from the reports and the tests that exist now; 1 if a test that proves something failed.

    Raises:
        InputError: a report that is none.
        LocalError: the tests cannot be collected.
    """
    present = present_tests()
    results = present.merged(last_results(reports)).held_against(present)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_page(Catalogue.load(), results), encoding="utf-8")
    failed = sum(test.outcome == "failed" for test in results.tests)
    console.print(f"wrote {page}: {len(results.by_requirement())} requirements are named by {len(results.tests)} tests")
    return 1 if failed else 0


def _entry(item: Requirement, tests: Sequence[TestResult]) -> dict[str, object]:
    return {
        "id": item.id,
        "chapter": item.chapter,
        "title": item.title,
        "state": state_of(item, tests),
        "missing": item.gap,
        "proven_by": [test.id for test in tests],
    }
