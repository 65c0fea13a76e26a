"""What grants and default privileges share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from local.plugins.common.errors import ResourceError
from local.plugins.postgresql.server import Connection, one

PUBLIC = "public"
"""The name that stands for everybody."""
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "database": ("CREATE", "CONNECT", "TEMPORARY"),
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
    "sequence": ("USAGE", "SELECT", "UPDATE"),
    "schema": ("CREATE", "USAGE"),
    "function": ("EXECUTE",),
    "procedure": ("EXECUTE",),
    "routine": ("EXECUTE",),
    "type": ("USAGE",),
    "foreign_data_wrapper": ("USAGE",),
    "foreign_server": ("USAGE",),
    "column": ("SELECT", "INSERT", "UPDATE", "REFERENCES"),
}
_ALL = "ALL"
_MAINTAIN_SINCE = 170000


def allowed(object_type: str, version: int) -> tuple[str, ...]:
    """The privileges that objects of a type know."""
    found = _ALLOWED[object_type]
    return (*found, "MAINTAIN") if object_type == "table" and version >= _MAINTAIN_SINCE else found


def check(object_type: str, privileges: Iterable[str], version: int) -> None:
    """Refuse privileges that the type does not know: they become part of a statement.

    Raises:
        ResourceError: names the first one.
    """
    known = (_ALL, *allowed(object_type, version))
    for privilege in privileges:
        if privilege not in known:
            raise ResourceError(
                f"{privilege} is not an allowed privilege for object type {object_type}; allowed: {', '.join(known)}"
            )


def found_or_wanted(object_type: str, found: Iterable[str], wanted: Iterable[str], version: int) -> list[str]:
    """What to record: the wanted privileges where they are there (ALL is all of them), else those that are."""
    there, asked = set(found), list(wanted)
    whole = set(allowed(object_type, version))
    if there == set(asked) or (_ALL in asked and there == whole):
        return asked
    return sorted(there)


def role_oid(connection: Connection, role: str) -> int | None:
    """The role's number; 0 for everybody, None if there is no such role."""
    if role == PUBLIC:
        return 0
    row = one(connection, "SELECT oid::bigint FROM pg_catalog.pg_roles WHERE rolname = %s", (role,))
    return int(row[0]) if row else None
