"""`postgresql.Database`."""

from __future__ import annotations

from psycopg import sql

from local.plugins.common.values import Object
from local.plugins.postgresql import membership
from local.plugins.postgresql.server import Connection, Server, one

_DEFAULT = "DEFAULT"
_FORCED_DROP = 130000


class DatabaseKind:
    """A database with its owner. Deleting it ends all connections to it and drops everything in it."""

    def identify(self, inputs: Object, server: Server) -> str:
        """The name."""
        return str(inputs["name"])

    def create(self, server: Server, inputs: Object) -> None:
        """CREATE DATABASE, by default of template0 and in UTF-8."""
        name, owner = str(inputs["name"]), str(inputs.get("owner") or server.settings.administrator)
        statement = [sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))]
        statement.append(_identifier("TEMPLATE", inputs.get("template") or "template0"))
        statement.append(_literal("ENCODING", inputs.get("encoding") or "UTF8"))
        for key, word in (("lcCollate", "LC_COLLATE"), ("lcCtype", "LC_CTYPE")):
            if inputs.get(key):
                statement.append(_literal(word, inputs[key]))
        if inputs.get("tablespaceName"):
            statement.append(_identifier("TABLESPACE", inputs["tablespaceName"]))
        statement.append(
            sql.SQL("ALLOW_CONNECTIONS {} CONNECTION LIMIT {} IS_TEMPLATE {}").format(
                sql.Literal(inputs["allowConnections"]),
                sql.Literal(inputs["connectionLimit"]),
                sql.Literal(bool(inputs.get("isTemplate"))),
            )
        )
        with server.directly(what=f"error creating database {name!r}") as connection:
            _as_member(connection, [owner], [sql.SQL(" ").join(statement)])

    def read(self, server: Server, identity: str, known: Object) -> Object | None:
        """What pg_database says; the template is not recorded there."""
        query = (
            "SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding), "
            "d.datcollate, d.datctype, t.spcname, d.datconnlimit, d.datallowconn, d.datistemplate "
            "FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace "
            "WHERE d.datname = %s"
        )
        with server.reading() as connection:
            row = one(connection, query, (known.get("name") or identity,))
        if row is None:
            return None
        keys = (
            "name", "owner", "encoding", "lcCollate", "lcCtype", "tablespaceName", "connectionLimit",
            "allowConnections", "isTemplate",
        )  # fmt: skip
        return {
            **dict(zip(keys, row, strict=True)),
            "template": known.get("template") or "template0",
            "alterObjectOwnership": bool(known.get("alterObjectOwnership")),
        }

    def update(self, server: Server, state: Object, inputs: Object) -> None:
        """Rename, then everything else that ALTER DATABASE can change."""
        name = str(inputs["name"])
        statements: list[sql.Composed] = []
        if name != state["name"]:
            pair = (sql.Identifier(str(state["name"])), sql.Identifier(name))
            statements.append(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*pair))
        alter = sql.SQL("ALTER DATABASE {}").format(sql.Identifier(name))
        owner = str(inputs.get("owner") or state["owner"])
        if owner != state["owner"]:
            statements.append(alter + sql.SQL(" OWNER TO {}").format(sql.Identifier(owner)))
        if _changed(state, inputs, "tablespaceName"):
            statements.append(alter + sql.SQL(" SET TABLESPACE {}").format(sql.Identifier(inputs["tablespaceName"])))
        for key, word in (("connectionLimit", "CONNECTION LIMIT"), ("allowConnections", "ALLOW_CONNECTIONS"),
                          ("isTemplate", "IS_TEMPLATE")):  # fmt: skip
            if _changed(state, inputs, key):
                statements.append(alter + sql.SQL(f" {word} ") + sql.Literal(inputs[key]))
        if owner != state["owner"] and inputs["alterObjectOwnership"]:
            self._reassign(server, str(state["name"]), str(state["owner"]), owner)
        if statements:
            with server.directly(what=f"error updating database {name!r}") as connection:
                _as_member(connection, [str(state["owner"]), owner], statements)

    def delete(self, server: Server, state: Object) -> None:
        """DROP DATABASE; new connections are refused first, so that clients cannot hold it up."""
        name = str(state["name"])
        database = sql.Identifier(name)
        with server.directly(what=f"error dropping database {name!r}") as connection:
            if one(connection, "SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", (name,)) is None:
                return
            force = connection.info.server_version >= _FORCED_DROP
            statements = [sql.SQL("ALTER DATABASE {} IS_TEMPLATE false ALLOW_CONNECTIONS false").format(database)]
            statements.append(
                sql.SQL("DROP DATABASE {} WITH (FORCE)" if force else "DROP DATABASE {}").format(database)
            )
            _as_member(connection, [str(state.get("owner") or "")], statements)

    def _reassign(self, server: Server, database: str, before: str, after: str) -> None:
        what = f"error reassigning objects of {before!r} in {database!r}"
        with server.writing(database, what=what) as connection, membership.acting_as(connection, [before, after]):
            pair = (sql.Identifier(before), sql.Identifier(after))
            connection.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(*pair))


def _changed(state: Object, inputs: Object, key: str) -> bool:
    return key in inputs and inputs[key] is not None and inputs[key] != state.get(key)


def _as_member(connection: Connection, owners: list[str], statements: list[sql.Composed]) -> None:
    """Run statements outside of a transaction as a member of the owners, which ends also after an error."""
    me = membership.current_user(connection)
    given = []
    if not membership.is_superuser(connection, me):
        for owner in dict.fromkeys(owners):
            wanted = owner and owner != me and membership.role_exists(connection, owner)
            if wanted and not membership.is_member(connection, owner, me):
                membership.grant(connection, owner, me)
                given.append(owner)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        for owner in given:
            membership.revoke(connection, owner, me)


def _identifier(word: str, value: str) -> sql.Composed:
    chosen = sql.SQL(_DEFAULT) if value.upper() == _DEFAULT else sql.Identifier(value)
    return sql.SQL(word + " ") + chosen


def _literal(word: str, value: str) -> sql.Composed:
    chosen = sql.SQL(_DEFAULT) if value.upper() == _DEFAULT else sql.Literal(value)
    return sql.SQL(word + " ") + chosen
