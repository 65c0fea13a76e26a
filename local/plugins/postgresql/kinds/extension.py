"""`postgresql.Extension`."""

from __future__ import annotations

from psycopg import sql

from local.plugins.common.values import Object
from local.plugins.postgresql import places
from local.plugins.postgresql.server import Server, one

_READ = (
    "SELECT e.extname, n.nspname, e.extversion FROM pg_catalog.pg_extension e "
    "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = %s"
)


class ExtensionKind:
    """An extension in a database. Deleting it fails while something depends on it, unless `dropCascade` is set."""

    def identify(self, inputs: Object, server: Server) -> str:
        """`database.extension`."""
        return f"{places.wanted_database(inputs, server)}.{inputs['name']}"

    def create(self, server: Server, inputs: Object) -> None:
        """CREATE EXTENSION IF NOT EXISTS."""
        name, database = str(inputs["name"]), places.wanted_database(inputs, server)
        statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
        if inputs.get("schema"):
            statement += sql.SQL(" SCHEMA {}").format(sql.Identifier(str(inputs["schema"])))
        if inputs.get("version"):
            statement += sql.SQL(" VERSION {}").format(sql.Identifier(str(inputs["version"])))
        if inputs["createCascade"]:
            statement += sql.SQL(" CASCADE")
        with server.writing(database, what=f"error creating extension {name!r} in {database!r}") as connection:
            connection.execute(statement)

    def read(self, server: Server, identity: str, known: Object) -> Object | None:
        """Schema and version."""
        database, name = places.database_and_name("extension", identity, known)
        if not places.is_there(server, database):
            return None
        with server.reading(database) as connection:
            row = one(connection, _READ, (name,))
        if row is None:
            return None
        found = dict(zip(("name", "schema", "version"), row, strict=True))
        cascades = {key: bool(known.get(key)) for key in ("createCascade", "dropCascade")}
        return {**found, "database": database, **cascades}

    def update(self, server: Server, state: Object, inputs: Object) -> None:
        """Move to another schema, update to another version."""
        name, database = str(state["name"]), str(state["database"])
        alter = sql.SQL("ALTER EXTENSION {} ").format(sql.Identifier(name))
        with server.writing(database, what=f"error updating extension {name!r} in {database!r}") as connection:
            if inputs.get("schema") and inputs["schema"] != state["schema"]:
                connection.execute(alter + sql.SQL("SET SCHEMA {}").format(sql.Identifier(str(inputs["schema"]))))
            if inputs.get("version") and inputs["version"] != state["version"]:
                connection.execute(alter + sql.SQL("UPDATE TO {}").format(sql.Identifier(str(inputs["version"]))))

    def delete(self, server: Server, state: Object) -> None:
        """DROP EXTENSION."""
        name, database = str(state["name"]), str(state["database"])
        if not places.is_there(server, database):
            return
        with server.writing(database, what=f"error dropping extension {name!r} in {database!r}") as connection:
            mode = "CASCADE" if state.get("dropCascade") else "RESTRICT"
            connection.execute(sql.SQL(f"DROP EXTENSION IF EXISTS {{}} {mode}").format(sql.Identifier(name)))
