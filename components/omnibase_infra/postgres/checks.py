"""What is refused before any resource exists, all of it together."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

from pydantic import ValidationError

from omnibase_infra.config.database_sizes import (
    CONNECTION_MIB,
    RESERVED_CONNECTIONS,
    most_connections,
    pooled_connections,
)
from omnibase_infra.config.databases import Extension
from omnibase_infra.config.role_names import is_reserved, sharing
from omnibase_infra.migrations import MigrationError, Plan, set_problems
from omnibase_infra.naming import dns_label
from omnibase_infra.network import party_problems
from omnibase_infra.postgres import databases, inspectors, migrating
from omnibase_infra.postgres.args import PostgresClusterArgs, PostgresDatabaseArgs, PostgresMigrationsArgs
from omnibase_infra.postgres.backup_checks import backup_problems
from omnibase_infra.postgres.cluster_spec import GUARDED
from omnibase_infra.postgres.names import PORT

_IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
_IMAGE = re.compile(r":(\d+)[^/@]*@sha256:[0-9a-f]{64}$")
_LONGEST_NAME = 40  # `<name>-pooler-rw-<replica set>-<pod>` must stay a DNS label
_QUORUM_INSTANCES = 3
_POOLER_PODS = 2
MAJORS = (17, 18)
"""Versions of PostgreSQL that have the locale of `databases.LOCALE` and that the operator supports."""
EXTENSIONS = get_args(Extension)
_CHILDREN = re.compile(r"^(.+?)-(pooler(-r[wo])?|role)$")


def problems(name: str, args: PostgresClusterArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    return [
        *_names(name, args),
        *_image(args),
        *_instances(args),
        *_connections(args),
        *_memory(args),
        *_parties(args),
        *_hibernation(args),
        *_watchdog(args),
        *backup_problems(name, args),
    ]


def _names(name: str, args: PostgresClusterArgs) -> list[str]:
    found = []
    try:
        dns_label(name)
    except ValueError as error:
        found.append(str(error))
    if len(name) > _LONGEST_NAME:
        found.append(f"name {name!r} has {len(name)} characters, at most {_LONGEST_NAME} leave room for its children")
    if child := _CHILDREN.match(name):
        found.append(f"name {name!r} is that of an object which a cluster {child[1]!r} makes; take another")
    return [*found, *_databases(args), *_inspectors(args), *_objects(args), *_migrations(args)]


def _databases(args: PostgresClusterArgs) -> list[str]:
    found, owners = [], dict[str, str]()
    if args["first_database"] not in args["databases"]:
        known = ", ".join(args["databases"]) or "none"
        found.append(f"first_database={args['first_database']!r} is not among databases ({known})")
    for name, database in args["databases"].items():
        found += [f"databases[{name}]: {problem}" for problem in _database(name, database)]
        used = {field: str(database.get(field, "")) for field in ("owner", "app_role", "read_only_role")}
        for field, role in {**used, "migrator": databases.migrators(args).get(name, "")}.items():
            where = f"databases[{name}].{field}"
            if field == "app_role" and role == database["owner"]:
                continue  # said above
            if role and owners.setdefault(role, where) != where:
                found.append(f"{where}={role!r} is {owners[role]} already; a role belongs to one database")
    return found


def _inspectors(args: PostgresClusterArgs) -> list[str]:
    found = []
    for role in inspectors.inspectors(args):
        found += [f"inspectors: {problem}" for problem in name_problems("role", role)]
        for name, database in args["databases"].items():
            fields = {"migrator": databases.migrators(args).get(name), **database}
            found += [
                f"inspectors[{role}] is databases[{name}].{field} already; a role has one use"
                for field in ("owner", "app_role", "read_only_role", "migrator")
                if fields.get(field) == role
            ]
    return found


def _migrations(args: PostgresClusterArgs) -> list[str]:
    found = []
    for name, role in databases.migrators(args).items():
        settings = args["databases"][name]["migrations"]
        where = f"databases[{name}].migrations"
        found += [
            f"{where}: {problem}" for problem in [*name_problems("migrator", role), *migrations_problems(settings)]
        ]
    if databases.migrators(args) and "migrator_image" not in args:
        found.append("migrator_image is required: there are databases with migrations")
    return [*found, *order_problems(databases.migrated(args))]


def migrations_problems(settings: PostgresMigrationsArgs) -> list[str]:
    """Why the files of a migration set cannot run, or not as a Job."""
    target = settings.get("target_version")
    found = set_problems(settings["files"], None if target is None else int(target))
    size = sum(len(file) + len(text.encode()) for file, text in settings["files"].items())
    if size > migrating.MOST_BYTES:
        found.append(f"the files have {size} bytes of at most {migrating.MOST_BYTES}; data belongs into storage")
    return found


def order_problems(migrated: Mapping[str, migrating.Migrated]) -> list[str]:
    """What the runner itself would refuse of the plan."""
    if not migrated:
        return []
    try:
        Plan.model_validate(migrating.plan(migrated, "server", PORT, 0)).order()
    except MigrationError as error:
        return [f"migrations: {problem}" for problem in error.problems]
    except ValidationError as error:
        return [f"migrations: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    return []


def _database(name: str, args: PostgresDatabaseArgs) -> list[str]:
    found = role_problems(name, args["owner"], args["app_role"])
    if "read_only_role" in args:
        found += [each for each in name_problems("read_only_role", args["read_only_role"]) if each not in found]
    for extension in args.get("extensions", []):
        if extension not in EXTENSIONS:
            found.append(f"extension {extension!r} is not in the server's image; known: {', '.join(EXTENSIONS)}")
    return [*found, *repeated("extension", args.get("extensions", []))]


def repeated(what: str, words: Sequence[str]) -> list[str]:
    """What is named more than once."""
    return [f"{what} {word!r} is named twice" for word, count in Counter(words).items() if count > 1]


def name_problems(field: str, value: str) -> list[str]:
    """What is wrong with the name of a database or role."""
    found = []
    if not _IDENTIFIER.match(value):
        found.append(
            f"{field}={value!r} must be lower-case letters, digits and '_', at most 63, not starting with a digit"
        )
    if is_reserved(value):
        found.append(f"{field}={value!r} is reserved by PostgreSQL, its operator or `ops`")
    return found


def role_problems(database: str, owner: str, app_role: str) -> list[str]:
    """What is wrong with the names of a database and its two roles."""
    given = {"database": database, "owner": owner, "app_role": app_role}
    found = [problem for field, value in given.items() for problem in name_problems(field, value)]
    if owner == app_role:
        found.append(f"app_role={app_role!r} must differ from owner, who may change the schema")
    return found


def _objects(args: PostgresClusterArgs) -> list[str]:
    """Two names that differ in PostgreSQL and become one name of an object."""
    roles = [*databases.login_roles(args), *inspectors.inspectors(args)]
    return [
        f"{kind} {' and '.join(map(repr, same))} would share the objects called {short!r}; rename one of them"
        for kind, words in (("databases", list(args["databases"])), ("roles", roles))
        for short, same in sharing(words).items()
    ]


def _image(args: PostgresClusterArgs) -> list[str]:
    image = args["image"]
    if not isinstance(image, str):
        return []
    tag = _IMAGE.search(image)
    if not tag:
        return [f"image={image!r} must end in :<major version>...@sha256:<digest>; the operator reads the tag"]
    if int(tag[1]) not in MAJORS:
        known = " and ".join(map(str, MAJORS))
        return [
            f"image={image!r} is PostgreSQL {tag[1]}, allowed are {known}: older ones lack the built-in locale "
            "C.UTF-8, newer ones the operator does not know"
        ]
    return []


def _watchdog(args: PostgresClusterArgs) -> list[str]:
    if "watchdog" not in args:
        return []
    if int(args["instances"]) < 2:  # noqa: PLR2004
        return [f"watchdog: with instances={args['instances']} nobody could take over from a primary that it ends"]
    if not int(args["synchronous_standbys"]):
        return [
            "watchdog: with synchronous_standbys=0 a standby that takes over from a primary that it ends may lack "
            "acknowledged rows; allowed is 1 or more: raise it, or leave the watchdog out"
        ]
    return []


def _hibernation(args: PostgresClusterArgs) -> list[str]:
    if args.get("hibernate") and args["environment"] in GUARDED:
        return [f"hibernate=true stops every service of {args['environment']}; allowed in dev and test"]
    return []


def _instances(args: PostgresClusterArgs) -> list[str]:
    found = []
    instances, standbys = int(args["instances"]), int(args["synchronous_standbys"])
    guarded = args["environment"] in GUARDED
    bounds = {
        "instances": (instances, 1, 9),
        "synchronous_standbys": (standbys, 0, 8),
        "storage_gib": (int(args["storage_gib"]), 1, 65536),
        "wal_storage_gib": (int(args["wal_storage_gib"]), 1, 65536),
        "memory_mib": (int(args["memory_mib"]), 256, 1_048_576),
        "pooler_instances": (int(args["pooler_instances"]), 1, 50),
        "password_generation": (int(args.get("password_generation", 1)), 1, 1_000_000),
        "prepared_transactions": (int(args.get("prepared_transactions", 0)), 0, 10_000),
    }
    for field, (value, low, high) in bounds.items():
        if not low <= value <= high:
            found.append(f"{field}={value} is outside {low}..{high}")
    if standbys > instances - 1:
        found.append(f"synchronous_standbys={standbys} needs {standbys + 1} instances, there are {instances}")
    if guarded and instances < _QUORUM_INSTANCES:
        found.append(
            f"instances={instances} must be at least 3 in {args['environment']}: one lost standby stops writes"
        )
    if guarded and _QUORUM_INSTANCES <= instances <= standbys + 1:
        found.append(
            f"synchronous_standbys={standbys} of instances={instances} is refused in {args['environment']}: one lost "
            f"standby would stop writes; at most {instances - 2}"
        )
    if guarded and int(args["pooler_instances"]) < _POOLER_PODS:
        found.append(
            f"pooler_instances={args['pooler_instances']} must be at least {_POOLER_PODS} in {args['environment']}: "
            "one pod is no way around a lost node"
        )
    if guarded and not standbys:
        found.append(f"synchronous_standbys=0 is refused in {args['environment']}: acknowledged rows could be lost")
    return found


def _connections(args: PostgresClusterArgs) -> list[str]:
    count = len(args["databases"])
    wanted = count * pooled_connections(int(args["pooler_instances"]), int(args["pooler_size"]))
    free = int(args["max_connections"]) - RESERVED_CONNECTIONS
    if wanted <= free:
        return []
    return [
        f"pooler_size={args['pooler_size']}: two poolers may open {wanted} server connections to {count} "
        f"database{'s' if count > 1 else ''} while they roll, but "
        f"max_connections={args['max_connections']} leaves {free}; lower it or raise max_connections"
    ]


def _memory(args: PostgresClusterArgs) -> list[str]:
    memory, connections = int(args["memory_mib"]), int(args["max_connections"])
    if connections <= most_connections(memory):
        return []
    return [
        f"memory_mib={memory} leaves room for max_connections={most_connections(memory)}, not {connections}: beside "
        f"the server's own memory each needs {CONNECTION_MIB} MiB at the least; raise the one or lower the other"
    ]


def _parties(args: PostgresClusterArgs) -> list[str]:
    found = party_problems("operator", args["operator"])
    for number, client in enumerate(args["clients"]):
        found += party_problems(f"clients[{number}]", client)
        if not re.search(r"[a-z0-9]", client["name"].lower()):
            found.append(f"clients[{number}] needs a name with a letter or digit")
    doubles = [
        name for name, count in Counter(client["name"].lower() for client in args["clients"]).items() if count > 1
    ]
    found += [f"clients: the name {name!r} is used more than once" for name in doubles]
    if ("tls_secret" in args) != ("ca_secret" in args):
        found.append("tls_secret and ca_secret come together: a certificate, and the authority that clients know it by")
    if not args["api_server_cidrs"] or not args["api_server_ports"]:
        found.append("api_server_cidrs and api_server_ports are required: instances hold their lease at the API server")
    return found
