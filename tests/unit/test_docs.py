"""Documents lead somewhere: links, commands and quoted messages exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.config import StackConfig
from typer.main import get_command

from ops.cli import app

ROOT = Path(__file__).resolve().parents[2]
_EXAMPLES = (ROOT / "examples").glob("*/README.md")
OPS: Any = get_command(app)
COMMANDS = set(OPS.commands)
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), *_EXAMPLES])
RUNBOOKS = [page for page in PAGES if page.parent == ROOT / "docs" / "runbooks" and page.name != "README.md"]
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


def wrong_words(line: str) -> list[str]:
    """What a command line of `ops` names that there is not: subcommands and options, of groups as well."""
    command, words = OPS, line.split()
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if (
        words
        and getattr(command, "commands", {})
        and re.fullmatch("[a-z-]+", words[0])
        and not words[0].startswith("-")
    ):
        return words[:1]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    named = [word.partition("=")[0] for word in words if re.match("--[a-z]", word)]
    return [word for word in named if word not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_subcommand_and_option_of_ops_that_a_page_names_exists(page: Path) -> None:
    lines = re.findall(r"(?:^|[\s`/(])ops ((?:[a-z-]|--)[^`\n|;#)\]]*)", code_of(page))
    assert {line: found for line in lines if (found := wrong_words(line))} == {}


def test_a_command_that_there_is_not_is_found() -> None:
    assert wrong_words("db orphan --stack dev") == ["orphan"]
    assert wrong_words("db orphans --stack dev --solve") == ["--solve"]
    assert wrong_words("db orphans --stack dev --resolve") == wrong_words("db explain -17 --json") == []


def missing_setting(path: str) -> bool:
    """Whether no setting is at a key path; names that people choose may be anything."""
    schema = _schema()
    level = schema
    for key in path.split("."):
        options = [level, *level.get("anyOf", ())]
        found = [_resolved(option, schema) for option in options]
        inner = [each.get("properties", {}).get(key, _any_name(each)) for each in found]
        level = next((each for each in inner if isinstance(each, dict)), None)
        if level is None:
            return True
    return False


@cache
def _schema() -> Any:  # noqa: ANN401 -- a JSON schema
    return StackConfig.model_json_schema()


def _any_name(level: Any) -> Any:  # noqa: ANN401 -- parts of a JSON schema
    """What stands below a name that people choose."""
    return next(iter(level.get("patternProperties", {}).values()), level.get("additionalProperties"))


def _resolved(level: Any, schema: Any) -> Any:  # noqa: ANN401 -- parts of a JSON schema
    return schema["$defs"][level["$ref"].rpartition("/")[2]] if "$ref" in level else level


@pytest.mark.req("R10")
@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_setting_of_a_database_that_a_runbook_names_exists(page: Path) -> None:
    named = re.findall(r"`((?:postgres|backup)(?:\.(?:[a-z_]+|<[a-z]+>))+)\b", code_of(page))
    assert [path for path in named if missing_setting(path.replace("<", "").replace(">", ""))] == []


def test_a_setting_that_there_is_not_is_found() -> None:
    assert missing_setting("postgres.pooler.max_client")
    assert not missing_setting("postgres.databases.orders.migrations.target_version")


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
