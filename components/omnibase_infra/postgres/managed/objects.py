"""One object of an external server, with the type token of the official SDK and without loading it.

Importing `pulumi_postgresql` would cost every program of this project its time, and callers who use no external server
a plugin that they do not need. A unit test holds tokens and properties against the SDK's constructors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

_AS_MADE = ["template", "encoding", "lcCollate", "lcCtype"]
"""Of a database. One that was there before may have others; to change them, it would be dropped with its rows."""


class PostgresqlObject(pulumi.CustomResource):
    """A Database, Role, Grant, DefaultPrivileges, Schema, Extension or GrantRole."""

    def __init__(self, kind: str, name: str, properties: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Register it.

        Args:
            kind: the SDK's class name.
            name: Pulumi's name, unique below its parent.
            properties: as in the SDK's schema, in camel case.
            opts: parent and whatever else.
        """
        token = f"postgresql:index/{kind[0].lower()}{kind[1:]}:{kind}"
        super().__init__(token, name, dict(properties), opts)


def child(
    parent: pulumi.Resource,
    kind: str,
    name: str,
    properties: Mapping[str, Any],
    *,
    depends_on: Sequence[pulumi.Resource] = (),
    guard: bool = False,
) -> PostgresqlObject:
    """Register an object below a component. All names are explicit, so that a replacement deletes the old one first.

    Args:
        parent: the component, whose provider is used.
        kind: see PostgresqlObject.
        name: see PostgresqlObject.
        properties: see PostgresqlObject.
        depends_on: what must be there before.
        guard: refuse to delete, and keep the object if deletion is forced.
    """
    opts = pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(depends_on),
        delete_before_replace=True,
        protect=guard,
        retain_on_delete=guard,
        additional_secret_outputs=["password"] if kind == "Role" else None,
        ignore_changes=_AS_MADE if kind == "Database" else None,
    )
    return PostgresqlObject(kind, name, properties, opts)
