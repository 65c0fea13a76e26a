from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.errors import InputError
from local.node import NetworkPlan
from local.paths import Paths


def _plan(env: dict[str, str], instance: str = "local") -> NetworkPlan:
    paths = Paths(instance=instance, root=Path("/r"), cache=Path("/c"), state=Path("/s"))
    return NetworkPlan.from_environment(paths, env)


def test_the_default_range_and_its_addresses() -> None:
    plan = _plan({})
    assert str(plan.network) == "10.213.0.0/16"
    assert (str(plan.link), str(plan.host_address), str(plan.node_address)) == (
        "10.213.0.0/30", "10.213.0.1", "10.213.0.2",
    )  # fmt: skip
    assert (str(plan.pods), str(plan.services)) == ("10.213.64.0/18", "10.213.128.0/18")
    assert (str(plan.api_service_address), str(plan.dns_address)) == ("10.213.128.1", "10.213.128.10")
    assert plan.api_url == "https://10.213.0.2:6443"
    assert (plan.name, plan.interface) == ("omnibase-local", "omn-local")


def test_the_test_instance_has_a_range_of_its_own() -> None:
    assert not _plan({}, "test").network.overlaps(_plan({}).network)


def test_another_instance_must_say_its_range() -> None:
    with pytest.raises(InputError, match="no default network"):
        _plan({}, "mine")
    assert str(_plan({"OMNIBASE_NETWORK": "172.20.0.0/16"}, "mine").node_address) == "172.20.0.2"


@pytest.mark.parametrize("value", ["10.0.0.0/8", "10.1.0.0/24", "8.8.0.0/16", "10.1.2.3/16", "words", "fd00::/16"])
def test_a_range_that_is_no_private_16_is_refused_with_the_way_out(value: str) -> None:
    with pytest.raises(InputError, match="OMNIBASE_NETWORK") as refused:
        _plan({"OMNIBASE_NETWORK": value})
    assert value in str(refused.value)
    assert "10." in refused.value.hint


@given(st.integers(0, 255))
def test_link_pods_and_services_never_overlap_and_stay_inside(second: int) -> None:
    plan = NetworkPlan(instance="x", network=IPv4Network(f"10.{second}.0.0/16"))
    parts = [plan.link, plan.pods, plan.services]
    assert all(part.subnet_of(plan.network) for part in parts)
    assert not any(one.overlaps(other) for one in parts for other in parts if one is not other)
    assert plan.dns_address in plan.services
    assert plan.node_address in plan.link


def test_the_longest_instance_name_still_fits_an_interface() -> None:
    plan = NetworkPlan(instance="abcdefgh", network=IPv4Network("10.1.0.0/16"))
    assert len(plan.interface) <= 15
