"""Differences of inputs, what means the same, and which need a new object."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.plugins.common.propertypath import parse, write
from local.plugins.common.values import UNKNOWN, Object
from local.plugins.kubernetes.diff import Change, changes, without
from local.plugins.kubernetes.immutable import forces_replacement, immutable_fields
from local.plugins.kubernetes.prune import prune
from local.plugins.kubernetes.sameness import normalize, quantity

_POD = {"apiVersion": "v1", "kind": "Pod"}
_TOY = {"apiVersion": "example.test/v1", "kind": "Toy"}


def paths(old: Object, new: Object, head: Object | None = None) -> dict[str, str]:
    head = _POD if head is None else head
    return {write(change.path): change.op for change in changes({**head, **old}, {**head, **new})}


def test_additions_changes_and_deletions_are_told_at_the_deepest_place() -> None:
    old = {"spec": {"a": 1, "b": {"c": 1, "d": 2}, "l": [{"x": 1}, {"x": 2}]}}
    new = {"spec": {"b": {"c": 1, "d": 3}, "l": [{"x": 1}], "e": {"f": 1}}}
    assert paths(old, new) == {"spec.a": "delete", "spec.b.d": "update", "spec.l[1]": "delete", "spec.e": "add"}


def test_an_unknown_value_is_a_change_and_so_is_an_unknown_addition() -> None:
    assert paths({"spec": {"a": 1}}, {"spec": {"a": UNKNOWN, "b": UNKNOWN}}) == {"spec.a": "update", "spec.b": "add"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}),
        ({"limits": {"cpu": 1}}, {"limits": {"cpu": "1"}}),
        ({"requests": {"memory": "1024Mi"}}, {"requests": {"memory": "1Gi"}}),
        ({"hostNetwork": False}, {}),
        ({"globalDefault": False}, {}),
        ({"volumeMounts": [{"readOnly": False}]}, {"volumeMounts": [{}]}),
        ({"tolerations": []}, {}),
        ({"x": None}, {}),
        ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}),
    ],
)
def test_spellings_that_mean_the_same_are_no_change(old: Object, new: Object) -> None:
    assert paths({"spec": old}, {"spec": new}) == {}
    assert paths({"spec": new}, {"spec": old}) == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"automountServiceAccountToken": False}, {}),
        ({"env": [{"value": "1000m"}]}, {"env": [{"value": "1"}]}),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}),
        ({"podSelector": {}}, {}),
        ({"on": True}, {"on": 1}),
    ],
)
def test_look_alikes_with_different_meaning_are_changes(old: Object, new: Object) -> None:
    assert paths({"spec": old}, {"spec": new})


def test_empty_values_in_data_and_in_custom_resources_count() -> None:
    assert paths({"data": {"a": ""}}, {"data": {}}) == {"data.a": "delete"}
    assert paths({"spec": {"list": []}}, {"spec": {}}, _TOY) == {"spec.list": "delete"}


def test_ignored_paths_hide_what_lies_below_them() -> None:
    found = changes({**_POD, "spec": {"a": {"b": 1}, "c": 1}}, {**_POD, "spec": {"a": {"b": 2}, "c": 2}})
    assert [write(change.path) for change in without(found, [parse("spec.a")])] == ["spec.c"]
    assert without(found, [parse("spec.*")]) == [] or without(found, [parse("spec")]) == []


@given(st.lists(st.one_of(st.integers(0, 99), st.text(min_size=1, max_size=8).filter(lambda text: "*" not in text))))
def test_a_property_path_survives_writing_and_reading(steps: list[str | int]) -> None:
    path = ("root", *steps)
    assert parse(write(path)) == path


def test_a_broken_property_path_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match="from position 1"):
        parse("a[b")


def immutable(obj: Object, **flags: bool) -> tuple[tuple[str | int, ...], ...]:
    settings = {"patch": False, "mutable_config_maps": False, "mutable_secrets": False, **flags}
    return immutable_fields(obj, **settings)


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("apps/v1", "Deployment", "spec.selector.matchLabels.app"),
        ("apps/v1", "StatefulSet", "spec.volumeClaimTemplates[0].spec.resources"),
        ("batch/v1", "Job", "spec.template.spec.containers[0].image"),
        ("v1", "Service", "spec.clusterIP"),
        ("v1", "Pod", "spec.containers[3].image"),
        ("v1", "PersistentVolumeClaim", "spec.storageClassName"),
        ("storage.k8s.io/v1", "StorageClass", "parameters.x"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef.name"),
        ("v1", "Secret", "data.key"),
        ("v1", "ConfigMap", "data.key"),
        ("example.test/v1", "Toy", "metadata.namespace"),
    ],
)
def test_immutable_fields_need_a_new_object(api_version: str, kind: str, path: str) -> None:
    fields = immutable({"apiVersion": api_version, "kind": kind})
    assert forces_replacement(Change(parse(path), "update", "x"), fields)


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("apps/v1", "Deployment", "spec.replicas"),
        ("v1", "Pod", "spec.containers[0].name"),
        ("v1", "ConfigMap", "metadata.labels.a"),
        ("example.test/v1", "Deployment", "spec.selector"),
    ],
)
def test_other_fields_are_updated_in_place(api_version: str, kind: str, path: str) -> None:
    fields = immutable({"apiVersion": api_version, "kind": kind})
    assert not forces_replacement(Change(parse(path), "update", "x"), fields)


def test_mutable_data_is_updated_unless_the_object_itself_says_immutable() -> None:
    change = Change(parse("data.key"), "update", "x")
    for kind, flag in (("ConfigMap", "mutable_config_maps"), ("Secret", "mutable_secrets")):
        obj = {"apiVersion": "v1", "kind": kind}
        assert not forces_replacement(change, immutable(obj, **{flag: True}))
        assert forces_replacement(change, immutable({**obj, "immutable": True}, **{flag: True}))


def test_a_patch_keeps_only_its_identity() -> None:
    fields = immutable({"apiVersion": "apps/v1", "kind": "Deployment"}, patch=True)
    assert not forces_replacement(Change(parse("spec.selector"), "update", "x"), fields)
    assert forces_replacement(Change(parse("metadata.name"), "update", "x"), fields)


def test_a_change_above_an_immutable_field_counts_when_it_reaches_down() -> None:
    fields = immutable({"apiVersion": "apps/v1", "kind": "Deployment"})
    assert forces_replacement(Change(parse("spec"), "add", {"selector": {}}), fields)
    assert not forces_replacement(Change(parse("spec"), "add", {"replicas": 1}), fields)


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("1Gi", 2**30), ("2k", 2000), ("1e3", 1000), (2, 2), ("1.5", 1.5)]
)
def test_quantities_are_numbers(text: object, number: float) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", True, None, {}])
def test_other_values_are_no_quantities(text: object) -> None:
    assert quantity(text) is None


def test_pruning_keeps_the_programs_fields_with_the_servers_values() -> None:
    live = {**_POD, "spec": {"a": 2, "defaulted": 1, "limits": {"cpu": "1"}}, "status": {}}
    inputs = {**_POD, "spec": {"a": 1, "limits": {"cpu": "1000m"}, "gone": 1, "hostNetwork": False}}
    expected = {"a": 2, "limits": {"cpu": "1000m"}, "hostNetwork": False}
    assert prune(live, inputs) == {**_POD, "spec": expected}


def test_pruning_finds_named_elements_behind_injected_ones() -> None:
    live = {**_POD, "spec": {"containers": [{"name": "sidecar"}, {"name": "web", "image": "b", "x": 1}]}}
    inputs = {**_POD, "spec": {"containers": [{"name": "web", "image": "a"}]}}
    assert prune(live, inputs)["spec"]["containers"] == [{"name": "web", "image": "b"}]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_an_object_never_differs_from_itself_nor_from_its_own_pruning(value: object) -> None:
    obj: Object = {**_TOY, "spec": value}
    assert changes(obj, obj) == []
    assert changes(prune(obj, obj), obj) == []


def test_text_of_a_secret_is_recorded_as_base64_data() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "x"}, "data": {"b": "eA==\n"}}
    assert normalize(dict(secret))["data"]["a"] == "eA=="
    plain_data = {"apiVersion": "v1", "kind": "Secret", "data": {"b": "eA==\n", "c": "not base64"}}
    assert normalize(plain_data)["data"] == {"b": "eA==", "c": "not base64"}


def test_read_only_metadata_and_a_definitions_status_are_dropped() -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "status": {},
        "metadata": {"name": "x", "uid": "1", "resourceVersion": "2", "managedFields": []},
        "spec": {"preserveUnknownFields": False},
    }  # fmt: skip
    found = normalize(definition)
    assert found["metadata"] == {"name": "x"}
    assert found["spec"] == {}
    assert "status" not in found
