"""The two roles of `ops db`, pure. Decision 0042 says why there are two, and why they come in as they do."""

from omnibase_infra.config.databases import EXPLAIN_ROLE, MONITOR_ROLE, OPS_ROLES
from omnibase_infra.objects import Manifest
from omnibase_infra.postgres import names

_RIGHTS = {
    MONITOR_ROLE: (["pg_monitor"], "ops db: statistics, sessions, texts of statements; no row"),
    # pg_monitor brings the right to connect to the first database, whose PUBLIC has none
    EXPLAIN_ROLE: (["pg_monitor", "pg_read_all_data"], "ops db explain: the planner asks for the right to read"),
}
_CONNECTIONS = 3
_OWN_POD = ("127.0.0.1/32", "::1/128")


def roles(cluster: str) -> list[Manifest]:
    """What the operator is to know of them."""
    return [
        {
            "name": role,
            "ensure": "present",
            "login": True,
            "inherit": True,
            "superuser": False,
            "createdb": False,
            "createrole": False,
            "inRoles": groups,
            "connectionLimit": _CONNECTIONS,
            "passwordSecret": {"name": names.role_secret(cluster, role)},
            "comment": comment,
        }
        for role, (groups, comment) in _RIGHTS.items()
    ]


def entries() -> list[str]:
    """Lines of pg_hba: only from the server's own pod, where a forwarded port comes out, and never through a pooler."""
    return [f"hostssl all {role} {source} scram-sha-256" for role in OPS_ROLES for source in _OWN_POD]
