"""The matrix of every stack: denied by default, every policy part of an arrow; the committed picture is dev's."""

from __future__ import annotations

import os
from functools import cache
from itertools import product

import pytest

from ops.graph import Resource
from ops.graph.pods import pod_groups
from ops.graph.words import name_of
from ops.network import Matrix, build_matrix
from ops.network.decide import allowed
from ops.network.matrix import named_ports
from ops.network.picture import render_matrix
from tests.stacks.support import stacks

PICTURE = stacks.ROOT / "docs" / "images" / "network-dev.svg"


def _resources(stack: str) -> list[Resource]:
    return [
        Resource(key=found.urn, type=found.type, name=found.name, parent=found.parent, inputs=found.inputs)
        for found in stacks.registrations(stack)
    ]


@cache
def _matrix(stack: str) -> Matrix:
    return build_matrix(stack, _resources(stack))


@pytest.mark.req("C7.1")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_namespace_with_pods_denies_by_default_and_every_policy_is_part_of_a_flow(stack: str) -> None:
    assert _matrix(stack).problems == ()


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_no_arrow_opens_every_port(stack: str) -> None:
    assert [str(arrow) for arrow in _matrix(stack).arrows if arrow.port == 0] == []


def test_prometheus_and_alertmanager_are_two_parties_though_their_objects_have_one_name() -> None:
    found = {
        (arrow.source.rpartition("/")[2], arrow.target.rpartition("/")[2], arrow.port)
        for arrow in _matrix("dev").arrows
    }
    assert {("Prometheus", "Alertmanager", 9093), ("Prometheus", "reference", 8080)} <= found


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_workload_of_the_graph_is_a_party_of_its_own(stack: str) -> None:
    groups = pod_groups(_resources(stack))
    ids = {party.id for party in _matrix(stack).parties}
    labelled = [group for group in groups if any(group.labels)]
    assert {f"{group.namespace}/{name_of(group)}" for group in labelled} <= ids
    assert len({(group.namespace, name_of(group)) for group in labelled}) == len(labelled)


def test_each_arrow_of_dev_is_a_connection_that_is_allowed_by_itself_and_there_is_no_other() -> None:
    """The matrix asks for pairs at once, `ops network verify` for one connection."""
    matrix = _matrix("dev")
    ours = {party.id for party in matrix.parties if party.namespace and party.is_managed}
    arrows = {(each.source, each.target, each.protocol, each.port) for each in matrix.arrows}
    for source, target in product(matrix.parties, matrix.parties):
        for protocol, port in named_ports(matrix.policies):
            if source.id in ours or target.id in ours:
                said = (source.id, target.id, protocol, port) in arrows
                assert said == allowed(matrix.policies, source.end, target.end, port, protocol), (source.id, target.id)


def test_the_committed_matrix_of_dev_is_the_one_that_the_graph_gives() -> None:
    picture = render_matrix(_matrix("dev"))
    if os.environ.get("UPDATE_GOLDENS") == "1":
        PICTURE.write_text(picture, encoding="utf-8")
    assert PICTURE.read_text(encoding="utf-8") == picture, "`make goldens` draws it anew; look at it"
