"""Field managers: taking over from a plain create and from kubectl, and leaving what is ignored."""

from __future__ import annotations

from local.plugins.common.propertypath import parse
from local.plugins.common.values import Object, Secret
from local.plugins.kubernetes import checkpoint, ownership


def entry(manager: str, operation: str, fields: Object, subresource: str = "") -> Object:
    found = {"manager": manager, "operation": operation, "fieldsV1": fields}
    return {**found, "subresource": subresource} if subresource else found


def live(*entries: Object, **more: object) -> Object:
    return {"metadata": {"name": "x", "resourceVersion": "7", "managedFields": list(entries)}, **more}


_KUBELET = entry("kubelet", "Update", {"f:status": {}}, "status")


def test_fields_of_a_plain_create_and_of_kubectl_move_to_the_resources_manager() -> None:
    obj = live(
        entry("pulumi-kubernetes", "Update", {"f:spec": {"f:a": {}}}),
        entry("kubectl-edit", "Update", {"f:spec": {"f:b": {}}}),
        entry("kubectl", "Update", {"f:spec": {"f:replicas": {}}}, "scale"),
        _KUBELET,
    )
    managers, version = ownership.take_over(obj, "mine")
    assert version == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}
    kept, own = managers["value"]
    assert kept == _KUBELET
    assert own == entry("mine", "Apply", {"f:spec": {"f:a": {}, "f:b": {}, "f:replicas": {}}})


def test_an_entry_of_its_own_is_extended_and_autoscalers_keep_theirs() -> None:
    scaler = entry("kube-controller-manager", "Update", {"f:spec": {"f:replicas": {}}}, "scale")
    obj = live(entry("mine", "Apply", {"f:a": {}}), entry("before-first-apply", "Update", {"f:b": {}}), scaler)
    kept, own = ownership.take_over(obj, "mine")[0]["value"]
    assert kept == scaler
    assert own["fieldsV1"] == {"f:a": {}, "f:b": {}}


def test_nothing_to_take_over_is_no_patch() -> None:
    assert ownership.take_over(live(entry("mine", "Apply", {}), _KUBELET), "mine") == []
    assert ownership.unowned(live())
    assert ownership.created_here(live(entry("pulumi-kubernetes", "Update", {})))


def test_ignored_fields_of_others_are_left_out_and_own_ones_keep_their_live_value() -> None:
    fields: Object = {"f:spec": {"f:replicas": {}}}
    for manager, expected in (("hpa", {"image": "b"}), ("mine", {"replicas": 5, "image": "b"})):
        obj = live(entry(manager, "Update", fields), spec={"replicas": 5})
        inputs = {"spec": {"replicas": 1, "image": "b"}}
        ownership.leave_ignored(inputs, obj, [parse("spec.replicas")], "mine")
        assert inputs["spec"] == expected


def test_ignored_fields_inside_named_list_elements_are_found() -> None:
    key = 'k:{"name":"web"}'
    fields: Object = {"f:containers": {key: {"f:image": {}}}}
    obj = live(entry("updater", "Update", fields), containers=[{"name": "web", "image": "new"}])
    inputs: Object = {"containers": [{"name": "web", "image": "old"}]}
    ownership.leave_ignored(inputs, obj, [parse("containers[0].image")], "mine")
    assert inputs == {"containers": [{"name": "web"}]}


def test_a_recorded_state_is_read_back_as_inputs_and_live_object() -> None:
    inputs: Object = {"kind": "ConfigMap", "data": {"a": "x"}}
    state = checkpoint.build(inputs, {**inputs, "metadata": {"uid": "1"}}, {"data": Secret({"a": "x"})}, "v1", "mine")
    assert state["data"] == Secret({"a": "x"})
    assert checkpoint.parse(state) == (inputs, {**inputs, "metadata": {"uid": "1"}})
    assert checkpoint.note(state, checkpoint.FIELD_MANAGER) == "mine"
    assert checkpoint.parse({"inputs": {"a": 1}, "live": {"b": 1}}) == ({"a": 1}, {"b": 1})
