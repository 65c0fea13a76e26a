"""The page of all settings and the editors' schema are made from the model and are fresh."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import jsonschema
import pytest
import yaml
from omnibase_infra.config.descriptions import descriptions
from omnibase_infra.config.reference import json_schema, markdown
from omnibase_infra.config.section import Section

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "reference" / "configuration.md"
SCHEMA = ROOT / "docs" / "reference" / "configuration.schema.json"


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    """Of the schema, which is one itself: `jsonschema.validate` would see to that each time."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check(file: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDENS") == "1":
        file.write_text(text)
    assert file.read_text() == text, f"{file.name} is stale; UPDATE_GOLDENS=1 writes it anew"


def test_the_page_is_fresh() -> None:
    check(PAGE, markdown())


def test_the_schema_for_editors_is_fresh() -> None:
    check(SCHEMA, json.dumps(json_schema(), indent=1, sort_keys=True) + "\n")


@pytest.mark.req("C1.1")
def test_every_setting_has_a_type_and_a_meaning() -> None:
    rows = [line.split("|") for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) >= 40
    assert [row[1] for row in rows if not row[2].strip() or not row[-2].strip()] == []


@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_an_editor_accepts_the_stack_files(stack: str) -> None:
    validator().validate(yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text()))


def test_an_editor_sees_an_unknown_key_and_a_wrong_type() -> None:
    content = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    content["config"]["omnibase-infra:postgres"] = {"instances": "two", "instnces": 2}
    content["config"]["omnibase-infra:clster"] = {}
    text = "\n".join(error.message for error in validator().iter_errors(content))
    assert "'two' is not of type 'integer'" in text
    assert "instnces" in text
    assert "clster" in text


@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_the_first_line_of_a_stack_file_tells_editors_its_schema(stack: str) -> None:
    first = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=docs/reference/configuration.schema.json"


def test_the_schema_takes_what_the_engine_writes_and_refuses_what_the_program_does() -> None:
    content = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8"))
    content["encryptionsalt"] = "v1:abc"
    content["config"]["other-program:key"] = 1
    content["config"]["omnibase-infra:monitoring"]["receiver"]["secret_url"] = {"secure": "v1:abc"}
    validator().validate(content)
    for wrong in ({"protect": True}, {"omnibase-infra:protec": True}, {"omnibase-infra:protect": {"secure": "v1:abc"}}):
        with pytest.raises(jsonschema.ValidationError):
            validator().validate({**content, "config": {**content["config"], **wrong}})
    with pytest.raises(jsonschema.ValidationError):
        validator().validate({**content, "confg": {}})


def test_page_and_schema_are_the_same_bytes_each_time_they_are_made() -> None:
    assert markdown() == markdown()
    assert json.dumps(json_schema()) == json.dumps(json_schema())


class _Base(Section):
    """A part of the settings."""

    first: int
    """What a base says,
    on two lines."""


class _Part(_Base):
    """Another one."""

    second: int
    third: int = 3
    """What it says itself."""
    "a text that follows a text is of no field"


def test_what_stands_below_a_field_describes_it() -> None:
    assert descriptions(_Part) == {"first": "What a base says,\non two lines.", "third": "What it says itself."}


def test_editors_are_told_what_every_setting_is() -> None:
    schema = json_schema()
    parts = [schema["properties"]["config"], *schema["$defs"].values()]
    fields = [(name, field) for part in parts for name, field in part.get("properties", {}).items()]
    assert len(fields) >= 150
    assert [name for name, field in fields if not field.get("description")] == []
