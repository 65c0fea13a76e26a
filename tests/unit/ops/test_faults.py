"""What goes wrong most often in each part: every wrong setting is tried, every test that is named exists."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.config import ConfigError, load
from omnibase_infra.config.catalogue_file import read_catalogue
from omnibase_infra.config.stack_file import read_stack_file
from pydantic import ValidationError

from ops.faults import Wrong, missing_proofs, read, render_page
from ops.faults.page import pages_of_alerts

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "architecture" / "faults.md"
PARTS = read()
TRIED = [(part.part, wrong) for part in PARTS for wrong in part.wrong if wrong.change]


def changed(wrong: Wrong) -> dict[str, Any]:
    """What the stack's file says, with the change."""
    values = copy.deepcopy(dict(read_stack_file(ROOT / f"Pulumi.{wrong.stack}.yaml", wrong.stack).values))
    for path, value in wrong.change.items():
        *heads, last = path.split(".")
        level: Any = values
        for head in heads:
            level = level[int(head)] if isinstance(level, list) else level.setdefault(head, {})
        if value is None:
            del level[last]
        else:
            level[last] = value
    return values


@pytest.mark.req("C1.3")
@pytest.mark.parametrize(("part", "wrong"), TRIED, ids=[f"{part}: {wrong.setting}" for part, wrong in TRIED])
def test_a_wrong_setting_is_refused_with_the_message_of_the_list(part: str, wrong: Wrong) -> None:
    with pytest.raises(ConfigError) as refused:
        load(wrong.stack, changed(wrong), {}, catalogue=read_catalogue(ROOT, wrong.stack))
    named = {problem.path for problem in refused.value.problems if wrong.message in str(problem)}
    assert named, f"{part}: {refused.value}"


def test_every_named_test_exists_and_asks_for_the_message_or_the_alert() -> None:
    assert missing_proofs(ROOT, PARTS) == []


def test_a_test_that_does_not_exist_or_shows_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text('def test_there() -> None:\n    noticed("Other")\n')
    wrong = Wrong(setting="s", message="never said", test="test_x.py::test_there")
    fault = PARTS[0].faults[0].model_copy(update={"tests": ["test_x.py::test_there", "test_x.py::test_gone"]})
    part = PARTS[0].model_copy(update={"wrong": [wrong], "faults": [fault]})
    assert missing_proofs(tmp_path, [part]) == [
        "workload: test_x.py::test_there does not ask for 'never said'",
        "workload: test_x.py::test_gone does not exist",
        "workload: no test of 'every copy is gone' looks for the alert ServiceDown",
    ]


def test_an_entry_that_proves_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text("- {part: p, page: p.md, wrong: [{setting: s, message: m}], faults: []}\n")
    with pytest.raises(ValidationError, match="needs either `stack` and `change`, or `test`"):
        read(file)


@pytest.mark.req("R10")
def test_every_part_has_a_page_and_the_list_is_the_page() -> None:
    index = (ROOT / "docs" / "runbooks" / "README.md").read_text(encoding="utf-8")
    text = render_page(PARTS, pages_of_alerts(index))
    if os.environ.get("UPDATE_GOLDENS") == "1":
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text, "`make goldens` writes the page anew"
    assert [part.page for part in PARTS if not (PAGE.parent / part.page).is_file()] == []
