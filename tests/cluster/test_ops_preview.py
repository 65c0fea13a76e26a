"""`ops preview` with the real engine against what is deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.ops_kit import changes, ops
from tests.cluster.platform_kit import STACK


@pytest.mark.req("R36")
def test_what_is_deployed_is_compared_with_what_would_be(outputs: dict[str, Any]) -> None:
    done = ops("preview", "--stack", STACK, "--json", OMNIBASE__SERVICES__REFERENCE__REPLICAS="2")
    assert done.code == 0, done.text
    report = json.loads(done.text)
    found = changes(report)
    assert found["reference-workload"] == ("update", ["spec.replicas"])
    assert [name for name, (op, _) in found.items() if op == "create" and "budget" in name]
    assert report["summary"]["replace"] == report["summary"]["delete"] == 0
    assert report["overrides"] == {"services.reference.replicas": "OMNIBASE__SERVICES__REFERENCE__REPLICAS"}


@pytest.mark.req("P7", "R5")
def test_a_changed_setting_of_one_service_leaves_everything_else_that_is_deployed_alone(
    outputs: dict[str, Any],
) -> None:
    done = ops("preview", "--stack", STACK, "--json", OMNIBASE__SERVICES__REFERENCE__LOG_LEVEL="ERROR")
    assert done.code == 0, done.text
    report = json.loads(done.text)
    owners = {group["name"] for group in report["components"]}
    assert "reference" in owners
    others = {name for name in owners if not name.startswith("reference")}
    assert others <= {"platform"}, "the whole, whose inputs are all settings"


def test_markdown_of_a_stack_as_it_is_says_that_nothing_changes(outputs: dict[str, Any]) -> None:
    done = ops("preview", "--stack", STACK, "--markdown")
    assert done.code == 0, done.text
    assert done.text.startswith(f"## Preview of `{STACK}` against what is deployed\n\nNo changes; ")
