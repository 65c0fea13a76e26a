"""Databases of an external server in a picture: a frame for the server, a box for each, arrows for who logs in."""

from __future__ import annotations

from collections.abc import Sequence

from ops.graph.boxes import Arrow, Box
from ops.graph.resources import Resource

_PREFIX = "postgresql:index/"
_MANAGED = "omnibase-infra:index:ManagedPostgres"
_EVERYBODY = "public"
_PORT = 5432


def postgresql_boxes(resources: Sequence[Resource]) -> tuple[list[Box], list[Arrow]]:
    """Boxes and arrows of a stack's external databases; nothing for a stack without."""
    databases = _of(resources, "Database")
    if not databases:
        return [], []
    components = {
        name: resource
        for resource in resources
        if resource.type == _MANAGED
        for name in resource.input("databases") or {}
    }
    outside: list[Box] = []
    arrows: list[Arrow] = []
    servers: dict[str, Box] = {}
    for database in databases:
        name = str(database.input("name"))
        component = components.get(name)
        host = str((component.input("host") if component else "") or "external server")
        server = servers.setdefault(host, Box(id=f"server-{host}", title=host, subtitle="PostgreSQL", style="machine"))
        server.children.append(_database(database, resources))
        port = int((component.input("port") if component else 0) or _PORT)
        for role in _clients(resources, name):
            outside.append(_role(role))
            arrows.append(Arrow(source=role.key, target=database.key, ports=(port,)))
    return [*outside, *servers.values()], arrows


def _database(database: Resource, resources: Sequence[Resource]) -> Box:
    name = database.input("name")
    lines = [f"owner {database.input('owner')}, cannot log in"]
    lines += [f"schema {each.input('name')}" for each in _of(resources, "Schema") if each.input("database") == name]
    extensions = [str(each.input("name")) for each in _of(resources, "Extension") if each.input("database") == name]
    if extensions:
        lines.append(f"extensions {', '.join(sorted(extensions))}")
    grants = [each for each in _of(resources, "Grant") if each.input("database") == name]
    if any(each.input("role") == _EVERYBODY and not each.input("privileges") for each in grants):
        lines.append("everybody else: nothing")
    return Box(id=database.key, title=str(name), subtitle="database", lines=lines)


def _clients(resources: Sequence[Resource], database: str) -> list[Resource]:
    """Roles that log in and may connect to a database."""
    allowed = {
        str(each.input("role"))
        for each in _of(resources, "Grant")
        if each.input("database") == database and "CONNECT" in (each.input("privileges") or [])
    }
    return [each for each in _of(resources, "Role") if each.input("login") and str(each.input("name")) in allowed]


def _role(role: Resource) -> Box:
    lines = ["reads and writes rows, no more"]
    limit = role.input("connectionLimit")
    if limit is not None and int(limit) > 0:
        lines.append(f"at most {int(limit)} connections")
    return Box(id=role.key, title="application", subtitle=f"as {role.input('name')}", lines=lines, style="outside")


def _of(resources: Sequence[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource.type.startswith(_PREFIX) and resource.kind == kind]
