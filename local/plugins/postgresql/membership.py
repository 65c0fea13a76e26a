"""Administrators of managed servers are no superusers: to change what a role owns they must be members of it.

The memberships are given inside the transaction and taken back before it ends, so that nobody else ever sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from psycopg import sql

from local.plugins.postgresql.server import Connection, column, one

_DATABASE_OWNER = "pg_database_owner"


def current_user(connection: Connection) -> str:
    """The administrator."""
    row = one(connection, "SELECT current_user")
    return str(row[0]) if row else ""


def is_superuser(connection: Connection, role: str) -> bool:
    """Whether a role is a superuser; one that does not exist is none."""
    row = one(connection, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = %s", (role,))
    return bool(row and row[0])


def role_exists(connection: Connection, role: str) -> bool:
    """Whether there is such a role."""
    return one(connection, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (role,)) is not None


def is_member(connection: Connection, role: str, member: str) -> bool:
    """Whether `member` may act as `role`. Creating a role makes its creator a member who may not, since 16."""
    since_16 = connection.info.server_version >= 160000  # noqa: PLR2004  # a version
    query = (
        "SELECT 1 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid "
        "JOIN pg_catalog.pg_roles u ON u.oid = m.member WHERE r.rolname = %s AND u.rolname = %s"
    )
    return one(connection, f"{query} AND m.set_option" if since_16 else query, (role, member)) is not None


def grant(connection: Connection, role: str, member: str) -> None:
    """Make `member` a member of `role`."""
    connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(member)))


def revoke(connection: Connection, role: str, member: str) -> None:
    """Take the membership back."""
    connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(role), sql.Identifier(member)))


@contextmanager
def acting_as(connection: Connection, roles: Iterable[str]) -> Iterator[None]:
    """Be a member of these roles for the block. A superuser needs no membership, and nobody gets a superuser's."""
    me = current_user(connection)
    given: list[str] = []
    if not is_superuser(connection, me):
        for role in dict.fromkeys(roles):
            if not role or role == me or not role_exists(connection, role) or is_superuser(connection, role):
                continue
            if not is_member(connection, role, me):
                grant(connection, role, me)
                given.append(role)
    yield
    for role in given:
        if role_exists(connection, role):  # the block may have dropped it
            revoke(connection, role, me)


def lock_role(connection: Connection, role: str) -> None:
    """Wait for others who work on the role; the official provider takes the same lock."""
    connection.execute("SELECT pg_advisory_xact_lock(oid::bigint) FROM pg_catalog.pg_roles WHERE rolname = %s", (role,))


def lock_database(connection: Connection, database: str) -> None:
    """Wait for others who work on the database; the official provider takes the same lock."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(oid::bigint) FROM pg_catalog.pg_database WHERE datname = %s", (database,)
    )


def database_owner(connection: Connection, database: str) -> str:
    """Owner of a database, empty if there is none of that name."""
    row = one(
        connection,
        "SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = %s",
        (database,),
    )
    return str(row[0]) if row else ""


def schema_owners(connection: Connection, schema: str, *, tables: bool) -> list[str]:
    """Who owns a schema and, if asked, its tables; `pg_database_owner` stands for the database's owner."""
    owners = column(
        connection,
        "SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = %s",
        (schema,),
    )
    if tables:
        owners += column(
            connection, "SELECT DISTINCT tableowner FROM pg_catalog.pg_tables WHERE schemaname = %s", (schema,)
        )
    here = connection.info.dbname
    return [database_owner(connection, here) if owner == _DATABASE_OWNER else str(owner) for owner in owners]
