"""The catalogue: what a selection of bundles brings, what it leaves out, and what is wrong with one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from omnibase_infra.config.catalogue import select

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
        "orders": {"databases": ["sales"], "secrets": ["shop-key"]},
        "reports": {"databases": ["figures"]},
        "invoices": {"depends_on": {"printer": "healthy"}},
        "printer": {"depends_on": {"paper": "started"}},
        "paper": {"depends_on": {"invoices": "started"}},
    },
    "postgres": {"databases": {"sales": {}, "figures": {}}},
    "secrets": {"entries": {"shop-key": {}, "press-key": {}}},
    "gateway": {"routes": {"orders-route": {"service": "orders"}, "invoices-route": {"service": "invoices"}}},
    "messaging": {
        "clients": ["shop-till", "printer-office"],
        "topics": [
            {"name": "ordered", "publishers": ["orders", "shop-till"], "consumers": {"reports": {}, "invoices": {}}},
            {"name": "printed", "publishers": ["printer", "printer-office"], "consumers": {"paper": {}}},
        ],
    },
}


def selected(*bundles: str, **stack: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    found = select(CATALOGUE, {"selected_bundles": list(bundles), **stack})
    assert found.findings == []
    return dict(found.values)


def complaints(catalogue: dict[str, Any], stack: dict[str, Any]) -> dict[str, str]:
    return {
        path: " ".join([received, allowed, hint]) for path, received, allowed, hint in select(catalogue, stack).findings
    }


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
        "clients": ["shop-till"],
        "topics": [{"name": "ordered", "publishers": ["orders", "shop-till"], "consumers": {}}],
    }
    (topic,) = selected("everything")["messaging"]["topics"]
    assert list(topic["consumers"]) == ["reports"]


def test_a_topic_of_a_client_outside_comes_with_a_service_that_reads_it() -> None:
    (ordered, printed) = selected("alone")["messaging"]["topics"]
    assert ordered["publishers"] == ["shop-till"]
    assert printed["publishers"] == ["printer", "printer-office"]
    assert selected("alone")["messaging"]["clients"] == ["shop-till", "printer-office"]


@pytest.mark.parametrize("key", ["services", "bundles", "postgres", "secrets", "gateway", "messaging"])
@pytest.mark.parametrize("value", [None, "x", 3, ["x"], {"x": None}, {"x": ["y"]}])
def test_a_catalogue_of_wrong_shape_is_left_to_the_models_which_say_so(key: str, value: object) -> None:
    select({**CATALOGUE, key: value}, {"selected_bundles": ["everything"]})


@pytest.mark.parametrize("value", [None, "shop", 3, {"shop": None}, [3, None, ["shop"]]])
def test_a_selection_of_wrong_shape_is_left_to_the_model(value: object) -> None:
    select(CATALOGUE, {"selected_bundles": value})


@pytest.mark.req("C1.3")
def test_an_unknown_bundle_is_named_with_the_nearest() -> None:
    found = complaints(CATALOGUE, {"selected_bundles": ["shopp"]})
    assert found == {"selected_bundles": "shopp is not a bundle of catalogue.yaml did you mean 'shop'?"}


@pytest.mark.req("C1.3")
def test_unknown_names_in_a_bundle_are_named_with_the_nearest() -> None:
    given = {"selected_bundles": ["shop"]}
    assert complaints(changed("bundles.shop.includes", ["cor"]), given) == {
        "bundles.shop.includes": "cor is not a bundle of catalogue.yaml did you mean 'core'?"
    }
    assert complaints(changed("bundles.shop.services", ["order"]), given) == {
        "bundles.shop.services": "order is not a service of catalogue.yaml did you mean 'orders'?"
    }


def test_a_difference_to_a_service_that_no_bundle_brings_is_refused() -> None:
    found = complaints(CATALOGUE, {"selected_bundles": ["shop"], "services": {"reports": {"replicas": 3}, "own": {}}})
    assert list(found) == ["services.reports"]
    assert "select a bundle that has it" in found["services.reports"]
