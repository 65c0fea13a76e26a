"""The catalogue: what a selection of bundles brings, what it leaves out, and what is wrong with one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from omnibase_infra.config.catalogue import check, check_selection, select

CATALOGUE: dict[str, Any] = {
    "bundles": {
        "core": {"services": ["cache"]},
        "shop": {"services": ["orders"], "includes": ["core"], "env": {"SHOP": "open"}},
        "everything": {"includes": ["shop", "reports"]},
        "reports": {"services": ["reports", "orders"]},
        "alone": {"services": ["invoices"]},
    },
    "services": {
        "cache": {"port": 6379},
        "orders": {"databases": ["sales"], "secrets": ["shop-key"], "calls": ["cache", "reports"]},
        "reports": {"databases": {"figures": {}}, "documents": ["mcp"]},
        "invoices": {"depends_on": {"printer": "healthy"}, "secrets": ["press-key"]},
        "printer": {"depends_on": {"paper": "started"}},
        "paper": {"depends_on": {"invoices": "started"}, "segment": "cellar"},
    },
    "postgres": {"databases": {"sales": {}, "figures": {}}},
    "secrets": {"entries": {"shop-key": {}, "press-key": {}}},
    "segments": {"cellar": {}},
    "gateway": {"routes": {"orders-route": {"service": "orders"}, "invoices-route": {"service": "invoices"}}},
    "mcp": {
        "endpoints": {
            "figures": {"service": "reports"},
            "press": {"service": "printer"},
            "elsewhere": {"url": "https://mcp.example.test/mcp"},
        }
    },
    "responders": {"tiers": []},
    "objectives": {"targets": {"orders-answer": {"service": "orders"}, "paper-lasts": {"service": "paper"}}},
    "messaging": {
        "clients": ["till", "office"],
        "topics": {
            "ordered": {"publishers": ["orders", "till"], "consumers": {"reports": {}, "invoices": {}}},
            "printed": {"publishers": ["printer", "office"], "consumers": {"paper": {}}},
        },
    },
}


def selected(*bundles: str) -> dict[str, Any]:
    return select(CATALOGUE, {"selected_bundles": list(bundles)})


def complaints(catalogue: dict[str, Any], **stack: Any) -> dict[str, str]:  # noqa: ANN401 -- values of a stack file
    found = [*check(catalogue), *check_selection(catalogue, stack)]
    return {path: "; ".join(texts) for path, *texts in found}


def changed(path: str, value: object) -> dict[str, Any]:
    found = copy.deepcopy(CATALOGUE)
    level = found
    *heads, last = path.split(".")
    for head in heads:
        level = level[head]
    level[last] = value
    return found


def test_a_bundle_brings_its_services_and_those_of_the_bundles_that_it_includes() -> None:
    assert list(selected("shop")["services"]) == ["orders", "cache"]
    assert set(selected("everything")["services"]) == {"orders", "cache", "reports"}
    assert set(selected("everything")["bundles"]) == {"everything", "shop", "reports", "core"}


def test_a_service_in_two_bundles_is_there_once() -> None:
    assert list(selected("shop", "reports")["services"]).count("orders") == 1


def test_what_a_service_depends_on_comes_with_it_and_a_cycle_ends() -> None:
    assert list(selected("alone")["services"]) == ["invoices", "printer", "paper"]


def test_services_stand_in_the_order_in_which_their_bundles_are_selected() -> None:
    assert list(selected("reports", "shop")["services"]) == ["reports", "orders", "cache"]


def test_a_stack_that_selects_nothing_takes_nothing() -> None:
    assert selected() == {}


def test_databases_secrets_and_routes_come_with_the_services_that_use_them_only() -> None:
    shop, alone = selected("shop"), selected("alone")
    assert list(shop["postgres"]["databases"]) == ["sales"]
    assert list(shop["secrets"]["entries"]) == ["shop-key"]
    assert list(shop["gateway"]["routes"]) == ["orders-route"]
    assert alone["postgres"]["databases"] == {}
    assert list(alone["gateway"]["routes"]) == ["invoices-route"]


def test_a_topic_comes_with_its_publisher_and_is_read_by_deployed_services_only() -> None:
    assert selected("shop")["messaging"] == {
        "clients": ["till"],
        "topics": {"ordered": {"publishers": ["orders", "till"], "consumers": {}}},
    }
    assert list(selected("everything")["messaging"]["topics"]["ordered"]["consumers"]) == ["reports"]


def test_a_topic_of_a_client_outside_comes_with_a_service_that_reads_it() -> None:
    topics = selected("alone")["messaging"]["topics"]
    assert topics["ordered"]["publishers"] == ["till"]
    assert topics["printed"]["publishers"] == ["printer", "office"]
    assert selected("alone")["messaging"]["clients"] == ["till", "office"]


def test_an_environment_without_topics_leaves_the_bus_as_its_tier_has_it() -> None:
    assert "messaging" not in selected("core")


def test_a_service_may_call_what_is_deployed_and_nothing_else() -> None:
    assert selected("shop")["services"]["orders"]["calls"] == ["cache"]
    assert selected("everything")["services"]["orders"]["calls"] == ["cache", "reports"]


def test_a_document_comes_with_a_service_that_reads_it_and_without_absent_endpoints() -> None:
    assert "mcp" not in selected("shop")
    assert "responders" not in selected("everything")
    assert list(selected("reports")["mcp"]["endpoints"]) == ["figures", "elsewhere"]


def test_objectives_come_with_their_services() -> None:
    assert list(selected("shop")["objectives"]["targets"]) == ["orders-answer"]


def test_a_segment_comes_with_a_service_that_is_in_it() -> None:
    assert list(selected("alone")["segments"]) == ["cellar"]
    assert selected("shop")["segments"] == {}


@pytest.mark.parametrize("key", sorted(CATALOGUE))
@pytest.mark.parametrize("value", [None, "x", 3, ["x"], [{"x": 3}], {"x": None}, {"x": ["y"]}])
def test_a_catalogue_of_wrong_shape_is_left_to_the_models_which_say_so(key: str, value: object) -> None:
    found = {**CATALOGUE, key: value}
    select(found, {"selected_bundles": ["everything"]})
    list(check(found))


@pytest.mark.parametrize("value", [None, "shop", 3, {"shop": None}, [3, None, ["shop"]]])
def test_a_selection_of_wrong_shape_is_left_to_the_model(value: object) -> None:
    select(CATALOGUE, {"selected_bundles": value})
    list(check_selection(CATALOGUE, {"selected_bundles": value, "services": value}))


def test_a_sound_catalogue_has_nothing_to_complain_of() -> None:
    assert complaints(CATALOGUE, selected_bundles=["everything", "alone"]) == {}


@pytest.mark.req("C1.3")
def test_an_unknown_bundle_is_named_with_the_nearest() -> None:
    found = complaints(CATALOGUE, selected_bundles=["shopp"])
    assert found == {"selected_bundles": "shopp; is not in catalogue.yaml; did you mean 'shop'?"}


@pytest.mark.req("C1.3")
@pytest.mark.parametrize(
    ("path", "wrong", "meant"),
    [
        ("bundles.shop.includes", ["cor"], "core"),
        ("bundles.shop.services", ["order"], "orders"),
        ("services.printer.depends_on", {"papper": "started"}, "paper"),
        ("services.orders.calls", ["cash"], "cache"),
        ("services.orders.databases", ["sale"], "sales"),
        ("services.paper.secrets", ["shop-kee"], "shop-key"),
        ("services.paper.segment", "celar", "cellar"),
        ("gateway.routes.orders-route.service", "oders", "orders"),
        ("mcp.endpoints.press.service", "printr", "printer"),
    ],
)
def test_a_name_that_the_catalogue_does_not_have_is_a_problem_in_every_stack(
    path: str, wrong: object, meant: str
) -> None:
    name = next(iter(wrong)) if isinstance(wrong, (dict, list)) else wrong
    assert complaints(changed(path, wrong))[path] == f"{name}; is not in catalogue.yaml; did you mean '{meant}'?"


@pytest.mark.req("C1.3")
def test_a_topic_of_somebody_unknown_is_a_problem_in_every_stack() -> None:
    found = complaints(changed("messaging.clients", ["office", "til"]))
    assert found == {"messaging.topics.ordered": "till; is not in catalogue.yaml; did you mean 'til'?"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("services.lonely", "a service; comes with no bundle; add it to one, or no stack can have it"),
        ("postgres.databases.left", "an entry; is used by no service; name it in services.<name>.databases"),
        ("secrets.entries.left", "an entry; is used by no service; name it in services.<name>.secrets"),
    ],
)
def test_what_no_stack_could_have_is_a_problem_in_every_stack(path: str, text: str) -> None:
    assert complaints(changed(path, {})) == {path: text}


def test_a_difference_to_a_service_that_no_bundle_brings_is_refused() -> None:
    found = complaints(CATALOGUE, selected_bundles=["shop"], services={"reports": {"replicas": 3}, "own": {}})
    assert list(found) == ["services.reports"]
    assert "select a bundle that has it" in found["services.reports"]
