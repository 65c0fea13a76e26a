"""`postgresql.Grant`: what one role may do with a database, a schema, or objects in it."""

from __future__ import annotations

from psycopg import sql

from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object
from local.plugins.postgresql import membership, places
from local.plugins.postgresql.kinds import privileges
from local.plugins.postgresql.server import Connection, Server, one

_OUTSIDE_SCHEMAS = ("database", "foreign_data_wrapper", "foreign_server")
_RELATIONS = {"table": "('r', 'p', 'v', 'm', 'f')", "sequence": "('S')"}
_ROUTINES = ("function", "procedure", "routine")


class GrantKind:
    """The wanted privileges are all that the role has on the objects: others are revoked in the same transaction."""

    def identify(self, inputs: Object, server: Server) -> str:
        """Role, database, schema, type and objects, joined by `_`."""
        schema = [] if inputs["objectType"] in _OUTSIDE_SCHEMAS else [str(inputs.get("schema") or "")]
        objects = [*sorted(inputs.get("objects") or []), *sorted(inputs.get("columns") or [])]
        return "_".join([inputs["role"], inputs["database"], *schema, inputs["objectType"], *objects])

    def create(self, server: Server, inputs: Object) -> None:
        """REVOKE everything, GRANT what is wanted."""
        _check(inputs)
        self._apply(server, inputs, inputs, wanted=True)

    def read(self, server: Server, identity: str, known: Object) -> Object | None:
        """The wanted privileges if every object has exactly them, else what the first other object has."""
        if not known:
            raise ResourceError(
                "a Grant cannot be imported; declare it, which changes nothing where it is there already"
            )
        database = str(known["database"])
        if not places.is_there(server, database):
            return None
        with server.reading(database) as connection:
            oid = privileges.role_oid(connection, str(known["role"]))
            if oid is None or not _schema_is_there(connection, known):
                return None
            wanted, kind = list(known["privileges"]), str(known["objectType"])
            version = connection.info.server_version
            for found in _held(connection, known, oid):
                recorded = privileges.found_or_wanted(kind, found, wanted, version)
                if set(recorded) != set(wanted):
                    return {**known, "privileges": recorded}
            return {**known, "privileges": wanted}

    def update(self, server: Server, state: Object, inputs: Object) -> None:
        """As `create`; what was granted before is what is revoked."""
        _check(inputs)
        self._apply(server, {**inputs, "privileges": state["privileges"]}, inputs, wanted=True)

    def delete(self, server: Server, state: Object) -> None:
        """REVOKE everything that was granted."""
        with server.reading() as connection:
            gone = not membership.database_owner(connection, str(state["database"]))
            gone = gone or privileges.role_oid(connection, str(state["role"])) is None
        if not gone:
            self._apply(server, state, state, wanted=False)

    def _apply(self, server: Server, before: Object, inputs: Object, *, wanted: bool) -> None:
        role, database, kind = str(inputs["role"]), str(inputs["database"]), str(inputs["objectType"])
        what = f"error changing the privileges of {role!r} on {kind} in database {database!r}"
        with server.writing(database, what=what) as connection:
            membership.lock_role(connection, role)
            if kind == "database":
                membership.lock_database(connection, database)
            if not wanted and not _schema_is_there(connection, inputs):
                return
            privileges.check(kind, inputs["privileges"], connection.info.server_version)
            with membership.acting_as(connection, _owners(connection, inputs)):
                connection.execute(_statement(before, grant=False))
                if wanted and inputs["privileges"]:
                    connection.execute(_statement(inputs, grant=True))


def _check(inputs: Object) -> None:
    """What the official provider refuses, too.

    Raises:
        ResourceError: fields that do not go together.
    """
    kind, objects, columns = str(inputs["objectType"]), inputs.get("objects") or [], inputs.get("columns") or []
    problems = {
        "parameter 'schema' is mandatory": not inputs.get("schema") and kind not in _OUTSIDE_SCHEMAS,
        f"cannot specify 'objects' when 'objectType' is {kind}": bool(objects) and kind in ("database", "schema"),
        "cannot specify 'columns' when 'objectType' is not 'column'": bool(columns) and kind != "column",
        "'column' needs columns, one object and one privilege": kind == "column"
        and not (columns and len(objects) == 1 and len(inputs["privileges"]) == 1),
        f"exactly one element must be in 'objects' when 'objectType' is {kind}": len(objects) != 1
        and kind in ("foreign_data_wrapper", "foreign_server"),
    }
    for text, wrong in problems.items():
        if wrong:
            raise ResourceError(f"Grant: {text}")


def _statement(values: Object, *, grant: bool) -> sql.Composed:
    """GRANT or REVOKE over the objects. Privileges were checked to be words of a list."""
    kind, whole = str(values["objectType"]), not grant
    words = "ALL PRIVILEGES" if whole and kind != "column" else ", ".join(values["privileges"])
    if kind == "column":
        columns = sql.SQL(", ").join(sql.Identifier(each) for each in sorted(values["columns"]))
        rights = sql.SQL(words + " ({})").format(columns)
    else:
        rights = sql.SQL(words).format()
    verb, to = ("GRANT ", " TO ") if grant else ("REVOKE ", " FROM ")
    who = sql.SQL("PUBLIC") if values["role"] == privileges.PUBLIC else sql.Identifier(str(values["role"]))
    option = " WITH GRANT OPTION" if grant and values.get("withGrantOption") else ""
    return sql.SQL(verb) + rights + sql.SQL(" ON ") + _objects(values) + sql.SQL(to) + who + sql.SQL(option)


def _objects(values: Object) -> sql.Composed:
    kind, schema = str(values["objectType"]), str(values.get("schema") or "")
    objects = sorted(values.get("objects") or [])
    if kind in ("database", "schema"):
        return sql.SQL(kind.upper() + " {}").format(sql.Identifier(str(values[kind])))
    if kind in ("foreign_data_wrapper", "foreign_server"):
        return sql.SQL(kind.upper().replace("_", " ") + " {}").format(sql.Identifier(objects[0]))
    word = "TABLE" if kind == "column" else kind.upper()
    if not objects:
        return sql.SQL(f"ALL {word}S IN SCHEMA {{}}").format(sql.Identifier(schema))
    named = [sql.SQL("{}.{}").format(sql.Identifier(schema), _with_arguments(name)) for name in objects]
    return sql.SQL(word + " ") + sql.SQL(", ").join(named)


def _with_arguments(name: str) -> sql.Composed:
    """`f(text, integer)`: only the name is quoted. What stands in the brackets is types, and nothing else gets in."""
    head, bracket, arguments = name.partition("(")
    if bracket and not all(character.isalnum() or character in '_ ,.[]")' for character in arguments):
        raise ResourceError(f"Grant: {name!r} is not the name of a function with its argument types")
    return sql.Identifier(head) + sql.SQL(bracket + arguments)


def _owners(connection: Connection, values: Object) -> list[str]:
    kind = str(values["objectType"])
    if kind == "database":
        return [membership.database_owner(connection, str(values["database"]))]
    if kind in _OUTSIDE_SCHEMAS:
        return []
    return membership.schema_owners(connection, str(values["schema"]), tables=kind != "schema")


def _schema_is_there(connection: Connection, values: Object) -> bool:
    schema = values.get("schema")
    if not schema or values["objectType"] in _OUTSIDE_SCHEMAS:
        return True
    return one(connection, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (schema,)) is not None


def _held(connection: Connection, values: Object, oid: int) -> list[list[str]]:
    """The role's privileges on each object. An object without a list of grants has its type's default one, which for
    databases gives PUBLIC something: the official provider overlooks that."""
    kind, objects = str(values["objectType"]), list(values.get("objects") or [])
    source = {
        "database": "SELECT d.datname AS n, COALESCE(d.datacl, acldefault('d', d.datdba)) AS acl "
        "FROM pg_catalog.pg_database d WHERE d.datname = %(database)s",
        "schema": "SELECT nspname AS n, COALESCE(nspacl, acldefault('n', nspowner)) AS acl "
        "FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s",
        "foreign_data_wrapper": "SELECT fdwname AS n, COALESCE(fdwacl, acldefault('F', fdwowner)) AS acl "
        "FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwname = ANY(%(objects)s)",
        "foreign_server": "SELECT srvname AS n, COALESCE(srvacl, acldefault('S', srvowner)) AS acl "
        "FROM pg_catalog.pg_foreign_server WHERE srvname = ANY(%(objects)s)",
        "column": "SELECT attname AS n, attacl AS acl FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c "
        "ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = %(schema)s "
        "AND c.relname = ANY(%(objects)s) AND attname = ANY(%(columns)s)",
    }.get(kind)
    if kind in _ROUTINES:
        source = (
            "SELECT p.proname AS n, COALESCE(p.proacl, acldefault('f', p.proowner)) AS acl FROM pg_catalog.pg_proc p "
            "JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace WHERE s.nspname = %(schema)s "
            "AND (%(objects)s = '{}'::text[] OR p.proname = ANY(%(names)s))"
        )
    elif kind in _RELATIONS:
        source = (
            "SELECT c.relname AS n, COALESCE(c.relacl, '{}') AS acl FROM pg_catalog.pg_class c "  # noqa: S608  # ours
            "JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = %(schema)s "
            f"AND c.relkind IN {_RELATIONS[kind]} AND (%(objects)s = '{{}}'::text[] OR c.relname = ANY(%(objects)s))"
        )
    query = (  # put together from the texts above, all of them ours
        "SELECT COALESCE(array_agg(DISTINCT a.privilege_type) FILTER (WHERE a.grantee = %(oid)s::oid), '{}') "  # noqa: S608
        f"FROM ({source}) o LEFT JOIN LATERAL aclexplode(o.acl) a ON true GROUP BY o.n ORDER BY o.n"
    )
    names = [name.partition("(")[0] for name in objects]
    parameters = {
        **values,
        "objects": objects,
        "names": names,
        "oid": oid,
        "columns": list(values.get("columns") or []),
    }
    return [list(row[0]) for row in connection.execute(query, parameters)]
