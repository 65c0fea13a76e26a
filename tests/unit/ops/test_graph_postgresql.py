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
    assert (application.title, application.subtitle, application.style) == ("orders_app", "role", "outside")
    assert "at most 50 connections" in application.lines
    assert server.title == "db.example.test"
    assert server.children[0].lines == [
        "owner orders_owner, cannot log in", "extensions pg_trgm", "everybody else: nothing",
    ]  # fmt: skip
    assert [(arrow.source, arrow.target, arrow.ports) for arrow in arrows] == [("urn::app", "urn::database", (6432,))]


def test_each_role_says_what_it_may_do_with_the_rows_and_nothing_else() -> None:
    def granted(role: str, *privileges: str) -> Resource:
        to = {"database": "orders", "role": role, "objectType": "table", "privileges": list(privileges)}
        return resource("DefaultPrivileges", f"d-{role}", **to)

    boxes, _ = postgresql_boxes(
        [
            resource("Database", "database", name="orders", owner="orders_owner"),
            resource("Role", "app", name="orders_app", login=True),
            resource("Role", "reader", name="orders_reader", login=True),
            resource("Role", "migrator", name="orders_migrator", login=True, roles=["orders_owner"]),
            resource("Role", "monitor", name="orders_monitor", login=True, roles=["pg_monitor"]),
            *(
                resource("Grant", f"g-{role}", database="orders", role=role, privileges=["CONNECT"])
                for role in ("orders_app", "orders_reader", "orders_migrator", "pg_monitor")
            ),
            granted("orders_app", "SELECT", "INSERT", "UPDATE", "DELETE"),
            granted("orders_reader", "SELECT"),
        ]
    )
    assert {box.title: box.lines[0] for box in boxes[:-1]} == {
        "orders_app": "reads and writes rows, no more",
        "orders_reader": "reads rows, no more",
        "orders_migrator": "acts as orders_owner: changes the schema",
        "orders_monitor": "as member of pg_monitor; no rows",
    }


def test_a_role_of_two_databases_is_drawn_once_and_says_where_it_may_do_what() -> None:
    databases = [resource("Database", name, name=name, owner=f"{name}_owner") for name in ("orders", "events")]
    both = [
        resource("Grant", f"g-{name}", database=name, role="everywhere", privileges=["CONNECT"])
        for name in ("orders", "events")
    ]
    reads = {"database": "events", "role": "everywhere", "objectType": "table", "privileges": ["SELECT"]}
    role = resource("Role", "everywhere", name="everywhere", login=True)

    boxes, arrows = postgresql_boxes([*databases, *both, role, resource("Grant", "t", **reads)])

    assert [box.title for box in boxes] == ["everywhere", "external server"]
    assert boxes[0].lines == ["orders: no rows", "events: reads rows, no more"]
    assert [arrow.target for arrow in arrows] == ["urn::orders", "urn::events"]


def test_a_database_of_nobodys_component_is_drawn_too() -> None:
    boxes, arrows = postgresql_boxes([resource("Database", "alone", name="alone", owner="me")])
    assert [box.title for box in boxes] == ["external server"]
    assert arrows == []
