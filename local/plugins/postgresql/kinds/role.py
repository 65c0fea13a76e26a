"""`postgresql.Role`."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from local.plugins.common.values import Object
from local.plugins.postgresql import membership
from local.plugins.postgresql.passwords import matches
from local.plugins.postgresql.server import Connection, Server, one

_SWITCHES = {
    "superuser": "SUPERUSER",
    "createDatabase": "CREATEDB",
    "createRole": "CREATEROLE",
    "inherit": "INHERIT",
    "login": "LOGIN",
    "bypassRowLevelSecurity": "BYPASSRLS",
    "replication": "REPLICATION",
}
_SETTINGS = {
    "statementTimeout": "statement_timeout",
    "idleInTransactionSessionTimeout": "idle_in_transaction_session_timeout",
}
_HASHED = ("md5", "SCRAM-SHA-256$")
_READ = (
    "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolinherit, rolcanlogin, rolbypassrls, rolreplication, "
    "rolconnlimit, COALESCE(rolvaliduntil::text, 'infinity'), COALESCE(rolconfig, '{}'), "
    "ARRAY(SELECT DISTINCT pg_catalog.pg_get_userbyid(roleid)::text FROM pg_catalog.pg_auth_members "
    "WHERE member = pg_roles.oid ORDER BY 1) FROM pg_catalog.pg_roles WHERE rolname = %s"
)


class RoleKind:
    """A role. Deleting it hands what it owns to the administrator, in the provider's database only."""

    def identify(self, inputs: Object, server: Server) -> str:
        """The name."""
        return str(inputs["name"])

    def create(self, server: Server, inputs: Object) -> None:
        """CREATE ROLE with everything about it, in one transaction."""
        name = str(inputs["name"])
        with server.writing(what=f"error creating role {name!r}") as connection:
            options: list[sql.Composable] = [sql.SQL("VALID UNTIL {}").format(sql.Literal(_valid_until(inputs)))]
            options += [sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(inputs["connectionLimit"]))]
            options += [sql.SQL(word if inputs[key] else f"NO{word}") for key, word in _switches(inputs, connection)]
            password = inputs.get("password") or inputs.get("passwordWo")
            if password:
                options.append(_password(connection, name, password, inputs))
            role = sql.Identifier(name)
            connection.execute(sql.SQL("CREATE ROLE {} WITH {}").format(role, sql.SQL(" ").join(options)))
            for granted in inputs.get("roles") or []:
                membership.grant(connection, str(granted), name)
            _configure(connection, {}, inputs)

    def read(self, server: Server, identity: str, known: Object) -> Object | None:
        """What pg_roles says; a recorded password is held against the server's."""
        with server.reading() as connection:
            row = one(connection, _READ, (known.get("name") or identity,))
            if row is None:
                return None
            state = _state(row, known)
            password = known.get("password")
            if password:
                state["password"] = _known_password(server, connection, state, str(password))
        return state

    def update(self, server: Server, state: Object, inputs: Object) -> None:
        """ALTER ROLE for what differs, in one transaction."""
        name, before = str(inputs["name"]), str(state["name"])
        with server.writing(what=f"error updating role {before!r}") as connection:
            membership.lock_role(connection, before)
            if name != before:
                pair = (sql.Identifier(before), sql.Identifier(name))
                connection.execute(sql.SQL("ALTER ROLE {} RENAME TO {}").format(*pair))
            options = self._options(connection, state, inputs)
            if options:
                role = sql.Identifier(name)
                connection.execute(sql.SQL("ALTER ROLE {} WITH {}").format(role, sql.SQL(" ").join(options)))
            wanted, found = set(inputs.get("roles") or []), set(state.get("roles") or [])
            for granted in sorted(found - wanted):
                membership.revoke(connection, granted, name)
            for granted in sorted(wanted - found):
                membership.grant(connection, granted, name)
            _configure(connection, state, inputs)

    def delete(self, server: Server, state: Object) -> None:
        """DROP ROLE, after giving away and dropping what it owns and was granted in the provider's database."""
        name = str(state["name"])
        role = sql.Identifier(name)
        with server.writing(what=f"error dropping role {name!r}") as connection:
            if not membership.role_exists(connection, name):
                return
            membership.lock_role(connection, name)
            if not state.get("skipReassignOwned"):
                with membership.acting_as(connection, [name]):
                    me = sql.Identifier(membership.current_user(connection))
                    connection.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(role, me))
                    connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            if not state.get("skipDropRole"):
                connection.execute(sql.SQL("DROP ROLE {}").format(role))

    def _options(self, connection: Connection, state: Object, inputs: Object) -> list[sql.Composable]:
        options: list[sql.Composable] = [
            sql.SQL(word if inputs[key] else f"NO{word}")
            for key, word in _SWITCHES.items()
            if bool(inputs[key]) != bool(state.get(key))
        ]
        if inputs["connectionLimit"] != state.get("connectionLimit"):
            options.append(sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(inputs["connectionLimit"])))
        if _valid_until(inputs) != _valid_until(state):
            options.append(sql.SQL("VALID UNTIL {}").format(sql.Literal(_valid_until(inputs))))
        name = str(inputs["name"])
        if inputs.get("passwordWo"):
            if inputs.get("passwordWoVersion") != state.get("passwordWoVersion"):
                options.append(_password(connection, name, inputs["passwordWo"], inputs))
        elif inputs.get("password") and (inputs["password"] != state.get("password") or name != state["name"]):
            options.append(_password(connection, name, inputs["password"], inputs))  # md5 hashes hold the name
        return options


def _switches(inputs: Object, connection: Connection) -> list[tuple[str, str]]:
    """Only superusers may even say NOSUPERUSER, NOBYPASSRLS or NOREPLICATION before 16; off is the default anyway."""
    privileged = ("superuser", "bypassRowLevelSecurity", "replication")
    everything = membership.is_superuser(connection, membership.current_user(connection))
    return [(key, word) for key, word in _SWITCHES.items() if everything or inputs[key] or key not in privileged]


def _password(connection: Connection, role: str, password: str, inputs: Object) -> sql.Composable:
    """The password as the server keeps it: hashed here, so that no statement log ever holds it in clear text."""
    if password.upper() == "NULL":
        return sql.SQL("PASSWORD NULL")
    if inputs["encryptedPassword"] and not password.startswith(_HASHED):
        hashed = connection.pgconn.encrypt_password(password.encode(), role.encode())
        return sql.SQL("PASSWORD {}").format(sql.Literal(hashed.decode()))
    return sql.SQL("PASSWORD {}").format(sql.Literal(password))


def _valid_until(values: Object) -> str:
    text = str(values.get("validUntil") or "infinity")
    return "infinity" if text.lower() == "infinity" else text


def _configure(connection: Connection, state: Object, inputs: Object) -> None:
    """ALTER ROLE ... SET for what differs."""
    alter = sql.SQL("ALTER ROLE {} ").format(sql.Identifier(str(inputs["name"])))
    paths = list(inputs.get("searchPaths") or [])
    if paths != list(state.get("searchPaths") or []):
        chosen = sql.SQL(", ").join(map(sql.Identifier, paths)) if paths else sql.SQL("DEFAULT")
        connection.execute(alter + sql.SQL("SET search_path TO ") + chosen)
    for key, setting in _SETTINGS.items():
        value = int(inputs.get(key) or 0)
        if value != int(state.get(key) or 0):
            change = f"SET {setting} TO {value}" if value else f"RESET {setting}"
            connection.execute(alter + sql.SQL(change))  # a number, and a name of ours
    role = str(inputs.get("assumeRole") or "")
    if role != str(state.get("assumeRole") or ""):
        connection.execute(
            alter + (sql.SQL("SET ROLE TO {}").format(sql.Identifier(role)) if role else sql.SQL("RESET ROLE"))
        )


def _state(row: tuple[Any, ...], known: Object) -> Object:
    keys = (
        "name", "superuser", "createDatabase", "createRole", "inherit", "login", "bypassRowLevelSecurity",
        "replication", "connectionLimit", "validUntil",
    )  # fmt: skip
    state: Object = dict(zip(keys, row[:10], strict=True))
    config = dict(entry.partition("=")[::2] for entry in row[10])
    state["roles"] = list(row[11])
    paths = config.get("search_path", "")
    state["searchPaths"] = [part.strip('"') for part in paths.split(", ")] if paths else []
    for key, setting in _SETTINGS.items():
        state[key] = int(config.get(setting, 0))
    state["assumeRole"] = config.get("role", "")
    state["encryptedPassword"] = True
    for key in ("skipDropRole", "skipReassignOwned"):
        state[key] = bool(known.get(key))
    for key in ("encrypted", "passwordWoVersion"):
        if known.get(key):
            state[key] = known[key]
    return state


def _known_password(server: Server, connection: Connection, state: Object, password: str) -> str:
    """The recorded password if the server still takes it, else what is there instead.

    The official provider compares md5 hashes only, and only as a superuser. Where the hash cannot be read, one login
    tells; a role that may not log in has no password to tell by.
    """
    name = str(state["name"])
    if not state["login"]:
        return password
    if server.settings.superuser:
        if not membership.is_superuser(connection, membership.current_user(connection)):
            raise PermissionError(
                f"role {name!r}: {server.settings.username!r} is no superuser and cannot read passwords; set "
                "`superuser=False` on the provider"
            )
        row = one(connection, "SELECT COALESCE(rolpassword, '') FROM pg_catalog.pg_authid WHERE rolname = %s", (name,))
        verifier = str(row[0]) if row else ""
        return password if matches(verifier, name, password) else verifier
    if password.startswith(_HASHED):
        return password
    return password if server.accepts(name, password) else ""
