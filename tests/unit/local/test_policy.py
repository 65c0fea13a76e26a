"""Exceptions from the policy pack are shown before every preview and up, with their last days."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from local import policy
from local.errors import InputError
from local.progress import Progress

TODAY = datetime.date(2027, 1, 31)


def _file(directory: Path, content: object) -> Path:
    file = directory / "dev.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def _said(file: Path) -> str:
    output = io.StringIO()
    policy.say_waivers(file, Progress(Console(file=output, width=300)), TODAY)
    return output.getvalue()


def _waiver(name: str, until: str) -> dict[str, str]:
    return {"object": f"Deployment/space/{name}", "reason": "a reason", "owner": "data", "until": until}


def test_every_waiver_is_shown_with_its_last_day_and_those_that_ended_are_told_apart(tmp_path: Path) -> None:
    given = {
        "all": "advisory",
        "no-host-path": {"enforcementLevel": "advisory", "waivers": [_waiver("later", "2027-06-30")]},
        "no-privileged": {"waivers": [_waiver("today", "2027-01-31"), _waiver("over", "2027-01-30")]},
    }
    said = _said(_file(tmp_path, given))
    assert "policy: 3 waivers in" in said
    assert "the next ends 2027-01-30" in said
    assert "no-privileged: Deployment/space/over, ended 2027-01-30, the rule counts again (data)" in said
    assert "no-privileged: Deployment/space/today, until 2027-01-31 (data)" in said
    assert "no-host-path: Deployment/space/later, until 2027-06-30 (data)" in said


def test_without_waivers_nothing_is_said(tmp_path: Path) -> None:
    assert _said(_file(tmp_path, {"all": "mandatory", "no-privileged": "advisory"})) == ""


def test_a_waiver_without_its_fields_is_shown_and_left_to_the_pack_to_refuse(tmp_path: Path) -> None:
    assert "not said" in _said(_file(tmp_path, {"no-privileged": {"waivers": [{"owner": "data"}]}}))


@pytest.mark.parametrize("content", ["{", "[]"])
def test_levels_that_cannot_be_read_are_bad_input(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match=r"dev\.json of the policy levels"):
        _said(_file(tmp_path, content))
