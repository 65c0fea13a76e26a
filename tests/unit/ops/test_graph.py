"""The picture says what the graph says: boxes for what runs, frames, flows, and nothing that overlaps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from local.errors import InputError
from ops.cli import app
from ops.graph import PARTS, Resource, Scene, build_scene, read_resources, render_svg
from ops.graph.boxes import SCRAPE, Box
from ops.graph.parts import part_of
from ops.graph.resources import resources_of
from ops.graph.svg import compose
from tests.stacks.support.pictures import faults

OF_MAIN = {"cluster": {"name": "main"}}
DEV, SYSTEM = "omnibase-dev", "cnpg-system"


def component(kind: str, name: str, **inputs: object) -> Resource:
    return Resource(
        key=f"{kind}::{name}", type=f"omnibase-infra:index:{kind}", name=name, parent="Platform::dev", inputs=inputs
    )


def thing(token: str, name: str, parent: str, namespace: str = DEV, **inputs: Any) -> Resource:  # noqa: ANN401
    metadata = {"name": name, "namespace": namespace, **inputs.pop("metadata", {})}
    type_ = f"kubernetes:{token}"
    return Resource(
        key=f"{type_}::{name}", type=type_, name=name, parent=parent, inputs={"metadata": metadata, **inputs}
    )


def party(name: str, namespace: str = "", cidrs: tuple[str, ...] = (), **labels: str) -> dict[str, object]:
    if cidrs:
        return {"name": name, "cidrs": list(cidrs)}
    return {"name": name, "namespace": namespace, "labels": labels}


def workload(name: str, parent: str, namespace: str = DEV) -> list[Resource]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}}
    return [
        thing("apps/v1:Deployment", name, parent, namespace, spec={"replicas": 2, "template": template}),
        thing("core/v1:Service", name, parent, namespace, spec={"selector": labels, "ports": [{"port": 8080}]}),
        thing("policy/v1:PodDisruptionBudget", name, parent, namespace),
    ]


def environment() -> list[Resource]:
    """A small dev stack: a service, poolers before a database, an operator in a namespace of its own."""
    people, api = party("people", cidrs=("192.0.2.1/32",)), party("Kubernetes API", cidrs=("192.0.2.2/32",))
    service, operator = party("reference", DEV, app="reference"), party("operator", SYSTEM, app="operator")
    database, jobs = party("main", DEV), party("jobs", DEV)
    database["labels"] = {"cnpg.io/cluster": "main", "cnpg.io/podRole": "instance"}
    jobs["labels_present"] = ["cnpg.io/jobRole"]
    poolers = party("poolers", DEV)
    poolers["labels_present"] = ["cnpg.io/poolerName"]
    spec = {"instances": 3, "imageName": "r/postgres:17.12-abc@sha256:aa", "postgresql": {"synchronous": {"number": 1}}}
    level = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    return [
        Resource(key="Platform::dev", type="omnibase-infra:index:Platform", name="dev"),
        component("Environment", "dev"),
        thing("core/v1:Namespace", DEV, "Environment::dev", "", metadata=level),
        thing("networking.k8s.io/v1:NetworkPolicy", "default-deny", "Environment::dev"),
        thing("core/v1:ResourceQuota", "quota", "Environment::dev"),
        component("HardenedWorkload", "reference"),
        *workload("reference", "HardenedWorkload::reference"),
        component("PostgresCluster", "main"),
        thing("postgresql.cnpg.io/v1:Cluster", "main", "PostgresCluster::main", spec=spec),
        thing(
            "postgresql.cnpg.io/v1:Pooler",
            "main-rw",
            "PostgresCluster::main",
            spec={"type": "rw", "instances": 2, **OF_MAIN},
        ),
        thing(
            "postgresql.cnpg.io/v1:Pooler",
            "main-ro",
            "PostgresCluster::main",
            spec={"type": "ro", "instances": 1, **OF_MAIN},
        ),
        component("PostgresOperator", "operator"),
        thing("core/v1:Namespace", SYSTEM, "PostgresOperator::operator", "", metadata=level),
        *workload("operator", "PostgresOperator::operator", SYSTEM),
        component("NetworkFlow", "a", source=people, destination=service, ports=[8080]),
        component("NetworkFlow", "b", source=service, destination=poolers, ports=[5432]),
        component("NetworkFlow", "c", source=poolers, destination=database, ports=[5432]),
        component("NetworkFlow", "d", source=database, destination=database, ports=[5432, 8000]),
        component("NetworkFlow", "d2", source=jobs, destination=database, ports=[5432]),
        component("NetworkFlow", "e", source=operator, destination=database, ports=[8000]),
        component("NetworkFlow", "f", source=operator, destination=api, ports=[6443]),
        component("NetworkFlow", "g", source=database, destination=api, ports=[6443]),
    ]


def scene() -> Scene:
    return build_scene("dev", environment())


def part(name: str) -> Scene:
    return build_scene("dev", environment(), PARTS[name])


def leaves(boxes: tuple[Box, ...] | list[Box]) -> dict[str, Box]:
    found: dict[str, Box] = {}
    for box in boxes:
        found |= leaves(box.children) if box.children else {box.title: box}
    return found


def test_a_component_is_a_box_in_the_room_of_its_namespace() -> None:
    rooms = {box.title: box for box in scene().boxes if box.style == "namespace"}
    assert set(rooms) == {DEV, SYSTEM}
    assert set(leaves(rooms[DEV].children)) == {"reference", "main"}


def test_a_component_says_what_it_runs() -> None:
    boxes = leaves(scene().boxes)
    assert (boxes["reference"].subtitle, boxes["reference"].lines) == ("HardenedWorkload", ["Deployment, 2 pods"])
    assert boxes["main"].lines == [
        "PostgreSQL 17: 1 primary, 2 replicas",
        "pgbouncer read-write, 2 pods",
        "pgbouncer read-only, 1 pod",
    ]


def test_the_part_that_is_drawn_has_a_box_for_each_workload() -> None:
    boxes = leaves(part("postgres").boxes)
    assert set(boxes) == {"reference", "main", "main-rw", "main-ro", "operator", "Kubernetes API"}
    assert boxes["main"].lines == ["PostgreSQL 17", "1 primary, 2 replicas", "a commit waits for 1 of them"]
    assert "among themselves 5432, 8000" in boxes["main"].notes


def test_a_part_shows_of_the_others_only_who_talks_with_it() -> None:
    workload = part("workload")
    names = {box.id: title for title, box in leaves(workload.boxes).items()}
    assert set(names.values()) == {"people", "reference", "main"}
    assert {(names[item.source], names[item.target]) for item in workload.arrows} == {
        ("people", "reference"),
        ("reference", "main"),
    }
    assert leaves(workload.boxes)["reference"].lines == [
        "Deployment, 2 pods",
        "Service reference:8080",
        "1 disruption budget",
    ]


def test_an_unknown_part_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(InputError, match="no part is called 'gatway'") as caught:
        part_of("gatway")
    assert "gateway" in caught.value.hint


def test_the_help_of_the_command_names_every_part() -> None:
    answer = CliRunner().invoke(app, ["graph", "--help"], env={"COLUMNS": "200"})
    assert answer.exit_code == 0
    assert [name for name in PARTS if name not in answer.output] == []


def test_the_command_draws_a_part_of_a_golden_graph(tmp_path: Path) -> None:
    state, target = tmp_path / "state.json", tmp_path / "docs" / "part.svg"
    golden = [
        {"urn": item.key, "type": item.type, "name": item.name, "parent": item.parent, "inputs": item.inputs}
        for item in environment()
    ]
    state.write_text(json.dumps(golden))
    answer = CliRunner().invoke(app, ["graph", "--state", str(state), "--part", "postgres", "-o", str(target)])
    assert answer.exit_code == 0, answer.output
    assert "main-rw" in target.read_text()


def test_what_holds_in_every_namespace_is_said_once() -> None:
    drawn = scene()
    assert drawn.remarks == ("Every namespace, where it says no other: Pod Security restricted; DNS is allowed.",)
    rooms = {box.title: box.subtitle for box in drawn.boxes if box.style == "namespace"}
    assert rooms == {DEV: "network default-deny, quota", SYSTEM: ""}


def test_a_flow_between_two_parties_outside_is_an_arrow_between_two_boxes() -> None:
    flows = [
        component("NetworkFlow", str(port), source=party("a", "elsewhere"), destination=party("b", "x"), ports=[port])
        for port in (1, 2)
    ]
    made = build_scene("dev", flows)
    assert [box.title for box in made.boxes] == ["a", "b"]
    assert [arrow.ports for arrow in made.arrows] == [(1, 2)]


def test_a_box_outside_says_its_addresses() -> None:
    assert leaves(scene().boxes)["people"].lines == ["192.0.2.1/32"]


def test_flows_become_arrows_between_the_boxes_that_their_parties_select() -> None:
    names = {box.id: title for title, box in leaves(scene().boxes).items()}
    assert {(names[item.source], names[item.target], item.ports) for item in scene().arrows} == {
        ("people", "reference", (8080,)),
        ("reference", "main", (5432,)),
        ("operator", "main", (8000,)),
        ("operator", "Kubernetes API", (6443,)),
        ("main", "Kubernetes API", (6443,)),
    }


def test_a_party_outside_that_many_talk_to_is_a_line_and_not_a_bundle_of_arrows() -> None:
    clients = [f"client{number}" for number in range(5)]
    api = party("Kubernetes API", cidrs=("192.0.2.2/32",))
    resources = [each for name in clients for each in workload(name, "Platform::dev")]
    resources += [
        component("NetworkFlow", name, source=party(name, DEV, app=name), destination=api, ports=[6443])
        for name in clients
    ]
    boxes = leaves(build_scene("dev", resources).boxes)
    assert "Kubernetes API" not in boxes
    assert {tuple(boxes[name].notes) for name in clients} == {("to Kubernetes API",)}


def test_who_reads_metrics_is_told_in_the_boxes_and_drawn_in_the_picture_of_monitoring() -> None:
    resources = [
        *environment(),
        component("MonitoringStack", "monitoring"),
        *workload("prometheus", "MonitoringStack::monitoring"),
        component(
            "NetworkFlow",
            "monitoring-scrape-reference",
            source=party("prometheus", DEV, app="prometheus"),
            destination=party("reference", DEV, app="reference"),
            ports=[9100],
        ),
    ]
    assert "metrics 9100" in leaves(build_scene("dev", resources).boxes)["reference"].notes
    drawn = build_scene("dev", resources, PARTS["monitoring"])
    assert [(arrow.kind, arrow.ports) for arrow in drawn.arrows] == [(SCRAPE, (9100,))]
    assert "Green: Prometheus reads metrics there." in render_svg(drawn)


def test_the_proxies_of_a_gateway_are_known_by_the_flows_that_name_them() -> None:
    prefix = "gateway.envoyproxy.io/owning-gateway"
    proxies = {"name": "proxies", "namespace": "envoy", "labels": {f"{prefix}-name": "web", f"{prefix}-namespace": DEV}}
    resources = [
        component("Gateway", "web"),
        thing("gateway.networking.k8s.io/v1:Gateway", "web", "Gateway::web"),
        *workload("shop", "Platform::dev"),
        component("NetworkFlow", "in", source=proxies, destination=party("shop", DEV, app="shop"), ports=[8080]),
    ]
    made = build_scene("dev", resources)
    rooms = {box.title: [child.title for child in box.children] for box in made.boxes}
    assert rooms == {"envoy": ["web"], DEV: ["shop"]}
    assert [arrow.ports for arrow in made.arrows] == [(8080,)]


@pytest.mark.parametrize("drawn", [scene, lambda: part("postgres"), lambda: part("workload")])
def test_no_line_goes_through_a_box_and_nothing_overlaps(drawn: Callable[[], Scene]) -> None:
    assert faults(compose(drawn())) == []


def test_flows_in_a_circle_still_get_columns() -> None:
    pair = [*workload("a", "Platform::dev"), *workload("b", "Platform::dev")]
    ends = [party("a", DEV, app="a"), party("b", DEV, app="b")]
    circle = [
        component("NetworkFlow", "1-there", source=ends[0], destination=ends[1], ports=[1]),
        component("NetworkFlow", "2-back", source=ends[1], destination=ends[0], ports=[2]),
    ]
    picture = compose(build_scene("dev", [*pair, *circle]))
    assert faults(picture) == []
    assert len(picture.routes) == 2


def test_the_same_graph_in_any_order_gives_the_same_bytes_and_valid_xml() -> None:
    first = render_svg(scene())
    assert first == render_svg(build_scene("dev", list(reversed(environment()))))
    root = ElementTree.fromstring(first)  # noqa: S314 -- our own text
    texts = {element.text for element in root.iter() if element.text}
    assert {"reference", "main", "stack dev", "5432"} <= texts


def test_an_export_and_a_golden_graph_of_the_same_stack_give_the_same_picture(tmp_path: Path) -> None:
    golden = [
        {"urn": item.key, "type": item.type, "name": item.name, "parent": item.parent, "inputs": item.inputs}
        for item in environment()
    ]
    export = {"version": 3, "deployment": {"resources": golden}}
    file = tmp_path / "export.json"
    file.write_text(json.dumps(export))
    pictures = [render_svg(build_scene("dev", found)) for found in (resources_of(golden, "x"), read_resources(file))]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    ("text", "complaint"), [("{", "is not JSON"), ('{"a": 1}', "neither a stack export nor a golden graph")]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    with pytest.raises(InputError, match=complaint):
        read_resources(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_resources(tmp_path / "absent.json")
