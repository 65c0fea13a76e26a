"""The resource types that are served, those that the components of this project use, with their fields.

From the schema of the official provider 3.18.2; a unit test holds the names against the SDK's constructors.
"""

from __future__ import annotations

from collections.abc import Mapping

from local.plugins.common.bridged import Field, Shape

OBJECT_TYPES = (
    "database", "function", "procedure", "routine", "schema", "sequence", "table",
    "foreign_data_wrapper", "foreign_server", "column",
)  # fmt: skip
DEFAULT_OBJECT_TYPES = ("table", "sequence", "function", "routine", "type", "schema")

DATABASE = Shape(
    token="postgresql:index/database:Database",  # noqa: S106  # a resource type
    autonamed=True,
    fields={
        "name": Field(required=True),
        "owner": Field(computed=True),
        "template": Field(computed=True, replaces=True),
        "encoding": Field(computed=True, replaces=True),
        "lcCollate": Field(computed=True, replaces=True),
        "lcCtype": Field(computed=True, replaces=True),
        "tablespaceName": Field(computed=True),
        "connectionLimit": Field(kind="int", default=-1, least=-1),
        "allowConnections": Field(kind="bool", default=True),
        "isTemplate": Field(kind="bool", computed=True),
        "alterObjectOwnership": Field(kind="bool", default=False),
    },
)
ROLE = Shape(
    token="postgresql:index/role:Role",  # noqa: S106  # a resource type
    autonamed=True,
    fields={
        "name": Field(required=True),
        "login": Field(kind="bool", default=False),
        "password": Field(secret=True, conflicts=("passwordWo", "passwordWoVersion")),
        "passwordWo": Field(secret=True, write_only=True, conflicts=("password",), requires=("passwordWoVersion",)),
        "passwordWoVersion": Field(conflicts=("password",), requires=("passwordWo",)),
        "encryptedPassword": Field(kind="bool", default=True),
        "encrypted": Field(),
        "validUntil": Field(default="infinity"),
        "connectionLimit": Field(kind="int", default=-1, least=-1),
        "superuser": Field(kind="bool", default=False),
        "createDatabase": Field(kind="bool", default=False),
        "createRole": Field(kind="bool", default=False),
        "inherit": Field(kind="bool", default=True),
        "replication": Field(kind="bool", default=False),
        "bypassRowLevelSecurity": Field(kind="bool", default=False),
        "roles": Field(kind="set"),
        "searchPaths": Field(kind="list"),
        "statementTimeout": Field(kind="int", least=0),
        "idleInTransactionSessionTimeout": Field(kind="int", least=0),
        "assumeRole": Field(),
        "skipDropRole": Field(kind="bool", default=False),
        "skipReassignOwned": Field(kind="bool", default=False),
    },
)
GRANT = Shape(
    token="postgresql:index/grant:Grant",  # noqa: S106  # a resource type
    delete_first=True,
    fields={
        "role": Field(required=True, replaces=True),
        "database": Field(required=True, replaces=True),
        "schema": Field(replaces=True),
        "objectType": Field(required=True, replaces=True, choices=OBJECT_TYPES),
        "objects": Field(kind="set", replaces=True),
        "columns": Field(kind="set", replaces=True),
        "privileges": Field(kind="set", required=True),
        "withGrantOption": Field(kind="bool", default=False, replaces=True),
    },
)
DEFAULT_PRIVILEGES = Shape(
    token="postgresql:index/defaultPrivileges:DefaultPrivileges",  # noqa: S106  # a resource type
    fields={
        "role": Field(required=True, replaces=True),
        "database": Field(required=True, replaces=True),
        "owner": Field(required=True, replaces=True),
        "schema": Field(replaces=True),
        "objectType": Field(required=True, replaces=True, choices=DEFAULT_OBJECT_TYPES),
        "privileges": Field(kind="set", required=True),
        "withGrantOption": Field(kind="bool", default=False, replaces=True),
    },
)
SCHEMA = Shape(
    token="postgresql:index/schema:Schema",  # noqa: S106  # a resource type
    autonamed=True,
    fields={
        "name": Field(required=True),
        "database": Field(computed=True, replaces=True),
        "owner": Field(computed=True),
        "ifNotExists": Field(kind="bool", default=True),
        "dropCascade": Field(kind="bool", default=False),
    },
)
EXTENSION = Shape(
    token="postgresql:index/extension:Extension",  # noqa: S106  # a resource type
    autonamed=True,
    fields={
        "name": Field(required=True, replaces=True),
        "database": Field(computed=True, replaces=True),
        "schema": Field(computed=True),
        "version": Field(computed=True),
        "createCascade": Field(kind="bool", default=False),
        "dropCascade": Field(kind="bool", default=False),
    },
)
GRANT_ROLE = Shape(
    token="postgresql:index/grantRole:GrantRole",  # noqa: S106  # a resource type
    fields={
        "role": Field(required=True, replaces=True),
        "grantRole": Field(required=True, replaces=True),
        "withAdminOption": Field(kind="bool", default=False, replaces=True),
    },
)

SHAPES: Mapping[str, Shape] = {
    shape.token: shape for shape in (DATABASE, DEFAULT_PRIVILEGES, EXTENSION, GRANT, GRANT_ROLE, ROLE, SCHEMA)
}
"""Type token -> its fields."""
UNSERVED = {"policies": "use `postgresql.Grant` with object_type `schema`, as the official provider advises"}
"""Deprecated properties that are refused, with what to use instead."""
