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
    arrows: list[Arrow] = []
    servers: dict[str, Box] = {}
    for database in databases:
        name = str(database.input("name"))
        component = components.get(name)
        host = str((component.input("host") if component else "") or "external server")
        server = servers.setdefault(host, Box(id=f"server-{host}", title=host, subtitle="PostgreSQL", style="machine"))
        server.children.append(_database(database, resources))
        port = int((component.input("port") if component else 0) or _PORT)
        arrows += [Arrow(source=role.key, target=database.key, ports=(port,)) for role in _clients(resources, name)]
    targets = {(arrow.source, arrow.target) for arrow in arrows}
    roles = [(role, [each for each in databases if (role.key, each.key) in targets]) for role in _of(resources, "Role")]
    outside = [_role(role, used, resources) for role, used in roles if used]
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
    """Roles that log in and may connect to a database, by themselves or by a role that they are members of."""
    allowed = {
        str(each.input("role"))
        for each in _of(resources, "Grant")
        if each.input("database") == database and "CONNECT" in (each.input("privileges") or [])
    }
    roles = [each for each in _of(resources, "Role") if each.input("login")]
    return [each for each in roles if allowed & {str(each.input("name")), *_memberships(each)}]


def _role(role: Resource, databases: Sequence[Resource], resources: Sequence[Resource]) -> Box:
    rights = {str(each.input("name")): _rights(role, each, resources) for each in databases}
    everywhere = set(rights.values())
    lines = list(everywhere) if len(everywhere) == 1 else [f"{name}: {what}" for name, what in rights.items()]
    limit = role.input("connectionLimit")
    if limit is not None and int(limit) > 0:
        lines.append(f"at most {int(limit)} connections")
    return Box(id=role.key, title=str(role.input("name")), subtitle="role", lines=lines, style="outside")


def _rights(role: Resource, database: Resource, resources: Sequence[Resource]) -> str:
    """What a role may do with the rows of a database, from what it is granted there."""
    if database.input("owner") in _memberships(role):
        return f"acts as {database.input('owner')}: changes the schema"
    granted = {
        privilege
        for kind in ("Grant", "DefaultPrivileges")
        for each in _of(resources, kind)
        if each.input("objectType") == "table"
        and (each.input("database"), each.input("role")) == (database.input("name"), role.input("name"))
        for privilege in each.input("privileges") or []
    }
    if granted - {"SELECT"}:
        return "reads and writes rows, no more"
    if granted:
        return "reads rows, no more"
    return f"as member of {', '.join(_memberships(role))}; no rows" if _memberships(role) else "no rows"


def _memberships(role: Resource) -> list[str]:
    return [str(each) for each in role.input("roles") or []]


def _of(resources: Sequence[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource.type.startswith(_PREFIX) and resource.kind == kind]
