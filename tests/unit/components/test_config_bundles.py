"""Bundles: what a stack deploys, which variables come along, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.config import load
from omnibase_infra.config.bundles import BundleConfig, closure, cycles, deployed

from tests.unit.components.test_config_rules import complaint, settings
from tests.unit.components.test_config_services import service


def bundle(*services: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    return {"description": "what it is good for", "services": list(services), **changes}


SERVICES = {
    "services__kernel": service(),
    "services__relay": service(),
    "services__store": service(layer="infrastructure"),
    "services__traces": service(layer="observability"),
}
BUNDLES = {
    "core": bundle("store"),
    "tracing": bundle("traces", env={"OTEL_ENDPOINT": "http://traces:4318"}),
    "runtime": bundle("kernel", includes=["core", "tracing"], env={"MODE": "full"}),
    "relays": bundle("relay", "store", includes=["core"]),
}


def effective(*selected: str, **changes: Any) -> dict[str, dict[str, str]]:  # noqa: ANN401 -- values of a stack file
    """Name -> variables, of each service that is deployed."""
    given = {**SERVICES, "bundles": BUNDLES, "selected_bundles": list(selected), **changes}
    config = load("dev", settings("dev", **given, quota__pods=100, quota__memory_mib=65_536), {}).config
    return {name: dict(each.env) for name, each in config.effective_services().items()}


def said(path: str, **changes: Any) -> str:  # noqa: ANN401 -- values of a stack file
    given = {**SERVICES, "bundles": BUNDLES, "selected_bundles": ["runtime"], **changes}
    return complaint("dev", path, **given)


def test_a_service_that_no_bundle_names_is_always_deployed() -> None:
    assert set(effective()) == {"reference"}


@pytest.mark.req("C1.9")
def test_a_bundle_brings_its_services_and_those_of_all_it_includes_each_once() -> None:
    assert set(effective("runtime")) == {"reference", "kernel", "store", "traces"}
    assert list(effective("relays", "runtime")) == ["reference", "kernel", "relay", "store", "traces"]


def test_the_variables_of_a_bundle_reach_runtime_services_of_whatever_includes_it() -> None:
    found = effective("runtime")
    assert found["kernel"] == {"OTEL_ENDPOINT": "http://traces:4318", "MODE": "full"}
    assert found["store"] == found["traces"] == found["reference"] == {}
    assert effective("relays")["relay"] == {}


@pytest.mark.parametrize(
    ("path", "changes", "why"),
    [
        ("selected_bundles", {"selected_bundles": ["runtme"]}, "did you mean 'runtime'?"),
        ("bundles.core.services", {"bundles": {**BUNDLES, "core": bundle("stroe")}}, "did you mean 'store'?"),
        ("bundles.core.includes", {"bundles": {**BUNDLES, "core": bundle(includes=["tracng"])}}, "'tracing'?"),
        ("bundles.core.env.api", {"bundles": {**BUNDLES, "core": bundle(env={"api": "x"})}}, "upper case"),
        ("bundles.core.env.API_TOKEN", {"bundles": {**BUNDLES, "core": bundle(env={"API_TOKEN": "x"})}}, "credential"),
        ("bundles.core.env.HOST", {"bundles": {**BUNDLES, "core": bundle(env={"HOST": "localhost"})}}, "pod itself"),
        ("bundles.core.description", {"bundles": {**BUNDLES, "core": bundle(description="")}}, "at least 1 char"),
    ],
)
def test_a_bundle_that_names_nothing_or_a_credential_is_refused(path: str, changes: dict[str, Any], why: str) -> None:
    assert why in said(path, **changes)


def test_a_cycle_of_bundles_is_shown_as_a_way() -> None:
    looped = {**BUNDLES, "core": bundle("store", includes=["relays"])}
    assert "core -> relays -> core: is a cycle" in said("bundles.core.includes", bundles=looped)


@pytest.mark.req("V25")
def test_a_variable_has_one_owner() -> None:
    own = {"services__kernel": service(env={"MODE": "half"})}
    assert "has two owners; bundles.runtime.env sets it" in said("services.kernel.env.MODE", **own)
    both = {**BUNDLES, "tracing": bundle("traces", env={"MODE": "traced"})}
    text = said("bundles.tracing.env.MODE", bundles=both)
    assert "has another owner, bundles.runtime.env" in text
    assert "the service kernel gets it from runtime and tracing" in text


@pytest.mark.req("V24")
def test_a_variable_that_a_bundle_requires_comes_from_somewhere() -> None:
    needy = {**BUNDLES, "runtime": bundle("kernel", requires=["MODE"])}
    assert "MODE: is required by kernel" in said("bundles.runtime.requires", bundles=needy)
    effective("runtime", bundles=needy, services__kernel=service(env={"MODE": "full"}))
    given = {**BUNDLES, "runtime": bundle("kernel", requires=["MODE"], env={"MODE": "full"})}
    effective("runtime", bundles=given)
    unselected = {**BUNDLES, "relays": bundle("relay", requires=["MODE"])}
    effective("runtime", bundles=unselected)


@pytest.mark.req("V24")
@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("services.kernel.depends_on.relay", {"services__kernel": service(depends_on={"relay": "started"})}),
        ("services.kernel.calls", {"services__kernel": service(calls=["relay"])}),
        ("gateway.routes.relays.service", {"gateway__routes__relays": {"service": "relay", "path": "/relays"}}),
        ("mcp.endpoints.tools.service", {"mcp__endpoints": {"tools": {"service": "relay"}}}),
        ("objectives.targets.relays.service", {"objectives__targets": {"relays": {"service": "relay"}}}),
    ],
)
def test_what_is_in_use_names_nothing_that_no_selected_bundle_brings(path: str, changes: dict[str, Any]) -> None:
    assert "comes with no selected bundle, so nothing is there" in said(path, **changes)


def test_what_is_not_deployed_may_name_what_is_not_deployed() -> None:
    changes = {"services__relay": service(calls=["traces"], depends_on={"kernel": "healthy"})}
    assert set(effective(**changes)) == {"reference"}


_NAMES = st.sampled_from("abcdef")
_BUNDLES = st.dictionaries(
    _NAMES,
    st.builds(
        BundleConfig,
        description=st.just("x"),
        services=st.lists(st.sampled_from(["s1", "s2", "s3"])),
        includes=st.lists(_NAMES),
    ),
)


@given(_BUNDLES, st.lists(_NAMES))
def test_every_bundle_is_taken_once_whatever_includes_it(bundles: dict[str, BundleConfig], selected: list[str]) -> None:
    found = closure(bundles, selected)
    assert len(found) == len(set(found))
    assert {name for name in selected if name in bundles} <= set(found)
    assert all(each in found for name in found for each in bundles[name].includes if each in bundles)


@given(_BUNDLES)
def test_a_cycle_is_a_way_that_leads_back(bundles: dict[str, BundleConfig]) -> None:
    arrows = {name: each.includes for name, each in bundles.items()}
    for cycle in cycles(arrows):
        assert all(later in arrows[name] for name, later in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    reached = {name: closure(bundles, arrows[name]) for name in bundles}
    assert bool(cycles(arrows)) == any(name in reached[name] for name in bundles)


def test_without_bundles_everything_is_deployed_as_it_is() -> None:
    config = load("dev", settings("dev"), {}).config
    assert deployed(config.services, {}, []) == config.services
