"""Whether a server runs the declared parameters, from rows as `pg_settings` gives them."""

from __future__ import annotations

from typing import Any

import pytest

from ops.rollback.database.parameters import difference


def row(
    name: str, setting: str, *, unit: str | None = None, vartype: str = "integer", waits: bool = False
) -> dict[str, Any]:
    return {"name": name, "setting": setting, "unit": unit, "vartype": vartype, "pending_restart": waits}


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("128MB", row("x", "16384", unit="8kB")),
        ("60s", row("x", "60000", unit="ms")),
        ("300s", row("x", "300", unit="s")),
        ("1min", row("x", "60000", unit="ms")),
        ("200ms", row("x", "200", unit="ms")),
        ("0", row("x", "0", unit="B")),
        ("60", row("x", "60")),
        ("-1", row("x", "-1", unit="kB")),
        ("0.90", row("x", "0.9", vartype="real")),
        ("on", row("x", "on", vartype="bool")),
        ("true", row("x", "on", vartype="bool")),
        ("LZ4", row("x", "lz4", vartype="enum")),
        ("scram-sha-256", row("x", "scram-sha-256", vartype="enum")),
    ],
)
def test_a_value_is_the_same_however_it_is_written(declared: str, found: dict[str, Any]) -> None:
    assert difference({"x": declared}, [found]).unread == ()


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("256MB", row("x", "16384", unit="8kB")),
        ("61", row("x", "60")),
        ("off", row("x", "on", vartype="bool")),
        ("none", row("x", "mod", vartype="enum")),
        ("five", row("x", "5")),
        ("5 fathoms", row("x", "5")),
    ],
)
def test_another_value_did_not_reach_the_server(declared: str, found: dict[str, Any]) -> None:
    assert difference({"x": declared}, [found]).unread == ("x",)


def test_what_waits_for_a_restart_is_named_as_that_alone_also_where_nobody_declared_it() -> None:
    found = difference({"a": "2"}, [row("a", "1", waits=True), row("b", "1", waits=True), row("c", "1")])
    assert found.waiting == ("a", "b")
    assert found.unread == ()


def test_what_the_operator_adds_to_a_list_is_no_difference() -> None:
    libraries = row("shared_preload_libraries", "pg_stat_statements", vartype="string")
    assert difference({"shared_preload_libraries": ""}, [libraries]).unread == ()
    assert difference({}, [{**libraries, "pending_restart": True}]).waiting == ("shared_preload_libraries",)
