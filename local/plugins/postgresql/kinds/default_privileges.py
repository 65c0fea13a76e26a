"""`postgresql.DefaultPrivileges`: what a role may do with objects that an owner makes from now on."""

from __future__ import annotations

from psycopg import sql

from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object
from local.plugins.postgresql import membership, places
from local.plugins.postgresql.kinds import privileges
from local.plugins.postgresql.server import Server, one

_CATALOG_LETTER = {"table": "r", "sequence": "S", "function": "f", "routine": "f", "type": "T", "schema": "n"}
_READ = (
    "SELECT COALESCE(array_agg(DISTINCT a.privilege_type), '{}') FROM pg_catalog.pg_default_acl d "
    "LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace, LATERAL aclexplode(d.defaclacl) a "
    "WHERE d.defaclobjtype = %(letter)s AND pg_catalog.pg_get_userbyid(d.defaclrole) = %(owner)s "
    "AND COALESCE(n.nspname, '') = %(schema)s AND a.grantee = %(oid)s::oid"
)


class DefaultPrivilegesKind:
    """The wanted privileges are all that the role gets by default from this owner, schema and type."""

    def identify(self, inputs: Object, server: Server) -> str:
        """Role, database, schema, owner and type, joined by `_`."""
        schema = inputs.get("schema") or "noschema"
        return "_".join([inputs["role"], inputs["database"], schema, inputs["owner"], inputs["objectType"]])

    def create(self, server: Server, inputs: Object) -> None:
        """ALTER DEFAULT PRIVILEGES, first REVOKE, then GRANT, in one transaction."""
        if inputs.get("schema") and inputs["objectType"] == "schema":
            raise ResourceError("DefaultPrivileges: cannot specify 'schema' when 'objectType' is 'schema'")
        if inputs["withGrantOption"] and inputs["role"] == privileges.PUBLIC:
            raise ResourceError("DefaultPrivileges: 'withGrantOption' cannot be true for role 'public'")
        self._apply(server, inputs, wanted=True)

    def read(self, server: Server, identity: str, known: Object) -> Object | None:
        """The privileges that are there; none at all counts as gone, unless none are wanted."""
        if not known:
            raise ResourceError(
                "DefaultPrivileges cannot be imported; declare them, which changes nothing that is there"
            )
        database = str(known["database"])
        if not places.is_there(server, database):
            return None
        with server.reading(database) as connection:
            oid = privileges.role_oid(connection, str(known["role"]))
            if oid is None:
                return None
            letter = _CATALOG_LETTER[known["objectType"]]
            parameters = {"letter": letter, "owner": known["owner"], "schema": known.get("schema") or "", "oid": oid}
            row = connection.execute(_READ, parameters).fetchone()
            version = connection.info.server_version
        found, wanted = list(row[0]) if row else [], list(known["privileges"])
        if not found and wanted:
            return None
        return {**known, "privileges": privileges.found_or_wanted(known["objectType"], found, wanted, version)}

    def update(self, server: Server, state: Object, inputs: Object) -> None:
        """As `create`."""
        self._apply(server, inputs, wanted=True)

    def delete(self, server: Server, state: Object) -> None:
        """REVOKE them."""
        if not places.is_there(server, str(state["database"])):
            return
        self._apply(server, state, wanted=False)

    def _apply(self, server: Server, values: Object, *, wanted: bool) -> None:
        role, owner, database = str(values["role"]), str(values["owner"]), str(values["database"])
        what = f"error changing the default privileges of {role!r} on what {owner!r} makes in database {database!r}"
        with server.writing(database, what=what) as connection:
            roles = [owner] if role == privileges.PUBLIC else [owner, role]
            schema = values.get("schema")
            there = not schema or one(connection, "SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,))
            if not wanted and not (there and all(membership.role_exists(connection, each) for each in roles)):
                return
            membership.lock_role(connection, owner)
            privileges.check(str(values["objectType"]), values["privileges"], connection.info.server_version)
            with membership.acting_as(connection, [owner]):
                connection.execute(_statement(values, "REVOKE ALL", " FROM "))
                if wanted and values["privileges"]:
                    option = " WITH GRANT OPTION" if values.get("withGrantOption") else ""
                    grant = "GRANT " + ", ".join(values["privileges"])  # checked to be words of a list
                    connection.execute(_statement(values, grant, " TO ") + sql.SQL(option))


def _statement(values: Object, rights: str, to: str) -> sql.Composed:
    who = sql.SQL("PUBLIC") if values["role"] == privileges.PUBLIC else sql.Identifier(str(values["role"]))
    alter = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} ").format(sql.Identifier(str(values["owner"])))
    if values.get("schema"):
        alter += sql.SQL("IN SCHEMA {} ").format(sql.Identifier(str(values["schema"])))
    objects = str(values["objectType"]).upper() + "S"
    return alter + sql.SQL(f"{rights} ON {objects}{to}") + who
