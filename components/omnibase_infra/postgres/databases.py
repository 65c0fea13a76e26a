"""The databases of a cluster and the roles that may enter them, pure."""

from collections.abc import Iterator

import pulumi

from omnibase_infra.config.database_sizes import pooled_connections
from omnibase_infra.config.databases import OPS_ROLES, migrator_role
from omnibase_infra.naming import labels, service_host
from omnibase_infra.objects import Manifest
from omnibase_infra.postgres import bloat, names
from omnibase_infra.postgres.args import PostgresClusterArgs, PostgresDatabaseArgs
from omnibase_infra.postgres.migrating import Migrated, Migrations

_REACH_SECONDS = 180  # the operator writes the pod's address into pg_hba, and makes the role, while the pod is there
_MIGRATOR_CONNECTIONS = 2  # one works; the other is of a pod that has just been lost, until the server has seen it
LOCALE = {
    "encoding": "UTF8",
    # The built-in provider sorts the same in every image; glibc's order changes with the distribution.
    "localeProvider": "builtin",
    "builtinLocale": "C.UTF-8",
    "localeCollate": "C",
    "localeCType": "C",
}


def first(args: PostgresClusterArgs) -> PostgresDatabaseArgs:
    """The database that the cluster is made with."""
    return args["databases"][args["first_database"]]


def logins(args: PostgresClusterArgs) -> Iterator[tuple[str, str]]:
    """Database and role, of each role that logs in."""
    for name, database in args["databases"].items():
        yield name, database["app_role"]
        if "read_only_role" in database:
            yield name, database["read_only_role"]


def migrators(args: PostgresClusterArgs) -> dict[str, str]:
    """Database -> role that its migrations log in as, of each database that has any."""
    return {name: migrator_role(name) for name, each in args["databases"].items() if each.get("migrations")}


def migrations(cluster: str, args: PostgresClusterArgs) -> Migrations:
    """What the Job is made of that migrates them."""
    return Migrations(
        server=cluster,
        namespace=args["namespace"],
        environment=args["environment"],
        host=service_host(f"{cluster}-rw", args["namespace"]),
        port=names.PORT,
        party=names.instances(cluster, args["namespace"]),
        ca_secret=ca_secret(cluster, args),
        image=args.get("migrator_image", ""),
        databases=migrated(args),
        secrets={role: secret(cluster, args, role) for role in migrators(args).values()},
        reach_seconds=_REACH_SECONDS,
        priority_class=args.get("priority_class"),
    )


def migrated(args: PostgresClusterArgs) -> dict[str, Migrated]:
    """The databases with migrations, as the runner knows them."""
    return {
        name: Migrated(
            owner=args["databases"][name]["owner"],
            migrator=role,
            writer=args["databases"][name]["app_role"],
            reader=args["databases"][name].get("read_only_role", ""),
            settings=args["databases"][name]["migrations"],
        )
        for name, role in migrators(args).items()
    }


def login_roles(args: PostgresClusterArgs) -> list[str]:
    """Every role with a password: those of the databases, their migrators, and those of `ops db`."""
    return [*(role for _, role in logins(args)), *migrators(args).values(), *OPS_ROLES]


def secret(cluster: str, args: PostgresClusterArgs, role: str) -> str:
    """Name of the Secret of a role that logs in."""
    return names.app_secret(cluster) if role == first(args)["app_role"] else names.role_secret(cluster, role)


def ca_secret(cluster: str, args: PostgresClusterArgs) -> pulumi.Input[str]:
    """Secret with the `ca.crt` that clients need."""
    return args["ca_secret"] if "tls_secret" in args else names.ca_secret(cluster)


def entries(args: PostgresClusterArgs, source: str) -> list[str]:
    """Lines of pg_hba that let each role into its own database, and nobody anywhere else."""
    return [f"hostssl {database} {role} {source} scram-sha-256" for database, role in logins(args)]


def direct_entries(args: PostgresClusterArgs, source: str) -> list[str]:
    """Lines of pg_hba that let each migrator into its own database."""
    return [f"hostssl {database} {role} {source} scram-sha-256" for database, role in migrators(args).items()]


def roles(cluster: str, args: PostgresClusterArgs) -> list[Manifest]:
    """What the operator is to know of all roles."""
    limit = pooled_connections(int(args["pooler_instances"]), int(args["pooler_size"]))
    common = {"ensure": "present", "inherit": True, "superuser": False, "createdb": False, "createrole": False}
    found: list[Manifest] = []
    for name, database in args["databases"].items():
        comment = f"owns {name}; migrations run as it"
        found.append({**common, "name": database["owner"], "login": False, "comment": comment})
    for name, role in logins(args):
        login = {"login": True, "connectionLimit": limit, "passwordSecret": {"name": secret(cluster, args, role)}}
        found.append({**common, "name": role, **login, **_rights(args["databases"][name], name, role)})
    return [*found, *(_migrator(cluster, args, name, common) for name in migrators(args))]


def _rights(settings: PostgresDatabaseArgs, database: str, role: str) -> Manifest:
    """Where there are migrations, their Job gives rights. The operator knows none, so that others get PostgreSQL's own
    roles for rows; they hold for every database, of which pg_hba opens one."""
    reads = role == settings.get("read_only_role")
    comment = f"reads rows of {database}" if reads else f"the application of {database}; rows only"
    if settings.get("migrations"):
        return {"comment": comment}
    return {"inRoles": ["pg_read_all_data", *([] if reads else ["pg_write_all_data"])], "comment": comment}


def _migrator(cluster: str, args: PostgresClusterArgs, database: str, common: Manifest) -> Manifest:
    """Without INHERIT it has no right of the owner until it says SET ROLE."""
    role = migrator_role(database)
    return {
        **common,
        "name": role,
        "login": True,
        "inherit": False,
        "inRoles": [args["databases"][database]["owner"]],
        "connectionLimit": _MIGRATOR_CONNECTIONS,
        "passwordSecret": {"name": secret(cluster, args, role)},
        "comment": f"runs the migrations of {database} as its owner",
    }


def database(cluster: str, name: str, args: PostgresClusterArgs) -> Manifest:
    """The operator's object for one database, which also makes its extensions."""
    settings, made = args["databases"][name], names.database(cluster, name)
    keep = bool(args.get("protect", False)) or name == args["first_database"]
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Database",
        "metadata": {
            "name": made,
            "namespace": args["namespace"],
            "labels": labels(made, "database", args["environment"]),
            "annotations": _patience(args),
        },
        "spec": {
            "cluster": {"name": cluster},
            "name": name,
            "owner": settings["owner"],
            **LOCALE,
            "databaseReclaimPolicy": "retain" if keep else "delete",
            "extensions": [bloat.EXTENSION, *({"name": each} for each in settings.get("extensions", []))],
        },
    }


def _patience(args: PostgresClusterArgs) -> Manifest:
    """What is new while the cluster sleeps is made when it wakes."""
    if args.get("hibernate"):
        return {"pulumi.com/skipAwait": "true"}
    return {"pulumi.com/waitFor": "jsonpath={.status.applied}=true", "pulumi.com/timeoutSeconds": "300"}
