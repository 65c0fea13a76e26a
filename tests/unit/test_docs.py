"""Documents lead somewhere: links, commands and quoted messages exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from ops.cli import app

ROOT = Path(__file__).resolve().parents[2]
_EXAMPLES = (ROOT / "examples").glob("*/README.md")
COMMANDS = set(getattr(get_command(app), "commands", {}))
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), *_EXAMPLES])
RUNBOOKS = [page for page in PAGES if page.parent.name == "runbooks" and page.name != "README.md"]
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def code_of(page: Path) -> str:
    """Everything of a page that stands in code form."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", page.read_text(encoding="utf-8"), re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_that_exists(page: Path) -> None:
    targets = [target for target in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_and_ops_command_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = code_of(page)
    made = {word for line in re.findall(r"\bmake ((?:[a-z-]+ ?)+)", named) for word in line.split()}
    assert {word for word in made if not word.startswith("-")} - targets == set()
    assert set(re.findall(r"\bops ([a-z][a-z-]+)", named)) - COMMANDS == set()


@pytest.mark.req("R10")
@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_runbook_says_how_it_looks_what_to_do_and_how_to_see_that_it_is_good(page: Path) -> None:
    headings = re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == ["How it looks", "What to do", "How you see that it is good"]


@pytest.mark.req("R10")
def test_the_index_names_every_runbook() -> None:
    index = (ROOT / "docs" / "runbooks" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in RUNBOOKS if f"]({page.name})" not in index] == []


@pytest.mark.parametrize(
    "message",
    [
        "holds this instance",
        "is locked by pulumi, process",
        "was made with another passphrase",
        "and a first build needs",
        "cannot start on this machine; nothing was changed",
        "overlaps the machine's",
        "already runs from",
        "primary moves from",
        "error connecting to PostgreSQL server",
    ],
)
def test_a_message_that_a_runbook_explains_is_one_that_the_program_prints(message: str) -> None:
    sources = [*(ROOT / "local").rglob("*.py"), *(ROOT / "ops").rglob("*.py")]
    assert any(message in source.read_text(encoding="utf-8") for source in sources)
    assert any(message in page.read_text(encoding="utf-8").replace("\n  ", " ") for page in RUNBOOKS)
