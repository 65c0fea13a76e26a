"""Effective settings with their origin, and how two stacks differ."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from local.errors import InputError
from ops.config import difference, show
from ops.config.settings import BUILT_IN, differences, origin, settings_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def console() -> Console:
    return Console(highlight=False, width=200)


@pytest.mark.req("C1.2")
def test_every_setting_says_who_set_it() -> None:
    found = settings_of(ROOT, "dev", {"OMNIBASE__POSTGRES__STORAGE_GIB": "3"})
    assert found["postgres.storage_gib"].value == 3
    assert found["postgres.storage_gib"].origin == "OMNIBASE__POSTGRES__STORAGE_GIB"
    assert re.fullmatch(r"Pulumi\.dev\.yaml:[0-9]+:5", found["images.lock"].origin)
    assert found["postgres.instances"].origin == "dev defaults"
    assert {re.sub(r":[0-9:]+$", "", setting.origin) for setting in found.values()} <= {
        BUILT_IN,
        "dev defaults",
        "Pulumi.dev.yaml",
        "OMNIBASE__POSTGRES__STORAGE_GIB",
    }


def test_a_setting_that_nobody_names_comes_from_the_model_or_from_what_is_above() -> None:
    origins = {"a.b": "file", "a": "defaults", "c.d.e": "variable"}
    assert origin(origins, "a.b") == "file"
    assert origin(origins, "a.x") == "defaults"
    assert origin(origins, "c.d") == "variable"
    assert origin(origins, "z") == BUILT_IN


@pytest.mark.req("C1.9")
def test_staging_and_prod_differ_in_what_their_files_say_and_in_little_else() -> None:
    found = list(differences(settings_of(ROOT, "staging", {}), settings_of(ROOT, "prod", {})))
    paths = [each.path for each in found]
    assert "environment" in paths
    assert "cluster.context" in paths
    assert "postgres.instances" not in paths, "both run production's shape"
    assert len(paths) <= len(settings_of(ROOT, "prod", {})) / 3, paths


def test_a_stack_has_no_difference_to_itself(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert difference("prod", "prod", as_json=False, console=console) == 0
    assert "prod and prod have the same settings" in capsys.readouterr().out


def test_the_difference_for_programs_holds_value_and_origin(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    assert difference("staging", "prod", as_json=True, console=console) == 0
    found = {each["path"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["environment"]["staging"]["value"] == "staging"
    assert found["environment"]["prod"]["origin"].startswith("Pulumi.prod.yaml:")


def test_the_table_shows_both_values_and_who_set_them(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    difference("staging", "prod", as_json=False, console=console)
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if "cluster.context" in line)
    assert "omnibase-staging" in line
    assert "omnibase-prod" in line
    assert re.search(r"Pulumi\.staging\.yaml:[0-9:]+, Pulumi\.prod\.yaml:[0-9:]+", line)


def test_show_prints_everything_with_or_without_origin(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert show("prod", with_origin=True, as_json=True, console=console) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["postgres.instances"] == {"value": 3, "origin": "prod defaults"}
    show("prod", with_origin=False, as_json=True, console=console)
    assert json.loads(capsys.readouterr().out)["postgres.instances"] == 3
    show("prod", with_origin=True, as_json=False, console=console)
    assert "prod defaults" in capsys.readouterr().out


def test_settings_that_cannot_be_used_are_named_all_at_once(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.setenv("OMNIBASE__POSTGRES__INSTANCES", "none")
    monkeypatch.setenv("OMNIBASE__POSTGRESS", "1")
    with pytest.raises(InputError, match=r"postgres\.instances") as refused:
        show("dev", with_origin=True, as_json=False, console=console)
    assert "postgress" in str(refused.value)


def test_an_unknown_stack_is_bad_input(console: Console) -> None:
    with pytest.raises(InputError, match="stack 'pord' is unknown"):
        difference("pord", "prod", as_json=False, console=console)
