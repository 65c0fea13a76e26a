"""The matrix says what the Kubernetes API would decide, and the same for the same graph."""

from __future__ import annotations

import json
import random
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.graph import Resource
from ops.network import Arrow, Matrix, build_matrix
from ops.network.decide import EVERY_PORT, End, allowed, selects
from ops.network.parties import Party
from ops.network.picture import render_matrix
from tests.stacks.support import reach

SPACE = "orders"
WEB, STORE = {"app": "web"}, {"app": "store"}
PEOPLE = {"name": "people", "cidrs": ["192.0.2.1/32", "192.0.2.9/32"]}


def resource(token: str, name: str, parent: str = "", **inputs: Any) -> Resource:  # noqa: ANN401
    return Resource(key=f"{token}::{name}", type=token, name=name, parent=parent, inputs=inputs)


def workload(name: str, labels: dict[str, str]) -> Resource:
    metadata, template = {"name": name, "namespace": SPACE}, {"metadata": {"labels": labels}}
    return resource("kubernetes:apps/v1:Deployment", name, metadata=metadata, spec={"template": template})


def policy(name: str, parent: str = "", **spec: Any) -> Resource:  # noqa: ANN401
    types = [key.capitalize() for key in ("ingress", "egress") if key in spec] or ["Ingress", "Egress"]
    body = {"podSelector": spec.pop("selector", {}), "policyTypes": types, **spec}
    metadata = {"name": name, "namespace": SPACE}
    return resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", name, parent, metadata=metadata, spec=body)


def pods(labels: dict[str, str]) -> dict[str, Any]:
    spaces = {"matchLabels": {"kubernetes.io/metadata.name": SPACE}}
    return {"namespaceSelector": spaces, "podSelector": {"matchLabels": labels}}


def flow(name: str, source: dict[str, Any], destination: dict[str, Any]) -> Resource:
    return resource("omnibase-infra:index:NetworkFlow", name, source=source, destination=destination, ports=[5432])


def stack() -> list[Resource]:
    """A service that people reach and that reaches a store; everything else is denied."""
    ports = [{"port": 5432, "protocol": "TCP"}]
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in PEOPLE["cidrs"]]
    store = flow(
        "store", {"name": "web", "namespace": SPACE, "labels": WEB}, {"name": "s", "namespace": SPACE, "labels": STORE}
    )
    people = flow("people", PEOPLE, {"name": "web", "namespace": SPACE, "labels": WEB})
    return [
        workload("web", WEB),
        workload("store", STORE),
        workload("stranger", {"app": "stranger"}),
        policy("default-deny"),
        store,
        people,
        policy("store-out", store.key, selector={"matchLabels": WEB}, egress=[{"to": [pods(STORE)], "ports": ports}]),
        policy("store-in", store.key, selector={"matchLabels": STORE}, ingress=[{"from": [pods(WEB)], "ports": ports}]),
        policy(
            "people-in",
            people.key,
            selector={"matchLabels": WEB},
            ingress=[{"from": blocks, "ports": [{"port": 8080}]}],
        ),
    ]


def arrow(source: str, target: str, port: int) -> Arrow:
    return Arrow(source=source, target=target, protocol="TCP", port=port)


@pytest.mark.req("C7.1")
def test_the_matrix_has_the_declared_arrows_and_no_other() -> None:
    found = build_matrix("dev", stack())
    assert [party.id for party in found.parties] == ["orders/store", "orders/stranger", "orders/web", "people"]
    assert list(found.arrows) == [arrow("orders/web", "orders/store", 5432), arrow("people", "orders/web", 8080)]
    assert found.problems == ()


def test_the_order_of_the_graph_changes_nothing() -> None:
    resources = stack()
    wanted = build_matrix("dev", resources)
    for seed in range(5):
        random.Random(seed).shuffle(resources)  # noqa: S311 -- an order, not a secret
        found = build_matrix("dev", resources)
        assert json.dumps(found.to_dict()) == json.dumps(wanted.to_dict())
        assert render_matrix(found) == render_matrix(wanted)


def test_one_side_alone_lets_nothing_through() -> None:
    for missing in ("store-out", "store-in"):
        found = build_matrix("dev", [each for each in stack() if each.name != missing])
        assert arrow("orders/web", "orders/store", 5432) not in found.arrows


def test_without_default_deny_every_port_is_open_and_that_is_a_problem() -> None:
    found = build_matrix("dev", [each for each in stack() if each.name != "default-deny"])
    assert arrow("orders/stranger", "orders/stranger", EVERY_PORT) in found.arrows
    assert "orders/stranger: no policy denies egress and ingress by default in its namespace" in found.problems


def test_a_policy_that_belongs_to_no_flow_is_a_problem() -> None:
    stray = policy("stray", selector={"matchLabels": STORE}, ingress=[{}])
    found = build_matrix("dev", [*stack(), stray])
    assert found.problems == ("orders/stray: a policy that belongs to no NetworkFlow",)
    assert arrow("orders/web", "orders/store", 5432) in found.arrows


def test_pods_that_a_controller_makes_are_known_by_the_flows_that_name_them() -> None:
    proxy = {"name": "proxy", "namespace": SPACE, "labels": {"made-by": "controller"}}
    found = build_matrix("dev", [*stack(), flow("proxy", proxy, {"name": "web", "namespace": SPACE, "labels": WEB})])
    assert "orders/proxy" in [party.id for party in found.parties]


def test_what_every_pod_may_reach_is_a_sentence_in_the_picture_and_not_a_column() -> None:
    parties = (
        Party(name="web", namespace=SPACE, labels=WEB),
        Party(name="store", namespace=SPACE, labels=STORE),
        Party(name="cluster DNS", namespace="kube-system", is_managed=False),
    )
    dns = [
        Arrow(source=f"{SPACE}/{name}", target="kube-system/cluster DNS", protocol=protocol, port=53)
        for name in ("web", "store")
        for protocol in ("TCP", "UDP")
    ]
    arrows = (*dns, arrow(f"{SPACE}/web", f"{SPACE}/store", 80), arrow(f"{SPACE}/web", f"{SPACE}/store", 81))
    text = render_matrix(Matrix(stack="dev", parties=parties, arrows=arrows, policies=(), problems=()))
    assert "Every pod may also reach kube-system/cluster DNS on 53 TCP+UDP." in text
    assert text.count("cluster DNS") == 1
    assert (">80<" in text, ">81<" in text) == (True, True), "each port of a cell has a line"

    fewer = tuple(each for each in arrows if each != dns[0])
    text = render_matrix(Matrix(stack="dev", parties=parties, arrows=fewer, policies=(), problems=()))
    assert "Every pod may also reach" not in text
    assert ">kube-system/cluster DNS<" in text


def test_the_picture_is_xml_that_names_every_party_and_port() -> None:
    text = render_matrix(build_matrix("dev", stack()))
    drawn = [item.text or "" for item in ElementTree.fromstring(text).iter() if item.tag.endswith("text")]  # noqa: S314 -- ours
    assert {"orders/web", "orders/store", "people", "5432", "8080"} <= set(drawn)
    assert "Neither connects nor is connected to: orders/stranger." in drawn


SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2),
        "matchExpressions": st.lists(
            st.sampled_from("ab").map(lambda key: {"key": key, "operator": "Exists"}), max_size=1
        ),
    },
)
LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))
PEERS = st.one_of(
    st.sampled_from(["one", "two"]).flatmap(
        lambda space: SELECTORS.map(
            lambda chosen: {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
                "podSelector": chosen,
            }
        )
    ),
    st.sampled_from(["192.0.2.0/24", "198.51.100.7/32"]).map(lambda cidr: {"ipBlock": {"cidr": cidr}}),
)
PORTS = st.lists(
    st.sampled_from([{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]), min_size=1, max_size=2
)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """A policy as our components make them: peers with namespaces, single ports, types that are said."""
    types = draw(st.lists(st.sampled_from(["Ingress", "Egress"]), min_size=1, unique=True))
    spec: dict[str, Any] = {"podSelector": draw(SELECTORS), "policyTypes": types}
    for direction, key in (("Ingress", "from"), ("Egress", "to")):
        if direction in types:
            rule = {key: draw(st.lists(PEERS, min_size=1, max_size=2)), "ports": draw(PORTS)}
            spec[direction.lower()] = draw(st.sampled_from([[], [rule]]))
    return {"metadata": {"namespace": draw(st.sampled_from(["one", "two"])), "name": "p"}, "spec": spec}


Case = tuple[str, dict[str, str]] | str
ENDS = st.one_of(
    st.tuples(st.sampled_from(["one", "two"]), LABELS),
    st.sampled_from(["192.0.2.9", "198.51.100.7", "203.0.113.1"]),
)


@given(st.lists(policies(), max_size=4), ENDS, ENDS, st.sampled_from([80, 53]), st.sampled_from(["TCP", "UDP"]))
def test_decisions_agree_with_the_independent_ones_of_the_stack_tests(
    found: list[dict[str, Any]],
    source: Case,
    target: Case,
    port: int,
    protocol: str,
) -> None:
    def ours(end: Case) -> End:
        return End(networks=(IPv4Network(end),)) if isinstance(end, str) else End(namespace=end[0], labels=end[1])

    def theirs(end: Case) -> reach.End:
        return reach.Outside(address=end) if isinstance(end, str) else reach.Pod(namespace=end[0], labels=end[1])

    wanted = reach.reaches(found, theirs(source), theirs(target), port, protocol)
    assert allowed(found, ours(source), ours(target), port, protocol) == wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ({"key": "a", "operator": "In", "values": ["x", "y"]}, True),
        ({"key": "a", "operator": "In", "values": ["y"]}, False),
        ({"key": "b", "operator": "In", "values": ["x"]}, False),
        ({"key": "a", "operator": "NotIn", "values": ["x"]}, False),
        ({"key": "b", "operator": "NotIn", "values": ["x"]}, True),
        ({"key": "b", "operator": "DoesNotExist"}, True),
        ({"key": "a", "operator": "Exists"}, True),
    ],
)
def test_selectors_know_every_operator(expression: dict[str, Any], wanted: bool) -> None:
    assert selects({"matchExpressions": [expression]}, {"a": "x"}) is wanted


def _decides(spec: dict[str, Any], source: End, port: int = 80) -> bool:
    body = {"podSelector": {}, "policyTypes": ["Ingress"], **spec}
    there = End(namespace="one", labels={"a": "x"})
    return allowed([{"metadata": {"namespace": "one", "name": "p"}, "spec": body}], source, there, port)


def test_ranges_of_ports_exceptions_and_bare_selectors_are_as_in_the_api() -> None:
    beside, elsewhere = End(namespace="one", labels={"a": "x"}), End(namespace="two", labels={"a": "x"})
    bare: dict[str, Any] = {"ingress": [{"from": [{"podSelector": {}}]}]}
    assert _decides(bare, beside)
    assert not _decides(bare, elsewhere), "a bare pod selector means the policy's own namespace"
    anywhere: dict[str, Any] = {"ingress": [{"from": [{"namespaceSelector": {}}]}]}
    assert _decides(anywhere, elsewhere)
    ranged = {"ingress": [{"ports": [{"port": 8000, "endPort": 8010}]}]}
    assert [_decides(ranged, beside, port) for port in (7999, 8000, 8010, 8011)] == [False, True, True, False]
    block = {"ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.8/29"]}}]}]}
    inside, left_out = (End(networks=(IPv4Network(cidr),)) for cidr in ("192.0.2.1/32", "192.0.2.9/32"))
    assert _decides(block, inside)
    assert not _decides(block, left_out)
    assert not _decides(block, End(networks=(IPv4Network("192.0.2.1/32"), IPv4Network("198.51.100.7/32"))))


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_golden_graphs_deny_by_default_and_every_policy_is_part_of_a_flow(name: str) -> None:
    golden = json.loads((Path(__file__).resolve().parents[3] / f"tests/stacks/golden/{name}.json").read_text())
    from ops.graph.resources import resources_of  # noqa: PLC0415 -- the reader under test

    found = build_matrix(name, resources_of(golden, name))
    assert found.problems == ()
    assert len(found.arrows) > 20
