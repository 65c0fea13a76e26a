"""Roles and rights as properties of the provider's resources, pure: the same that the migration runner gives by SQL."""

from typing import Any

Properties = dict[str, Any]

_EVERYBODY = "public"


def owner(role: str) -> Properties:
    """Owns everything and cannot log in."""
    return {"name": role, "login": False, "inherit": True}


def app_role(role: str, password: object, connections: int, schema: str) -> Properties:
    """Logs in with a password and can do nothing by itself."""
    found: Properties = {"name": role, "login": True, "password": password, "connectionLimit": connections}
    return found if schema == "public" else {**found, "searchPaths": [schema]}


def database(name: str, owner_role: str) -> Properties:
    """In UTF-8, from the empty template, so that nothing of the service's own template comes along."""
    return {"name": name, "owner": owner_role, "template": "template0", "encoding": "UTF8"}


def grants(name: str, schema: str, app: str) -> dict[str, Properties]:
    """Role in the resource's name -> grant. An empty list takes everything from PUBLIC; on the database, PostgreSQL
    gives it CONNECT and TEMPORARY, on the schema `public` USAGE."""
    on_database: Properties = {"database": name, "objectType": "database"}
    on_schema: Properties = {"database": name, "schema": schema, "objectType": "schema"}
    return {
        "everybody-database": {**on_database, "role": _EVERYBODY, "privileges": []},
        "app-database": {**on_database, "role": app, "privileges": ["CONNECT"]},
        "monitor-database": {**on_database, "role": "pg_monitor", "privileges": ["CONNECT"]},
        "everybody-schema": {**on_schema, "role": _EVERYBODY, "privileges": []},
        "app-schema": {**on_schema, "role": app, "privileges": ["USAGE"]},
    }


def defaults(name: str, schema: str, owner_role: str, app: str) -> dict[str, Properties]:
    """Rights on what the owner makes from now on; migrations run as the owner."""
    common: Properties = {"database": name, "schema": schema, "owner": owner_role, "role": app}
    return {
        "app-tables": {**common, "objectType": "table", "privileges": ["SELECT", "INSERT", "UPDATE", "DELETE"]},
        "app-sequences": {**common, "objectType": "sequence", "privileges": ["USAGE", "SELECT"]},
    }
