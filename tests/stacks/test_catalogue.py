"""What of the catalogue the golden registrations of the stacks hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from omnibase_infra.config.catalogue import CATALOGUE

from tests.stacks.support import stacks

FILE: dict[str, Any] = yaml.load((stacks.ROOT / CATALOGUE).read_text(), Loader=yaml.CSafeLoader)


def golden(stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((stacks.GOLDEN / f"{stack}.json").read_text())
    return found


def names(stack: str, kind: str) -> set[str]:
    return {entry["name"] for entry in golden(stack) if entry["type"] == f"omnibase-infra:index:{kind}"}


@pytest.mark.req("R38", "P16")
def test_every_service_of_the_catalogue_is_a_workload_of_prod() -> None:
    assert set(FILE["services"]) - names("prod", "HardenedWorkload") == set()


@pytest.mark.req("R38")
def test_every_bundle_of_the_catalogue_is_in_prod() -> None:
    (platform,) = [entry for entry in golden("prod") if entry["type"] == "omnibase-infra:index:Platform"]
    assert set(platform["inputs"]["settings"]["bundles"]) == set(FILE["bundles"])


@pytest.mark.req("R38", "C7.5")
def test_every_topic_database_route_and_endpoint_of_the_catalogue_is_in_prod() -> None:
    text = (stacks.GOLDEN / "prod.json").read_text()
    named = [*FILE["messaging"]["topics"], *FILE["postgres"]["databases"], *FILE["gateway"]["routes"]]
    assert [name for name in [*named, *FILE["mcp"]["endpoints"]] if name not in text] == []


@pytest.mark.parametrize("stack", ["dev", "test"])
def test_a_stack_on_one_machine_has_nothing_of_services_that_it_does_not_select(stack: str) -> None:
    text = (stacks.GOLDEN / f"{stack}.json").read_text()
    absent = set(FILE["services"]) - {"reference"}
    assert sorted(name for name in absent if f'"{name}' in text) == []


@pytest.mark.req("C1.6", "C1.7", "C1.12")
@pytest.mark.parametrize("document", ["mcp", "responders", "security"])
def test_a_document_of_the_catalogue_reaches_the_services_that_ask_for_it(document: str) -> None:
    readers = {name for name, service in FILE["services"].items() if document in service.get("documents", [])}
    maps = [entry["inputs"] for entry in golden("prod") if entry["type"] == "kubernetes:core/v1:ConfigMap"]
    given = {
        item["metadata"]["name"].rpartition("-settings-")[0]
        for item in maps
        if f"{document}.json" in item.get("data", {})
    }
    assert readers
    assert given == readers
