"""What a runbook tells people to type: at the right server, in the right stack, and so that it has an effect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.postgres import cluster_spec

from tests.stacks.support.samples import postgres
from tests.unit.test_docs import RUNBOOKS, code_of

_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"\n(?= *(?:\d+\.|-) )")
_NUMBERED = re.compile(r"\bkubectl (?:exec|logs|delete|describe)\b[^`\n]*?\b(?:[a-z]+-)?database-[1-9]\S*")
_PUTS_BACK = re.compile(r"`make up[^`]*`[^.;:\n]*\b(?:puts?|restores?|mends?|makes? (?:it|them)) ")
_PATCH = re.compile(r"kubectl patch cluster\.postgresql\S* [^\n]*-p '(\{.*\})'")
_PROD = [page for page in RUNBOOKS if "-n omnibase-prod" in page.read_text(encoding="utf-8")]
_WITH_AN_EXAMPLE = ("database-change-failed",)
"""Pages about one server, whichever it is; the number stands for it."""


def typed(page: Path) -> str:
    """The shell blocks of a page, one after the other."""
    return "\n".join(_BLOCK.findall(page.read_text(encoding="utf-8")))


def numbered(text: str) -> list[str]:
    """Commands at a server that is named by its number. Any of them may be the primary: a failover moves it."""
    return _NUMBERED.findall(text)


@pytest.mark.req("R10")
@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_no_command_is_for_a_server_whose_number_somebody_guessed(page: Path) -> None:
    assert page.stem in _WITH_AN_EXAMPLE or numbered(code_of(page)) == []


def test_a_server_that_is_named_by_its_number_is_found() -> None:
    assert numbered("kubectl exec -n omnibase-dev database-1 -c postgres -- psql") != []
    assert numbered("kubectl delete pvc -n omnibase-prod database-2 database-2-wal") != []
    assert numbered("kubectl exec -n omnibase-dev service/database-rw -c postgres -- psql") == []


@pytest.mark.req("R10")
@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_commands_of_this_project_can_be_typed_in_a_new_shell(page: Path) -> None:
    """Neither is on the PATH of a machine on which nothing is installed."""
    block = typed(page)
    assert not re.search(r"^ *(?:ops|pulumi stack) ", block, re.MULTILINE), "write .venv/bin/ops"
    first = block.find("kubectl ")
    assert first < 0 or 0 <= block.find('eval "$(make -s env') < first


def of_no_stack(code: str) -> list[str]:
    """Commands that would work on `dev`, or on whatever stack was selected last."""
    makes = re.findall(r"\bmake (?:-s )?(?:up|refresh|preview|down|env)\b(?![^`\n;|]*STACK=)[^`\n]*", code)
    ops = re.findall(r"\.venv/bin/ops (?![^`\n]*--stack )[^`\n]*", code)
    return [*makes, *ops, *re.findall(r"\bpulumi (?:up|refresh|destroy)\b(?![^`\n]*--stack )[^`\n]*", code)]


@pytest.mark.req("R10")
@pytest.mark.parametrize("page", _PROD, ids=lambda page: page.stem)
def test_a_runbook_of_prod_names_the_stack_in_every_command(page: Path) -> None:
    assert of_no_stack(code_of(page)) == []


def test_a_command_without_a_stack_is_found() -> None:
    code = '`make up` `make up STACK=prod` `eval "$(make -s env)"` `eval "$(make -s env STACK=prod)"`'
    assert of_no_stack(code) == ["make up", 'make -s env)"']
    assert of_no_stack("`.venv/bin/ops status` `.venv/bin/ops db backups --stack prod`") == [".venv/bin/ops status"]
    assert of_no_stack("`pulumi up` `pulumi preview`") == ["pulumi up"]


def unseen(text: str) -> Iterator[str]:
    """Where `make up` is to mend what somebody changed by hand. It compares with what was deployed last, not with what
    is there: only a refresh lets it see the change."""
    for item in _ITEM.split(text):
        found = _PUTS_BACK.search(item)
        if found and "make refresh" not in item[: found.start()]:
            yield item


@pytest.mark.req("R10")
@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_what_was_changed_by_hand_is_seen_before_it_is_put_back(page: Path) -> None:
    assert list(unseen(page.read_text(encoding="utf-8"))) == []


def test_a_change_by_hand_that_nothing_sees_is_found() -> None:
    assert list(unseen("1. Scaled by hand: `make refresh` shows it, `make up` puts it back.\n2. Else nothing.")) == []
    assert list(unseen("1. Look.\n2. Scaled by hand: `make up STACK=prod` puts it back.")) != []


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch."""
    both = {key: laid_over(below[key], value) for key, value in above.items()
            if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)}  # fmt: skip
    return {**below, **above, **both}


@pytest.mark.req("R10")
def test_what_runbooks_patch_in_a_database_ends_as_it_is_declared() -> None:
    """`make up` finds no difference afterwards, so a page that weakens the quorum must put it back itself."""
    declared = cluster_spec.cluster("database", postgres(instances=3))
    patches = {page.stem: _PATCH.findall(page.read_text(encoding="utf-8")) for page in RUNBOOKS}
    assert len(patches["database-quorum-lost"]) > 1
    for page, found in patches.items():
        ended = dict(declared)
        for patch in found:
            ended = laid_over(ended, json.loads(patch))
        assert ended == declared, page
