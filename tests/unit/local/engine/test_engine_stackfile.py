"""The engine's copy of a stack file: the checkout's settings and this machine's salt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from local.engine.stackfile import engine_project, engine_stack_file
from local.errors import InputError
from local.paths import Paths
from local.stack import known, read_mapping


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  tiny:size: 1\n")
    return replace(Paths.from_environment({}), root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


def test_settings_of_the_checkout_replace_those_of_the_copy_and_the_salt_stays(paths: Paths) -> None:
    copy = engine_stack_file(paths, "dev")
    copy.write_text("config:\n  tiny:size: 9\n  tiny:gone: x\nencryptionsalt: v1:abc\n")
    assert yaml.safe_load(engine_stack_file(paths, "dev").read_text()) == {
        "config": {"tiny:size": 1},
        "encryptionsalt": "v1:abc",
    }


def test_a_salt_in_the_checkout_wins_as_its_secrets_are_encrypted_under_it(paths: Paths) -> None:
    copy = engine_stack_file(paths, "dev")
    copy.write_text("encryptionsalt: v1:old\n")
    (paths.root / "Pulumi.dev.yaml").write_text("encryptionsalt: v1:new\n")
    assert read_mapping(engine_stack_file(paths, "dev")) == {"encryptionsalt": "v1:new"}


def test_an_unknown_stack_is_refused_with_the_known_ones(paths: Paths) -> None:
    (paths.root / "Pulumi.prod.yaml").touch()
    with pytest.raises(InputError, match="stack 'dve' is unknown") as caught:
        engine_stack_file(paths, "dve")
    assert "dev, prod" in caught.value.hint
    assert known(paths.root) == ["dev", "prod"]


def test_broken_yaml_is_reported_with_its_line_and_column(paths: Paths) -> None:
    (paths.root / "Pulumi.dev.yaml").write_text("config:\n  a: 1\n b: 2\n")
    with pytest.raises(InputError, match=r"Pulumi\.dev\.yaml line 3, column 2: "):
        engine_stack_file(paths, "dev")
    assert not paths.pulumi_config.exists()


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n"])
def test_a_stack_file_that_is_no_mapping_is_refused(paths: Paths, text: str) -> None:
    (paths.root / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(InputError, match="not a mapping"):
        engine_stack_file(paths, "dev")


def test_an_empty_stack_file_has_no_settings(paths: Paths) -> None:
    (paths.root / "Pulumi.dev.yaml").write_text("")
    assert read_mapping(engine_stack_file(paths, "dev")) == {}


def test_the_engine_gets_a_project_of_the_same_name_without_a_program(paths: Paths) -> None:
    directory, name = engine_project(paths)
    assert name == "tiny"
    assert directory == paths.pulumi_config
    assert read_mapping(directory / "Pulumi.yaml") == {"name": "tiny", "runtime": "python"}


@pytest.mark.parametrize("text", ["runtime: python\n", "name: 7\n", "name: ''\n"])
def test_a_project_without_a_name_is_refused(paths: Paths, text: str) -> None:
    (paths.root / "Pulumi.yaml").write_text(text)
    with pytest.raises(InputError, match="not a project name"):
        engine_project(paths)
