"""Roles and rights as properties of the provider's resources, pure: the same that the migration runner gives by SQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from omnibase_infra.config.databases import migrator_role
from omnibase_infra.postgres.managed.args import ManagedDatabaseArgs, ManagedPostgresArgs
from omnibase_infra.postgres.migrating import Migrated

Properties = dict[str, Any]

_EVERYBODY = "public"
MONITORS = "pg_monitor"
"""Role of PostgreSQL whose members read its statistics."""
_CONNECTIONS = 100
_FEW_CONNECTIONS = 5
"""Of roles that no application uses: migrations, and an exporter of metrics."""
_ROWS = {
    "app": {"table": ["SELECT", "INSERT", "UPDATE", "DELETE"], "sequence": ["USAGE", "SELECT"]},
    "read-only": {"table": ["SELECT"], "sequence": ["SELECT"]},
}
"""Use of a database -> kind of object -> what may be done with what the owner makes from now on."""
FIELDS = {"app": "app_role", "read-only": "read_only_role", "migrator": "migrator_role"}
"""Use of a database -> field of ManagedDatabaseArgs."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """A role that logs in."""

    role: str
    use: str
    """app, read-only, migrator or monitor."""
    database: str = ""
    """Where it may enter; empty for the monitor, who enters all."""
    group: str = ""
    """The role that it is a member of."""
    inherits: bool = True
    """Whether it has the group's rights at once, or must take them with SET ROLE."""

    def properties(self, password: object, args: ManagedPostgresArgs) -> Properties:
        """As the provider's resource."""
        rows = int(args.get("connection_limit", _CONNECTIONS))
        limit = rows if self.use in _ROWS else _FEW_CONNECTIONS
        found: Properties = {"name": self.role, "login": True, "password": password, "connectionLimit": limit}
        if self.group:
            # not by a GrantRole: the provider takes away every membership that the Role itself does not name
            found |= {"roles": [self.group], "inherit": self.inherits}
        schema = args.get("schema", "public")
        return {**found, "searchPaths": [schema]} if schema != "public" and self.database else found


def first(args: ManagedPostgresArgs) -> str:
    """The database whose names are the component's outputs."""
    return args.get("first_database") or next(iter(args["databases"]))


def logins(args: ManagedPostgresArgs) -> Iterator[Login]:
    """All roles that log in."""
    for name, database in args["databases"].items():
        for use, role in roles_of(name, database).items():
            if use == "migrator":
                yield Login(role=role, use=use, database=name, group=database["owner"], inherits=False)
            else:
                yield Login(role=role, use=use, database=name)
    if "monitor_role" in args:
        yield Login(role=args["monitor_role"], use="monitor", group=MONITORS)


def roles_of(name: str, database: ManagedDatabaseArgs) -> dict[str, str]:
    """Use -> role, of those that log in at one database."""
    given: dict[str, object] = {**database}
    if database.get("migrations"):
        given.setdefault("migrator_role", migrator_role(name))
    return {use: str(given[field]) for use, field in FIELDS.items() if given.get(field)}


def migrated(args: ManagedPostgresArgs) -> dict[str, Migrated]:
    """The databases with migrations, as the runner knows them."""
    return {
        name: Migrated(
            owner=database["owner"],
            migrator=roles_of(name, database)["migrator"],
            writer=database["app_role"],
            reader=database.get("read_only_role", ""),
            settings=database["migrations"],
        )
        for name, database in args["databases"].items()
        if database.get("migrations")
    }


def owner(role: str) -> Properties:
    """Owns everything and cannot log in."""
    return {"name": role, "login": False, "inherit": True}


def administrator(role: str, group: str) -> Properties:
    """The administrator becomes a member of an owner."""
    return {"role": role, "grantRole": group, "withAdminOption": False}


def database(name: str, owner_role: str) -> Properties:
    """In UTF-8, from the empty template, so that nothing of the service's own template comes along."""
    return {"name": name, "owner": owner_role, "template": "template0", "encoding": "UTF8"}


def grants(name: str, schema: str, roles: dict[str, str]) -> dict[str, Properties]:
    """Role in the resource's name -> grant. An empty list takes everything from PUBLIC; on the database, PostgreSQL
    gives it CONNECT and TEMPORARY, on the schema `public` USAGE. Who migrates does it as the owner, and so only enters.

    Args:
        name: of the database.
        schema: of its tables.
        roles: see `roles_of`.
    """
    on_database: Properties = {"database": name, "objectType": "database"}
    on_schema: Properties = {"database": name, "schema": schema, "objectType": "schema"}
    return {
        "everybody-database": {**on_database, "role": _EVERYBODY, "privileges": []},
        **{f"{use}-database": {**on_database, "role": role, "privileges": ["CONNECT"]} for use, role in roles.items()},
        "monitor-database": {**on_database, "role": MONITORS, "privileges": ["CONNECT"]},
        "everybody-schema": {**on_schema, "role": _EVERYBODY, "privileges": []},
        **{
            f"{use}-schema": {**on_schema, "role": role, "privileges": ["USAGE"]}
            for use, role in roles.items()
            if use in _ROWS
        },
    }


def defaults(name: str, schema: str, owner_role: str, roles: dict[str, str]) -> dict[str, Properties]:
    """Rights on what the owner makes from now on; migrations run as the owner."""
    common: Properties = {"database": name, "schema": schema, "owner": owner_role}
    return {
        f"{use}-{kind}s": {**common, "role": role, "objectType": kind, "privileges": list(privileges)}
        for use, role in roles.items()
        for kind, privileges in _ROWS.get(use, {}).items()
    }
