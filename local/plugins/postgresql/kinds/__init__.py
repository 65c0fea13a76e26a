"""What each resource type does on the server."""

from __future__ import annotations

from collections.abc import Mapping

from local.plugins.postgresql import shapes
from local.plugins.postgresql.kinds.database import DatabaseKind
from local.plugins.postgresql.kinds.default_privileges import DefaultPrivilegesKind
from local.plugins.postgresql.kinds.extension import ExtensionKind
from local.plugins.postgresql.kinds.grant import GrantKind
from local.plugins.postgresql.kinds.grant_role import GrantRoleKind
from local.plugins.postgresql.kinds.kind import Kind
from local.plugins.postgresql.kinds.role import RoleKind
from local.plugins.postgresql.kinds.schema import SchemaKind

KINDS: Mapping[str, Kind] = {
    shapes.DATABASE.token: DatabaseKind(),
    shapes.DEFAULT_PRIVILEGES.token: DefaultPrivilegesKind(),
    shapes.EXTENSION.token: ExtensionKind(),
    shapes.GRANT.token: GrantKind(),
    shapes.GRANT_ROLE.token: GrantRoleKind(),
    shapes.ROLE.token: RoleKind(),
    shapes.SCHEMA.token: SchemaKind(),
}
"""Type token -> how it is served."""

__all__ = ["KINDS", "Kind"]
