"""Which lane a test of the cluster runs in, and that the lanes' nodes are told apart."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from local.node import NetworkPlan
from local.paths import Paths
from tests.cluster.lanes import bare_instance, lane_of

_FILES = sorted((Path(__file__).resolve().parents[2] / "cluster").glob("test_*.py"))


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_a_file_that_wants_the_deployed_stack_is_in_its_lane(file: Path) -> None:
    text = file.read_text()
    if (
        "outputs: dict" in text
        or "service: Service" in text
        or "from tests.cluster.platform_kit import NAMESPACE" in text
    ):
        assert lane_of(file.name) == "stack"


def test_both_lanes_have_work() -> None:
    assert {lane_of(str(file)) for file in _FILES} == {"bare", "stack"}
    assert lane_of("tests/cluster/test_something_new.py") == "stack", "what nobody thought of may want the stack"


@pytest.mark.parametrize(("instance", "network"), [("test", ""), ("wfast", "10.128.0.0/16"), ("edge", "10.250.0.0/16")])
def test_the_bare_node_has_a_name_a_place_and_addresses_of_its_own(instance: str, network: str, tmp_path: Path) -> None:
    of = replace(Paths.from_environment({}), instance=instance, state=tmp_path / instance, network=network)
    bare = bare_instance(of)
    first, second = NetworkPlan.from_environment(of, {}), NetworkPlan.from_environment(bare, {})
    assert not IPv4Network(first.network).overlaps(second.network)
    assert second.network.is_private
    assert bare.state.parent == of.state.parent
    assert Paths.from_environment({"OMNIBASE_INSTANCE": bare.instance}).instance == bare.instance
    for one, other in ((first.name, second.name), (first.interface, second.interface)):
        assert one not in other, "a look for traces of the one would find the other"
        assert other not in one
