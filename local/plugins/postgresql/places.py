"""What lives in a database: in which one, and whether that is there."""

from __future__ import annotations

from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object
from local.plugins.postgresql import membership
from local.plugins.postgresql.server import Server

_ID_PARTS = 2


def wanted_database(inputs: Object, server: Server) -> str:
    """The database that the program names, by default the provider's own."""
    return str(inputs.get("database") or server.settings.database)


def database_and_name(what: str, identity: str, known: Object) -> tuple[str, str]:
    """Where an object is and what it is called: as recorded, for an import as the ID `database.name` says.

    Args:
        what: the object's kind, for the error.

    Raises:
        ResourceError: an ID of another form.
    """
    if known.get("name"):
        return str(known.get("database") or ""), str(known["name"])
    parts = identity.split(".")
    if len(parts) != _ID_PARTS:
        raise ResourceError(f"{what} ID {identity!r} has not the expected format 'database.{what}'")
    return parts[0], parts[1]


def is_there(server: Server, database: str) -> bool:
    """Whether the server has the database; whatever lived in one that is gone is gone too."""
    with server.reading() as connection:
        return bool(membership.database_owner(connection, database))
