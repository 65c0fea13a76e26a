"""External databases in a picture."""

from __future__ import annotations

from typing import Any

from ops.graph.postgresql import postgresql_boxes
from ops.graph.resources import Resource


def resource(kind: str, key: str, /, **inputs: Any) -> Resource:  # noqa: ANN401  # JSON values
    type_ = "omnibase-infra:index:ManagedPostgres" if kind == "ManagedPostgres" else f"postgresql:index/x:{kind}"
    return Resource(key=f"urn::{key}", type=type_, name=key, parent="", inputs=inputs)


def test_a_stack_without_external_databases_has_nothing_to_draw() -> None:
    assert postgresql_boxes([resource("Role", "lonely", name="r", login=True)]) == ([], [])


def test_who_logs_in_stands_outside_and_points_at_its_database() -> None:
    boxes, arrows = postgresql_boxes(
        [
            resource("ManagedPostgres", "orders", host="db.example.test", port=6432, databases={"orders": {}}),
            resource("Database", "database", name="orders", owner="orders_owner"),
            resource("Role", "app", name="orders_app", login=True, connectionLimit=50),
            resource("Role", "owner", name="orders_owner", login=False),
            resource("Role", "stranger", name="stranger", login=True),
            resource("Grant", "g", database="orders", role="orders_app", privileges=["CONNECT"]),
            resource("Grant", "p", database="orders", role="public", privileges=[]),
            resource("Extension", "e", database="orders", name="pg_trgm"),
        ]
    )
    application, server = boxes
    assert (application.title, application.subtitle, application.style) == ("application", "as orders_app", "outside")
    assert "at most 50 connections" in application.lines
    assert server.title == "db.example.test"
    assert server.children[0].lines == [
        "owner orders_owner, cannot log in", "extensions pg_trgm", "everybody else: nothing",
    ]  # fmt: skip
    assert [(arrow.source, arrow.target, arrow.ports) for arrow in arrows] == [("urn::app", "urn::database", (6432,))]


def test_a_database_of_nobodys_component_is_drawn_too() -> None:
    boxes, arrows = postgresql_boxes([resource("Database", "alone", name="alone", owner="me")])
    assert [box.title for box in boxes] == ["external server"]
    assert arrows == []
