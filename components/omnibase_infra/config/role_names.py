"""Names of databases and roles that nobody can have, and those that two cannot have at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from omnibase_infra.config.capability import Finding
from omnibase_infra.config.databases import OPS_ROLES, DatabaseConfig, PostgresConfig, migrated, migrator_role

DRILL_ROLE = "omnibase_drill"
"""Role of the restore drill: reads every row, changes none."""
_TAKEN = ("postgres", "streaming_replica", "cnpg_pooler_pgbouncer", "public", "template0", "template1", *OPS_ROLES)
_LONGEST = 63 - len(migrator_role(""))


def is_reserved(name: str) -> bool:
    """Whether a database or role of that name is PostgreSQL's, its operator's or that of `ops`."""
    return name in _TAKEN or name.startswith("pg_")


def sharing(words: Iterable[str]) -> dict[str, list[str]]:
    """Name of an object -> the names in PostgreSQL that would become it, where these are two or more."""
    called: dict[str, list[str]] = {}
    for word in dict.fromkeys(words):
        called.setdefault(word.replace("_", "-").strip("-"), []).append(word)
    return {short: same for short, same in called.items() if len(same) > 1}


def database_names(postgres: PostgresConfig) -> Iterator[Finding]:
    """A role belongs to one database, no name is anybody else's, and each leads to objects of its own."""
    owners = {migrator_role(name): f"that of the migrations of {name}" for name in migrated(postgres.databases)}
    for name, database in postgres.databases.items():
        yield from _alone(name, database)
        for field, role in _roles(name, database).items():
            known = owners.setdefault(role, field)
            if known != field:
                hint = "a role that two share could read and change what belongs to the other"
                yield field, role, f"is {known} already", hint
    for cluster in postgres.by_cluster.values():
        yield from _objects({name: _path(name) for name in cluster.databases})
        ours = dict.fromkeys((*OPS_ROLES, DRILL_ROLE, *map(migrator_role, migrated(cluster.databases))), "")
        fields = [_roles(name, each) for name, each in cluster.databases.items()]
        yield from _objects({**ours, **{role: field for each in fields for field, role in each.items()}})


def _path(name: str) -> str:
    return f"postgres.databases.{name}"


def _roles(name: str, database: DatabaseConfig) -> dict[str, str]:
    """Path of each field with a role -> the role."""
    found = {f"{_path(name)}.owner": database.owner, f"{_path(name)}.app_role": database.app_role}
    if database.read_only_role:
        found[f"{_path(name)}.read_only_role"] = database.read_only_role
    return found


def _alone(name: str, database: DatabaseConfig) -> Iterator[Finding]:
    """What is wrong with one database, whatever others there are."""
    for field, word in {_path(name): name, **_roles(name, database)}.items():
        if is_reserved(word) or word == DRILL_ROLE:
            yield field, word, "is reserved by PostgreSQL, its operator or the platform", "take another name"
    if database.migrations and len(name) > _LONGEST:
        allowed = f"has {len(name)} characters, at most {_LONGEST} are possible with migrations"
        yield _path(name), name, allowed, f"their role is called {migrator_role('<name>')}"
    for extension in sorted(set(database.extensions)):
        if database.extensions.count(extension) > 1:
            yield (
                f"{_path(name)}.extensions",
                ", ".join(database.extensions),
                f"names {extension} twice",
                "take one out",
            )


def _objects(fields: Mapping[str, str]) -> Iterator[Finding]:
    """Names that differ in PostgreSQL and are one name in Kubernetes; name -> its field, empty for our own."""
    for short, same in sharing(fields).items():
        first, *others = sorted(same, key=lambda word: fields[word] != "")
        for word in others:
            if fields[word]:
                yield fields[word], word, f"would share the object's name {short!r} with {first}", "take another name"
