"""Roles that read everything and change nothing, for checks of restores, pure."""

from omnibase_infra.objects import Manifest
from omnibase_infra.postgres import names
from omnibase_infra.postgres.args import PostgresClusterArgs

_LEAST_CONNECTIONS, _CHECKS = 20, 2


def inspectors(args: PostgresClusterArgs) -> list[str]:
    """The roles."""
    return list(args.get("inspectors", {}))


def connections(args: PostgresClusterArgs) -> int:
    """Of one role: a check holds one to each database, which are read at the same moment, and one that watches. One by
    schedule and one by hand may run together."""
    return max(_LEAST_CONNECTIONS, _CHECKS * (len(args["databases"]) + 1))


def roles(cluster: str, args: PostgresClusterArgs) -> list[Manifest]:
    """What the operator is to know of them. pg_monitor brings the right to enter the first database, whose PUBLIC has
    none; without BYPASSRLS a check would see less than is there, and call that equal."""
    return [
        {
            "name": role,
            "ensure": "present",
            "login": True,
            "inherit": True,
            "superuser": False,
            "createdb": False,
            "createrole": False,
            "bypassrls": True,
            "inRoles": ["pg_monitor", "pg_read_all_data"],
            "connectionLimit": connections(args),
            "passwordSecret": {"name": names.role_secret(cluster, role)},
            "comment": "reads every row, for checks of restores",
        }
        for role in inspectors(args)
    ]


def selectors(args: PostgresClusterArgs) -> list[Manifest]:
    """Whose addresses the operator puts into pg_hba. Nobody else gets in, and nobody through a pooler."""
    return [
        {"name": _selector(role), "selector": {"matchLabels": party["labels"]}}
        for role, party in args.get("inspectors", {}).items()
    ]


def entries(args: PostgresClusterArgs) -> list[str]:
    """Lines of pg_hba."""
    return [f"hostssl all {role} ${{podselector:{_selector(role)}}} scram-sha-256" for role in inspectors(args)]


def _selector(role: str) -> str:
    return f"inspector-{role.replace('_', '-').strip('-')}"
