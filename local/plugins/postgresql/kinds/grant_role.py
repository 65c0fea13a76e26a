"""`postgresql.GrantRole`: one role is a member of another."""

from __future__ import annotations

from psycopg import sql

from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object
from local.plugins.postgresql import membership
from local.plugins.postgresql.server import Server, column


class GrantRoleKind:
    """A membership; every change of it is another one."""

    def identify(self, inputs: Object, server: Server) -> str:
        """Role, granted role and option, joined by `_`."""
        return f"{inputs['role']}_{inputs['grantRole']}_{str(bool(inputs['withAdminOption'])).lower()}"

    def create(self, server: Server, inputs: Object) -> None:
        """GRANT role TO role."""
        role, granted = str(inputs["role"]), str(inputs["grantRole"])
        statement = sql.SQL("GRANT {} TO {}").format(sql.Identifier(granted), sql.Identifier(role))
        if inputs["withAdminOption"]:
            statement += sql.SQL(" WITH ADMIN OPTION")
        with server.writing(what=f"error granting role {granted!r} to {role!r}") as connection:
            connection.execute(statement)

    def read(self, server: Server, identity: str, known: Object) -> Object | None:
        """The membership; not the one that a role's creator has, who may only administer it."""
        if not known:
            raise ResourceError(
                "a GrantRole cannot be imported; declare it, which changes nothing that is there already"
            )
        role, granted = str(known["role"]), str(known["grantRole"])
        query = (
            "SELECT m.admin_option FROM pg_catalog.pg_auth_members m "
            "WHERE pg_catalog.pg_get_userbyid(m.member) = %s AND pg_catalog.pg_get_userbyid(m.roleid) = %s"
        )
        with server.reading() as connection:
            if not membership.is_member(connection, granted, role):
                return None
            options = [bool(option) for option in column(connection, query, (role, granted))]
        wanted = bool(known["withAdminOption"])
        return {"role": role, "grantRole": granted, "withAdminOption": wanted if wanted in options else not wanted}

    def update(self, server: Server, state: Object, inputs: Object) -> None:
        """Nothing of it can be changed."""
        raise ResourceError("a GrantRole is replaced, never updated")

    def delete(self, server: Server, state: Object) -> None:
        """REVOKE role FROM role."""
        role, granted = str(state["role"]), str(state["grantRole"])
        with server.writing(what=f"error revoking role {granted!r} from {role!r}") as connection:
            if membership.role_exists(connection, role) and membership.role_exists(connection, granted):
                membership.revoke(connection, granted, role)
