"""What is made of a state that a killed engine left."""

from __future__ import annotations

from typing import Any

import pytest

from local.engine.pending import has_pending, object_id, repair

_CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


def _resource(name: str, kind: str = _CONFIG_MAP, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    metadata = {"name": name, "namespace": "here"}
    urn = f"urn:pulumi:dev::tiny::{kind}::{name}"
    return {"urn": urn, "type": kind, "custom": True, "inputs": {"metadata": metadata}, **more}


def _state(resources: list[dict[str, Any]], *pending: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    operations = [{"type": kind, "resource": resource} for kind, resource in pending]
    return {"resources": resources, "pending_operations": operations}


def test_a_state_without_pending_operations_needs_no_repair() -> None:
    assert not has_pending({"resources": []})
    assert not has_pending({"resources": [], "pending_operations": []})
    assert has_pending(_state([], ("creating", _resource("a"))))


def test_a_creation_is_adopted_under_the_address_of_its_object() -> None:
    state = _state([_resource("old", id="here/old")], ("creating", _resource("new")))
    result = repair(state)
    assert [resource["id"] for resource in result.deployment["resources"]] == ["here/old", "here/new"]
    assert result.adopted == [_resource("new")["urn"]]
    assert "pending_operations" not in result.deployment


def test_the_given_state_stays_as_it_was() -> None:
    state = _state([_resource("a", id="here/a")], ("creating", _resource("a")))
    before = str(state)
    repair(state)
    assert str(state) == before


@pytest.mark.parametrize("kind", ["updating", "deleting", "reading", "importing"])
def test_other_operations_leave_the_resource_as_it_was_before_them(kind: str) -> None:
    old = _resource("a", id="here/a")
    result = repair(_state([old], (kind, _resource("a", id="here/a", inputs={}))))
    assert result.deployment["resources"] == [old]
    assert not result.adopted
    assert not result.forgotten


@pytest.mark.parametrize("kind", ["container:Container", "network:Network", "volume:Volume"])
def test_objects_of_a_docker_host_are_looked_for_by_name(kind: str) -> None:
    resource = _resource("web-container", kind=f"docker:index/{kind}", inputs={"name": "dev-web"})
    assert object_id(resource) == "dev-web"
    assert object_id({**resource, "inputs": {"name": {"secret": True}}}) is None
    assert object_id({**resource, "type": "docker:index/image:Image"}) is None


def test_a_creation_without_a_known_address_is_forgotten_and_named() -> None:
    dynamic = _resource("d", kind="pulumi-python:dynamic:Resource")
    result = repair(_state([], ("creating", dynamic)))
    assert result.forgotten == [dynamic["urn"]]
    assert result.deployment["resources"] == []


def test_the_creation_of_a_replacement_marks_the_old_object_for_deletion() -> None:
    new = _resource("a", inputs={"metadata": {"name": "a-2", "namespace": "here"}})
    result = repair(_state([_resource("a", id="here/a-1")], ("creating", new)))
    old, adopted = result.deployment["resources"]
    assert (old["id"], old.get("delete")) == ("here/a-1", True)
    assert (adopted["id"], adopted.get("delete")) == ("here/a-2", None)


def test_the_creation_after_a_delete_before_replace_takes_the_place_of_the_deleted_one() -> None:
    gone = _resource("a", id="here/a", pendingReplacement=True)
    waiting = _resource("a", id="here/a-0", delete=True)
    result = repair(_state([gone, waiting], ("creating", _resource("a"))))
    assert [(r["id"], bool(r.get("delete"))) for r in result.deployment["resources"]] == [
        ("here/a-0", True),
        ("here/a", False),
    ]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (_resource("a"), "here/a"),
        (_resource("n", "kubernetes:core/v1:Namespace", inputs={"metadata": {"name": "n"}}), "n"),
        (_resource("p", "kubernetes:apps/v1:DeploymentPatch"), "here/p"),
        (_resource("a", custom=False), None),
        (_resource("a", inputs={"metadata": {"namespace": "here"}}), None),
        (_resource("a", inputs={"metadata": {"generateName": "a-", "namespace": "here"}}), None),
        (_resource("a", inputs={"metadata": {"name": {"4dabf18193072939515e22adb298388d": "x"}}}), None),
        (_resource("g", "kubernetes:yaml/v2:ConfigGroup"), None),
        (_resource("r", "kubernetes:helm.sh/v3:Release"), None),
        (_resource("l", "kubernetes:core/v1:ConfigMapList", inputs={"kind": "ConfigMapList", "metadata": {}}), None),
        (_resource("d", "docker:index/image:Image"), None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_only_single_kubernetes_objects_with_a_plain_name_have_a_known_address(
    resource: dict[str, Any], expected: str | None
) -> None:
    assert object_id(resource) == expected
