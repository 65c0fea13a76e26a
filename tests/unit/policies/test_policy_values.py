"""Reading an object: there, absent, empty, unknown, wrapped, malformed."""

from __future__ import annotations

import pytest
from omnibase_policies.values import UNKNOWN, View, resolve

_KEY = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def test_null_is_absent_and_empty_is_there() -> None:
    view = View({"null": None, "text": "", "list": [], "mapping": {}})
    assert view["null"].is_absent
    assert view["nothing"].is_absent
    assert not any(view[name].is_absent for name in ("text", "list", "mapping"))


def test_everything_below_an_unknown_value_is_unknown() -> None:
    view = View({"spec": _LATER})
    assert view.at("spec", "containers").is_unknown
    assert [entry.value for entry in view.at("spec", "containers").items()] == [UNKNOWN]


@pytest.mark.parametrize(
    ("wrapped", "bare"),
    [
        ({_KEY: _SECRET, "value": True}, True),
        ({_KEY: _SECRET, "value": _LATER}, UNKNOWN),
        ({_KEY: _OUTPUT, "value": {"a": 1}}, {"a": 1}),
        ({_KEY: _OUTPUT}, UNKNOWN),
        ({_KEY: _OUTPUT, "value": {_KEY: _SECRET, "value": 0}}, 0),
        ("[secret]", UNKNOWN),
    ],
)
def test_secrets_and_outputs_are_read_through(wrapped: object, bare: object) -> None:
    assert resolve(wrapped) == bare


@pytest.mark.parametrize("malformed", [1, "text", True, [], [{}]])
def test_what_is_no_mapping_has_no_fields(malformed: object) -> None:
    assert View({"spec": malformed}).at("spec", "containers").is_absent


def test_a_path_names_list_entries_by_index() -> None:
    view = View({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}})
    assert view.at("spec", "containers").items()[1]["name"].path == "spec.containers[1].name"
