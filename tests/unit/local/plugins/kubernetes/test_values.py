"""What Kubernetes objects add to the engine's values."""

from __future__ import annotations

from local.plugins.common.values import Object, Secret
from local.plugins.kubernetes.values import mark_secrets, plain, underscored


def test_plain_and_underscored_translate_schema_extensions() -> None:
    inputs = {"x_kubernetes_list_type": Secret("map"), "my_key": 1}
    assert plain(inputs) == {"x-kubernetes-list-type": "map", "my_key": 1}
    assert underscored(plain(inputs)) == {"x_kubernetes_list_type": "map", "my_key": 1}


def test_secret_marks_are_copied_to_the_same_places_and_lists_are_marked_whole() -> None:
    outs: Object = {"spec": {"a": 1, "b": 2, "list": [1, 2]}}
    mark_secrets(outs, {"spec": {"a": Secret(1), "list": [Secret(1), 2]}})
    assert outs == {"spec": {"a": Secret(1), "b": 2, "list": Secret([1, 2])}}


def test_all_data_of_a_secret_object_is_secret() -> None:
    outs: Object = {"kind": "Secret", "data": {"a": "b"}, "metadata": {"name": "x"}}
    mark_secrets(outs, {})
    assert outs == {"kind": "Secret", "data": Secret({"a": "b"}), "metadata": {"name": "x"}}
