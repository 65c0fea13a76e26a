"""What is refused before any resource exists, all of it together."""

import ipaddress
import re
from collections.abc import Mapping, Sequence

from omnibase_infra.config.role_names import sharing
from omnibase_infra.naming import dns_label
from omnibase_infra.network import party_problems
from omnibase_infra.postgres.checks import migrations_problems, name_problems, order_problems, repeated
from omnibase_infra.postgres.managed.args import EXTENSIONS, SSL_MODES, ManagedPostgresArgs
from omnibase_infra.postgres.managed.rights import FIELDS, logins, migrated, roles_of

_SERVICE_ROLES = (
    "root", "rdsadmin", "rds_superuser", "rds_iam", "cloudsqladmin", "cloudsqlsuperuser", "azure_pg_admin",
    "supabase_admin", "anon", "authenticated", "authenticator", "service_role",
)  # fmt: skip
_SCHEMA = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
_SERVICE_SCHEMAS = ("information_schema", "auth", "storage", "realtime", "vault", "extensions", "graphql")
_TRANSACTION_POOLERS = (6543,)
"""Ports by which managed services offer PgBouncer or Supavisor in transaction mode."""
_NEEDED_BY_MIGRATIONS = {
    "migrator_image": "a Job of this image runs",
    "namespace": "a Job in it runs",
    "server_cidrs": "a Job runs that may connect to nothing else",
}
_LONGEST_NAME = 50
_PEM = "-----BEGIN CERTIFICATE-----"


def problems(name: str, args: ManagedPostgresArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    return [
        *_names(name, args),
        *_databases(args),
        *_migrations(args),
        *_connection(args),
        *_numbers(args),
        *_flows(args),
    ]


def _names(name: str, args: ManagedPostgresArgs) -> list[str]:
    found = []
    try:
        dns_label(name)
    except ValueError as error:
        found.append(str(error))
    if len(name) > _LONGEST_NAME:
        found.append(f"name {name!r} has {len(name)} characters, at most {_LONGEST_NAME} leave room for its children")
    schema = args.get("schema", "public")
    if not _SCHEMA.match(schema):
        found.append(
            f"schema={schema!r} must be lower-case letters, digits and '_', at most 63, not starting with a digit"
        )
    elif schema.startswith("pg_") or schema in _SERVICE_SCHEMAS:
        found.append(f"schema={schema!r} is reserved by PostgreSQL or a managed service")
    return found


def _databases(args: ManagedPostgresArgs) -> list[str]:
    databases, found = args["databases"], list[str]()
    if not databases:
        return ["databases is empty; name at least one"]
    first = args.get("first_database")
    if first is None and len(databases) > 1:
        found.append(f"first_database is required with several databases; one of {', '.join(databases)}")
    if first is not None and first not in databases:
        found.append(f"first_database={first!r} is not among databases ({', '.join(databases)})")
    taken: dict[str, str] = {}
    for name, database in databases.items():
        where = f"databases[{name}]"
        roles = {"owner": database["owner"]}
        roles |= {FIELDS[use]: role for use, role in roles_of(name, database).items()}
        own = [*name_problems("database", name), *_extensions(database.get("extensions", []))]
        own += [problem for field, role in roles.items() for problem in _role(field, role, args)]
        found += [f"{where}: {problem}" for problem in own]
        found += _doubles(where, roles, taken)
    if "monitor_role" in args:
        found += _role("monitor_role", args["monitor_role"], args)
        found += _doubles("", {"monitor_role": args["monitor_role"]}, taken)
    return [*found, *_secrets(args)]


def _secrets(args: ManagedPostgresArgs) -> list[str]:
    """Two roles that differ in PostgreSQL and would have one Secret, so that one gets the other's password."""
    if not args.get("namespace"):
        return []
    return [
        f"roles {' and '.join(map(repr, same))} would share the Secret called {short!r}; rename one of them"
        for short, same in sharing(login.role for login in logins(args)).items()
    ]


def _migrations(args: ManagedPostgresArgs) -> list[str]:
    """What the Job needs beside its files."""
    sets = migrated(args)
    if not sets:
        return []
    found = [
        f"databases[{name}].migrations: {each}" for name in sets for each in migrations_problems(sets[name].settings)
    ]
    found += [
        f"{field} is required: there are databases with migrations, which {words}"
        for field, words in _NEEDED_BY_MIGRATIONS.items()
        if not args.get(field)
    ]
    fixed = {"sslmode": ("verify-full", "sends its password"), "schema": ("public", "makes its tables")}
    found += [
        f"{field}={args.get(field)!r} with migrations: their Job {words} with {field}={allowed} only"
        for field, (allowed, words) in fixed.items()
        if args.get(field, allowed) != allowed
    ]
    return [*found, *order_problems(sets)]


def _role(field: str, role: str, args: ManagedPostgresArgs) -> list[str]:
    found = name_problems(field, role)
    if role in _SERVICE_ROLES:
        found.append(f"{field}={role!r} is reserved by a managed service")
    if role == args.get("administrator"):
        found.append(f"{field}={role!r} must differ from administrator, whose rights nobody else gets")
    return found


def _doubles(where: str, roles: Mapping[str, str], taken: dict[str, str]) -> list[str]:
    """A role is for one use; an application that is the owner may change the schema."""
    found = []
    for field, role in roles.items():
        place = f"{where}.{field}" if where else field
        if role in taken:
            found.append(f"{place}={role!r} is {taken[role]} already; each use of each database has a role of its own")
        taken.setdefault(role, place)
    return found


def _connection(args: ManagedPostgresArgs) -> list[str]:
    mode, host, ca = args.get("sslmode", "verify-full"), args["host"], args.get("ca")
    if mode not in SSL_MODES:
        return [f"sslmode={mode!r} must be one of {', '.join(SSL_MODES)}"]
    found = []
    if isinstance(host, str) and not host.strip():
        found.append("host is empty; give the server's name")
    if mode == "disable" and not (isinstance(host, str) and _is_loopback(host)):
        shown = repr(host) if isinstance(host, str) else "an output of another resource"
        found.append(
            f"sslmode='disable' sends passwords and rows in clear text to host={shown}; it is allowed for a server on "
            "this machine's loopback only: use verify-full"
        )
    if mode != "verify-full" and args["environment"] in ("staging", "prod"):
        found.append(f"sslmode={mode!r} is refused in {args['environment']}; use verify-full, which is the default")
    if mode.startswith("verify") and not ca:
        found.append(f"sslmode={mode!r} needs ca, the certificate (PEM) that the server's is signed by")
    if int(args.get("port", 5432)) in _TRANSACTION_POOLERS:
        found.append(
            f"port={args.get('port')} is that of a transaction pooler, which gives each transaction another session: "
            "roles, locks and migrations need one; use the port of the server or of a session pooler, 5432"
        )
    if isinstance(ca, str) and ca and _PEM not in ca:
        found.append(f"ca is no certificate in PEM form; it must hold {_PEM!r}")
    return found


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _numbers(args: ManagedPostgresArgs) -> list[str]:
    bounds = {
        "port": (int(args.get("port", 5432)), 1, 65535),
        "connection_limit": (int(args.get("connection_limit", 100)), -1, 10_000),
        "password_generation": (int(args.get("password_generation", 1)), 1, 1_000_000),
    }
    found = [
        f"{field}={value} is outside {low}..{high}"
        for field, (value, low, high) in bounds.items()
        if not low <= value <= high
    ]
    if bounds["connection_limit"][0] == 0:
        found.append("connection_limit=0 lets nobody in; use -1 for no limit")
    return found


def _extensions(asked: Sequence[str]) -> list[str]:
    found = [
        f"extension {name!r} is not on the list of allowed ones: {', '.join(EXTENSIONS)}"
        for name in asked
        if name not in EXTENSIONS
    ]
    return [*found, *repeated("extension", asked)]


def _flows(args: ManagedPostgresArgs) -> list[str]:
    clients, cidrs = args.get("clients", []), args.get("server_cidrs", [])
    found = [
        problem for number, client in enumerate(clients) for problem in party_problems(f"clients[{number}]", client)
    ]
    names = [client["name"].lower() for client in clients]
    found += [
        f"clients: the name {name!r} is used more than once" for name in sorted(set(names)) if names.count(name) > 1
    ]
    if clients and not cidrs:
        found.append("clients need server_cidrs, the networks that they may open connections to")
    for cidr in cidrs:
        try:
            ipaddress.ip_network(cidr)
        except ValueError as error:
            found.append(f"server_cidrs: {error}")
    return found
