"""`postgresql.Schema`."""

from __future__ import annotations

from psycopg import sql

from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object
from local.plugins.postgresql import membership, places
from local.plugins.postgresql.server import Server, one

_READ = "SELECT nspname, pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = %s"


class SchemaKind:
    """A schema with its owner. Deleting it fails while it holds anything, unless `dropCascade` is set."""

    def identify(self, inputs: Object, server: Server) -> str:
        """`database.schema`."""
        return f"{places.wanted_database(inputs, server)}.{inputs['name']}"

    def create(self, server: Server, inputs: Object) -> None:
        """CREATE SCHEMA; one that exists is given to the wanted owner."""
        name, owner = str(inputs["name"]), str(inputs.get("owner") or "")
        database = places.wanted_database(inputs, server)
        what = f"error creating schema {name!r} in database {database!r}"
        with server.writing(database, what=what) as connection:
            found = one(connection, _READ, (name,))
            roles = [membership.database_owner(connection, database), owner, str(found[1]) if found else ""]
            with membership.acting_as(connection, roles):
                if found is None:
                    statement = sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name))
                    if owner:
                        statement += sql.SQL(" AUTHORIZATION {}").format(sql.Identifier(owner))
                    connection.execute(statement)
                elif not inputs["ifNotExists"]:
                    raise ResourceError(f"{what}: it exists already, and 'ifNotExists' is false")
                elif owner and owner != found[1]:
                    pair = (sql.Identifier(name), sql.Identifier(owner))
                    connection.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(*pair))

    def read(self, server: Server, identity: str, known: Object) -> Object | None:
        """Name and owner."""
        database, name = places.database_and_name("schema", identity, known)
        if not places.is_there(server, database):
            return None
        with server.reading(database) as connection:
            row = one(connection, _READ, (name,))
        if row is None:
            return None
        return {
            "name": row[0],
            "owner": row[1],
            "database": database,
            "ifNotExists": bool(known.get("ifNotExists", True)),
            "dropCascade": bool(known.get("dropCascade")),
        }

    def update(self, server: Server, state: Object, inputs: Object) -> None:
        """Rename, and give to another owner."""
        before, name, owner = str(state["name"]), str(inputs["name"]), str(inputs.get("owner") or state["owner"])
        database = str(state["database"])
        with server.writing(database, what=f"error updating schema {before!r}") as connection:
            roles = [membership.database_owner(connection, database), str(state["owner"]), owner]
            with membership.acting_as(connection, roles):
                if name != before:
                    pair = (sql.Identifier(before), sql.Identifier(name))
                    connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(*pair))
                if owner != state["owner"]:
                    pair = (sql.Identifier(name), sql.Identifier(owner))
                    connection.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(*pair))

    def delete(self, server: Server, state: Object) -> None:
        """DROP SCHEMA."""
        name, database = str(state["name"]), str(state["database"])
        if not places.is_there(server, database):
            return
        with server.writing(database, what=f"error deleting schema {name!r}") as connection:
            if one(connection, _READ, (name,)) is None:
                return
            with membership.acting_as(connection, [str(state["owner"])]):
                mode = "CASCADE" if state.get("dropCascade") else "RESTRICT"
                connection.execute(sql.SQL(f"DROP SCHEMA {{}} {mode}").format(sql.Identifier(name)))
