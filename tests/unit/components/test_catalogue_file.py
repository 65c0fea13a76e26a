"""catalogue.yaml: all of the users' catalogue is in it, each bundle stands by itself, the page about it is right."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from omnibase_infra.config import Catalogue, StackConfig, load
from omnibase_infra.config.catalogue import CATALOGUE, check
from omnibase_infra.config.stack_file import read_stack_file

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "architecture" / "catalogue.md").read_text()
FILE: dict[str, Any] = yaml.load((ROOT / CATALOGUE).read_text(), Loader=yaml.CSafeLoader)
THEIRS = [
    "agent-actions-consumer",
    "autoheal",
    "ci-relay",
    "consumer-health-projection",
    "context-audit-consumer",
    "decision-store-consumer",
    "dlq-replay-consumer",
    "forward-migration",
    "infisical",
    "infra-routing-decisions-consumer",
    "injection-effectiveness-consumer",
    "intelligence-api",
    "intelligence-migration",
    "keycloak",
    "linear-relay",
    "llm-cost-aggregation-consumer",
    "migration-gate",
    "omnibase-infra-memgraph",
    "omnidash",
    "omnimarket-projection-baselines",
    "omnimarket-projection-cost-by-repo",
    "omnimarket-projection-delegation",
    "omnimarket-projection-llm-cost",
    "omnimarket-projection-registration",
    "omnimarket-projection-savings",
    "omnimarket-projection-session-outcome",
    "omnimemory-kreuzberg",
    "omnimemory-memgraph",
    "omnimemory-qdrant",
    "omnimemory-valkey",
    "omninode-contract-resolver",
    "omninode-runtime",
    "phoenix",
    "postgres",
    "projection-api",
    "redpanda",
    "redpanda-partition-cap",
    "retry-worker",
    "runtime-canary",
    "runtime-effects",
    "runtime-worker",
    "savings-estimation-consumer",
    "skill-lifecycle-consumer",
    "valkey",
    "waitlist-signup-notifier",
]
"""The 45 services of the users' catalogue."""
PARTS = [
    "autoheal",
    "forward-migration",
    "intelligence-migration",
    "migration-gate",
    "postgres",
    "redpanda",
    "redpanda-partition-cap",
]
"""Those of them that are parts of every environment here; the page says which."""
BUNDLES = [
    "core",
    "runtime-core",
    "runtime-integrations",
    "runtime-observability-projections",
    "runtime-infrastructure",
    "runtime",
    "observability",
    "tracing",
    "memgraph",
    "omnimemory",
    "omnimarket-projections",
    "omnidash",
    "canary",
    "auth",
    "secrets",
]
STACKS = ("dev", "test", "staging", "prod")


def loaded(stack: str, catalogue: dict[str, Any] = FILE, **changes: Any) -> StackConfig:  # noqa: ANN401 -- as below
    return load(stack, stack_values(stack, **changes), {}, catalogue=Catalogue(values=catalogue)).config


def stack_values(stack: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    values = dict(read_stack_file(ROOT / f"Pulumi.{stack}.yaml", stack).values)
    return {**copy.deepcopy(values), **changes}


def references(stack: str) -> dict[str, str]:
    return dict(stack_values(stack)["images"]["references"])


@pytest.mark.req("R38", "P16")
def test_every_service_of_the_users_is_in_the_catalogue_or_a_part_of_every_environment() -> None:
    assert len(THEIRS) == 45
    assert set(THEIRS) - set(PARTS) == set(FILE["services"]) - {"reference"}


@pytest.mark.req("R38")
def test_what_is_no_service_here_stands_on_the_page_with_what_does_its_work() -> None:
    table = PAGE.split("Seven are parts")[1].split("Ports that collided")[0]
    assert sorted(re.findall(r"`([a-z-]+)`(?=[^|]*\|[^|]*\|$)", table, re.MULTILINE)) == sorted(PARTS)


@pytest.mark.req("R38")
def test_every_bundle_of_the_users_is_in_the_catalogue() -> None:
    assert set(FILE["bundles"]) == {*BUNDLES, "reference"}


def test_the_catalogue_names_nothing_that_it_does_not_have() -> None:
    assert list(check(FILE)) == []


@pytest.mark.req("C1.9")
@pytest.mark.parametrize("bundle", sorted(FILE["bundles"]))
def test_each_bundle_can_be_selected_alone(bundle: str) -> None:
    images = {name: text for stack in ("prod", "staging") for name, text in references(stack).items()}
    changes: dict[str, Any] = {
        "selected_bundles": ["reference", bundle],
        "bundles": {},
        "images": {"references": images},
    }
    services = loaded("staging", **changes).services
    assert set(FILE["bundles"][bundle].get("services", [])) <= set(services)


@pytest.mark.req("C1.5")
def test_prod_deploys_all_of_it_staging_the_runtime_dev_and_test_the_reference_service() -> None:
    deployed = {stack: set(loaded(stack).services) for stack in STACKS}
    assert deployed["prod"] == set(FILE["services"])
    assert deployed["dev"] == deployed["test"] == {"reference"}
    assert deployed["staging"] > set(FILE["bundles"]["runtime-core"]["services"])
    assert deployed["staging"] < deployed["prod"]


@pytest.mark.req("P2")
def test_prods_own_file_says_how_many_copies_of_each_service_it_runs() -> None:
    said = stack_values("prod")["services"]
    many = [name for name, service in FILE["services"].items() if service.get("kind", "service") == "service"]
    assert {name for name, service in said.items() if "replicas" in service} == set(many)
    assert not [name for name, service in FILE["services"].items() if "replicas" in service]


@pytest.mark.req("P4")
def test_services_that_people_may_forward_to_one_machine_have_ports_of_their_own() -> None:
    """Third-party programs keep the ports that everybody knows them by."""
    ours = {name: service for name, service in FILE["services"].items() if service.get("layer", "runtime") == "runtime"}
    ports = [port for service in ours.values() for port in service["ports"].values()]
    assert len(ports) == len(set(ports))


@pytest.mark.req("C4.8")
def test_the_service_that_the_page_adds_is_one_in_under_twenty_lines() -> None:
    (block,) = re.findall(r"```yaml\n(  orders:.*?)```", PAGE, re.DOTALL)
    assert len(block.splitlines()) < 20
    catalogue = copy.deepcopy(FILE)
    catalogue["services"] |= yaml.load(block, Loader=yaml.CSafeLoader)
    catalogue["bundles"]["core"]["services"].append("orders")
    catalogue["postgres"]["databases"]["orders"] = {"owner": "orders_owner", "app_role": "orders_app"}
    catalogue["secrets"]["entries"]["orders-key"] = {"source": "generated"}
    values = stack_values("staging")
    values["images"]["references"]["orders"] = f"registry.example.test/omnibase/orders:1@sha256:{'a' * 64}"
    assert "orders" in loaded("staging", catalogue, images=values["images"]).services


def test_the_table_of_bundles_on_the_page_is_that_of_the_file() -> None:
    assert "\n".join(bundle_rows()) in PAGE, "\n" + "\n".join(bundle_rows())


def bundle_rows() -> list[str]:
    taken = {stack: set(loaded(stack).bundles) for stack in STACKS}
    return [
        f"| {name} | {', '.join(bundle.get('services', []))} | {', '.join(bundle.get('includes', []))} | "
        + " | ".join("yes" if name in taken[stack] else "" for stack in ("dev", "staging", "prod"))
        + " |"
        for name, bundle in FILE["bundles"].items()
    ]
