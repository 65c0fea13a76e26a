"""PostgreSQL: clusters and poolers of CloudNativePG, and roles, grants and functions of servers elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omnibase_policies.checks import if_set, is_number, must_not_be_true, required, unless
from omnibase_policies.model import (
    REMOVED,
    Level,
    Problem,
    Severity,
    missing,
    object_rule,
    resource_rule,
    stack_rule,
    undecided,
    violated,
)
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text, none_of, one_of
from omnibase_policies.values import View

_CLUSTER, _POOLER, _BACKUP, _DATABASE = "Cluster", "Pooler", "ScheduledBackup", "Database"
_GROUP = "postgresql.cnpg.io/"
_ROLE, _PROVIDER = "PostgresqlRole", "PostgresqlProvider"
_GRANTS = ("PostgresqlGrant", "PostgresqlDefaultPrivileges")
_POWERS = ("superuser", "createrole", "createdb", "replication", "bypassrls")
_PROVIDER_POWERS = ("superuser", "createRole", "createDatabase", "replication", "bypassRowLevelSecurity")
_DANGEROUS_ROLES = frozenset(
    {
        "pg_checkpoint", "pg_create_subscription", "pg_execute_server_program", "pg_maintain", "pg_read_server_files",
        "pg_write_server_files", "postgres", "rds_superuser", "cloudsqlsuperuser",
    }
)  # fmt: skip
_WEAK_METHODS = frozenset({"trust", "md5", "password", "ident"})
_STRONG_TLS = ("TLSv1.2", "TLSv1.3")
_TLS_MODES = ("require", "verify-ca", "verify-full")
_LEAST_INSTANCES = 3
_EXTENSIONS = frozenset(
    {
        "amcheck", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn", "earthdistance",
        "fuzzystrmatch", "hstore", "hypopg", "intarray", "isn", "lo", "ltree", "pg_buffercache", "pg_partman",
        "pg_stat_statements", "pg_trgm", "pg_visibility", "pgaudit", "pgcrypto", "pgrowlocks", "pgstattuple",
        "plpgsql", "postgis", "postgis_raster", "postgis_topology", "seg", "tablefunc", "tcn", "tsm_system_rows",
        "tsm_system_time", "unaccent", "uuid-ossp", "vector",
    }
)  # fmt: skip
"""They add types, functions or indexes; none runs programs, reads files or connects to other servers."""


def _of_operator(found: Object, kind: str) -> bool:
    version = found.view["apiVersion"]
    return found.kind == kind and (version.is_absent or version.text().startswith(_GROUP))


def _at_most(view: View, names: Sequence[str], message: str) -> Iterator[Problem]:
    for name in names:
        yield from must_not_be_true(view[name], message)


@object_rule(
    "cnpg-no-superuser-access",
    "Nobody logs in to a database as its superuser",
    severity=Severity.CRITICAL,
    rationale="A superuser runs programs on the database's node and reads every database.",
    remedy="Remove `enableSuperuserAccess`; work as the owner of the database, or with `psql` in the primary's pod.",
    right=False,
    bad={"kind": _CLUSTER, "spec.enableSuperuserAccess": True},
    good={"kind": _CLUSTER, "spec.enableSuperuserAccess": None},
)
def cnpg_no_superuser_access(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`enableSuperuserAccess` is false or not set."""
    if _of_operator(found, _CLUSTER):
        yield from must_not_be_true(found.view.at("spec", "enableSuperuserAccess"), "must be false or not set")


@object_rule(
    "cnpg-no-alter-system",
    "Settings of a database are those of its definition",
    severity=Severity.HIGH,
    rationale="`ALTER SYSTEM` writes settings that nobody sees in the definition, archive commands among them.",
    remedy="Remove `postgresql.enableAlterSystem`, and write settings into `postgresql.parameters`.",
    right=False,
    bad={"kind": _CLUSTER, "spec.postgresql.enableAlterSystem": True},
    good={"kind": _CLUSTER, "spec.postgresql.enableAlterSystem": False},
)
def cnpg_no_alter_system(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`postgresql.enableAlterSystem` is false or not set."""
    if _of_operator(found, _CLUSTER):
        yield from must_not_be_true(
            found.view.at("spec", "postgresql", "enableAlterSystem"), "must be false or not set"
        )


@object_rule(
    "cnpg-managed-roles-least-privilege",
    "Roles of a database can do no more than their work",
    severity=Severity.HIGH,
    rationale="A service with a superuser's role hands all databases to whoever breaks into it.",
    remedy="Remove superuser, createrole, createdb, replication and bypassrls, and roles that reach files or programs.",
    right=REMOVED,
    bad={"kind": _CLUSTER, "spec.managed.roles.0.superuser": True},
    good={"kind": _CLUSTER, "spec.managed.roles.0.superuser": False},
)
def cnpg_managed_roles_least_privilege(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No role of `managed.roles` has a power over the server, its own or that of a role it is in."""
    if not _of_operator(found, _CLUSTER):
        return
    for role in found.view.at("spec", "managed", "roles").items():
        if role["ensure"].value != "absent":
            yield from _at_most(role, _POWERS, "must be false or not set")
            yield from _harmless(role["inRoles"])


def _harmless(roles: View) -> Iterator[Problem]:
    for role in roles.items():
        yield from if_set(role, none_of(_DANGEROUS_ROLES), "must not reach files, programs or all")


@object_rule(
    "cnpg-tls-scram",
    "Connections to a database are encrypted, and passwords are proven, not sent",
    severity=Severity.CRITICAL,
    rationale="Who reads the network reads rows and passwords; `trust` asks for no password at all.",
    remedy="Write `hostssl ... scram-sha-256` in `pg_hba`, and leave TLS 1.2 and scram-sha-256 as they are.",
    bad={"kind": _CLUSTER, "spec.postgresql.pg_hba": ["host all all 0.0.0.0/0 scram-sha-256"]},
    good={"kind": _CLUSTER, "spec.postgresql.pg_hba": ["hostssl all all all scram-sha-256", "host all all all reject"]},
)
def cnpg_tls_scram(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Lines of `pg_hba` demand TLS and scram, certificates or reject; parameters do not take it back."""
    if _of_operator(found, _CLUSTER):
        postgresql = found.view.at("spec", "postgresql")
        yield from _host_lines(postgresql["pg_hba"])
        given = postgresql["parameters"]
        yield from if_set(given["ssl_min_protocol_version"], one_of(_STRONG_TLS), "must be TLSv1.2 or TLSv1.3")
        yield from if_set(given["password_encryption"], lambda value: value == "scram-sha-256", "must be scram-sha-256")
    elif _of_operator(found, _POOLER):
        yield from _host_lines(found.view.at("spec", "pgbouncer", "pg_hba"))


def _host_lines(lines: View) -> Iterator[Problem]:
    for line in lines.items():
        yield from if_set(line, _is_safe_line, "must be hostssl with scram-sha-256 or cert, or reject")


def _is_safe_line(value: object) -> bool:
    """Of pg_hba.conf: `TYPE DATABASE USER [ADDRESS [MASK]] METHOD [OPTIONS]`."""
    words = value.split() if isinstance(value, str) else ["?"]
    if not words or words[0].startswith("#"):
        return True
    methods = [word for word in words[3:] if "=" not in word]
    method = methods[-1] if methods else "?"
    return method == "reject" or (words[0] in ("hostssl", "local", "hostgssenc") and method not in _WEAK_METHODS)


@object_rule(
    "cnpg-pooler-tls",
    "Poolers speak TLS to both sides",
    severity=Severity.HIGH,
    rationale="PgBouncer takes plain connections unless it is told not to, and the pods behind it never see that.",
    remedy="Set `client_tls_sslmode` to require in `pgbouncer.parameters`, and leave `server_tls_sslmode` out.",
    bad={"kind": _POOLER, "spec.pgbouncer.parameters.client_tls_sslmode": "prefer"},
    good={"kind": _POOLER, "spec.pgbouncer.parameters.client_tls_sslmode": "verify-full"},
)
def cnpg_pooler_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`client_tls_sslmode` demands TLS; `server_tls_sslmode`, which the operator sets, is not made weaker."""
    if _of_operator(found, _POOLER):
        given = found.view.at("spec", "pgbouncer", "parameters")
        yield from _mode(given["client_tls_sslmode"])
        yield from if_set(given["server_tls_sslmode"], one_of(_TLS_MODES), "must be verify-full or not set")


def _mode(view: View) -> Iterator[Problem]:
    if view.is_absent:  # no `missing`: the operator fills in the pod of a pooler, but not this
        yield violated(view, "must be require or stricter")
    else:
        yield from if_set(view, one_of(_TLS_MODES), "must be require or stricter")


@object_rule(
    "cnpg-ha",
    "A database survives the loss of a node without losing a row",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    rationale="With one copy, or copies on one node, a lost node is an outage; without synchronous ones, lost rows.",
    remedy="Set `instances: 3`, `postgresql.synchronous`, and `affinity.podAntiAffinityType: required`.",
    bad={"kind": _CLUSTER, "spec.instances": 1},
    good={"kind": _CLUSTER, "spec.instances": 5},
)
def cnpg_ha(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Three instances or more, one of them synchronous, on nodes of their own, with a disruption budget."""
    if not _of_operator(found, _CLUSTER):
        return
    spec = found.view["spec"]
    yield from required(spec["instances"], lambda value: _at_least(value, _LEAST_INSTANCES), "should be 3 or more")
    yield from if_set(spec["enablePDB"], lambda value: value is True, "should be true or not set")
    yield from required(
        spec.at("affinity", "podAntiAffinityType"), lambda value: value == "required", "should be required"
    )
    synchronous, older = spec.at("postgresql", "synchronous", "number"), spec["minSyncReplicas"]
    if synchronous.is_absent and older.is_absent:
        yield missing(synchronous, "should be 1 or more")
    else:
        chosen = older if synchronous.is_absent else synchronous
        yield from if_set(chosen, lambda value: _at_least(value, 1), "should be 1 or more")


def _at_least(value: object, least: int) -> bool:
    return is_number(value) and float(as_text(value)) >= least


@object_rule(
    "cnpg-backed-up",
    "A database has backups outside of its volumes, kept for a stated time",
    severity=Severity.HIGH,
    only_in_prod=True,
    rationale="Copies repeat a wrong DELETE at once; only a backup brings the rows back.",
    remedy="Set `plugins` with barman-cloud and `isWALArchiver`, or `backup` with a store and a `retentionPolicy`.",
    bad={"kind": _CLUSTER, "spec.backup": None},
    good={
        "kind": _CLUSTER,
        "spec.backup": None,
        "spec.plugins": [{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": True}],
    },
)
def cnpg_backed_up(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`backup` names a store and how long it keeps, or a plugin archives the log, too."""
    if not _of_operator(found, _CLUSTER):
        return
    backup, plugins = found.view.at("spec", "backup"), found.view.at("spec", "plugins")
    enabled = [each for each in plugins.items() if each["enabled"].value is not False]
    barman = [each for each in enabled if "barman" in each["name"].text()]
    if barman:
        message = "must be true, or the log is not archived"
        yield from required(barman[0]["isWALArchiver"], lambda value: value is True, message)
        return
    if backup.is_unknown or plugins.is_unknown:
        yield undecided(backup, "should name a store")
    elif backup["barmanObjectStore"].is_absent and backup["volumeSnapshot"].is_absent:
        yield missing(backup, "should name a store")
    elif not backup["barmanObjectStore"].is_absent:
        yield from required(backup["retentionPolicy"], bool, "should say how long backups are kept")


@object_rule(
    "cnpg-data-checksums",
    "A database notices when its disk changes a page",
    severity=Severity.MEDIUM,
    rationale="Without checksums a broken page is served, copied and backed up as if it were good.",
    remedy="Set `bootstrap.initdb.dataChecksums: true`; it cannot be changed later.",
    bad={"kind": _CLUSTER, "spec.bootstrap.initdb.dataChecksums": None},
    good={"kind": _CLUSTER, "spec.bootstrap": {"recovery": {"source": "orders"}}},
)
def cnpg_data_checksums(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`bootstrap.initdb.dataChecksums` is true where a cluster begins empty."""
    if not _of_operator(found, _CLUSTER):
        return
    bootstrap = found.view.at("spec", "bootstrap")
    if bootstrap.is_absent or bootstrap.is_unknown or not bootstrap["initdb"].is_absent:
        yield from required(bootstrap.at("initdb", "dataChecksums"), lambda value: value is True, "must be set to true")


@object_rule(
    "cnpg-audit-log",
    "A database logs who connects",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    rationale="After an incident the log of connections says whose password was used.",
    remedy="Set `log_connections` in `postgresql.parameters`, or pgaudit.",
    bad={"kind": _CLUSTER, "spec.postgresql.parameters": {"log_connections": "off"}},
    good={"kind": _CLUSTER, "spec.postgresql.parameters": {"pgaudit.log": "role, ddl"}},
)
def cnpg_audit_log(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`log_connections` is on, or `pgaudit.log` says what is recorded."""
    if not _of_operator(found, _CLUSTER):
        return
    given = found.view.at("spec", "postgresql", "parameters")
    if given["pgaudit.log"].text() in ("", "none"):
        yield from required(
            given["log_connections"],
            lambda value: as_text(value).lower() not in ("off", "false", "no", "0", ""),
            "should be on",
        )


@object_rule(
    "cnpg-monitoring-tls",
    "Figures of a database are asked for over TLS",
    severity=Severity.MEDIUM,
    rationale="Figures name databases, roles and queries.",
    remedy="Set `monitoring.tls.enabled: true`.",
    bad={"kind": _CLUSTER, "spec.monitoring.tls.enabled": False},
    good={"kind": _CLUSTER, "spec.monitoring.tls.enabled": True},
)
def cnpg_monitoring_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`monitoring.tls.enabled` is true."""
    if _of_operator(found, _CLUSTER):
        switch = found.view.at("spec", "monitoring", "tls", "enabled")
        yield from required(switch, lambda value: value is True, "must be set to true")


@object_rule(
    "cnpg-database-retained",
    "A database outlives its definition",
    severity=Severity.HIGH,
    rationale="With `delete`, removing a few lines of a program drops the database and all its rows.",
    remedy="Remove `databaseReclaimPolicy`, or set it to retain; drop a database by hand, after a backup.",
    bad={"kind": _DATABASE, "spec.databaseReclaimPolicy": "delete"},
    good={"kind": _DATABASE, "spec.databaseReclaimPolicy": "retain"},
)
def cnpg_database_retained(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`databaseReclaimPolicy` is retain or not set."""
    if _of_operator(found, _DATABASE):
        policy = found.view.at("spec", "databaseReclaimPolicy")
        yield from if_set(policy, lambda value: value == "retain", "must be retain or not set")


@object_rule(
    "cnpg-backup-not-suspended",
    "Backups that are scheduled are made",
    severity=Severity.HIGH,
    rationale="A schedule that stands still looks like one that runs until a backup is needed.",
    remedy="Remove `suspend`.",
    bad={"kind": _BACKUP, "spec.suspend": True},
    good={"kind": _BACKUP, "spec.suspend": False},
)
def cnpg_backup_not_suspended(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`suspend` is false or not set."""
    if _of_operator(found, _BACKUP):
        yield from must_not_be_true(found.view.at("spec", "suspend"), "must be false or not set")


@stack_rule(
    "cnpg-backup-scheduled",
    "Every database has a schedule of backups",
    severity=Severity.HIGH,
    only_in_prod=True,
    rationale="A store without a schedule stays empty; the log alone needs a base to begin from.",
    remedy="Make a ScheduledBackup that names the cluster, in its namespace.",
)
def cnpg_backup_scheduled(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """A ScheduledBackup of the same namespace names each Cluster."""
    backups = [found for found in objects if _of_operator(found, _BACKUP)]
    scheduled = {(_namespace(found), found.view.at("spec", "cluster", "name").text()) for found in backups}
    for found in objects:
        name = found.metadata["name"]
        if _of_operator(found, _CLUSTER) and (_namespace(found), name.text()) not in scheduled:
            yield found, missing(name, "should be named by a ScheduledBackup")


def _namespace(found: Object) -> str:
    return found.metadata["namespace"].text()


@resource_rule(
    "pg-role-no-superpowers",
    "Roles of a server have no power over it",
    severity=Severity.HIGH,
    rationale="A service with a superuser's role hands all databases to whoever breaks into it.",
    remedy="Remove superuser, createRole, createDatabase, replication and bypassRowLevelSecurity.",
    right=False,
    bad={"kind": _ROLE, "superuser": True},
    good={"kind": _ROLE, "superuser": False},
)
def pg_role_no_superpowers(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """None of the five powers, and no role that has them."""
    if found.kind == _ROLE:
        yield from _at_most(found.view, _PROVIDER_POWERS, "must be false or not set")
        yield from _harmless(found.view["roles"])


@resource_rule(
    "pg-role-bounded",
    "A role that logs in cannot take all connections, or one for ever",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    rationale="One service that forgets to close connections or transactions stops all others of the server.",
    remedy="Set `connectionLimit`, `statementTimeout` and `idleInTransactionSessionTimeout`.",
    bad={"kind": _ROLE, "connectionLimit": None},
    good={"kind": _ROLE, "connectionLimit": 5},
)
def pg_role_bounded(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The three limits are above 0, for roles with `login`."""
    if found.kind == _ROLE and found.view["login"].value is True:
        for name in ("connectionLimit", "statementTimeout", "idleInTransactionSessionTimeout"):
            yield from required(found.view[name], lambda value: _at_least(value, 1), "should be set, above 0")


@resource_rule(
    "pg-grant-least-privilege",
    "Grants name what is needed and who needs it",
    severity=Severity.HIGH,
    rationale="`public` is everybody who can log in, and who may pass a right on decides for the owner.",
    remedy="List the privileges, name a role, and leave out the options to grant further.",
    bad={"kind": "PostgresqlGrant", "privileges": ["ALL"]},
    good={"kind": "PostgresqlGrant", "role": "public", "privileges": []},
)
def pg_grant_least_privilege(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No ALL, nothing to `public`, no grant or admin option, no role that reaches files, programs or all."""
    if found.kind in _GRANTS:
        privileges = found.view["privileges"]
        for privilege in privileges.items():
            yield from if_set(
                privilege, lambda value: as_text(value).upper() != "ALL", "must be a list of single rights"
            )
        yield from must_not_be_true(found.view["withGrantOption"], "must be false or not set")
        nobody = if_set(found.view["role"], lambda value: value != "public", "must be one role")
        yield from unless(privileges, [], nobody)  # an empty list takes away
    elif found.kind == "PostgresqlGrantRole":
        yield from must_not_be_true(found.view["withAdminOption"], "must be false or not set")
        yield from if_set(
            found.view["grantRole"],
            none_of(_DANGEROUS_ROLES),
            "must not reach files, programs or all",
        )


@resource_rule(
    "pg-extension-allowlist",
    "Only extensions that stay inside their database",
    severity=Severity.HIGH,
    rationale="Others run programs as the server's user, read its files, or connect from it to elsewhere.",
    remedy="Do it in the service; for an extension that is needed, ask for a dated waiver.",
    bad={"kind": "PostgresqlExtension", "name": "plpython3u"},
    good={"kind": "PostgresqlExtension", "name": "pg_trgm"},
)
def pg_extension_allowlist(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The extension is one that adds types, functions or indexes only; so is the language of a function."""
    if found.kind == "PostgresqlExtension":
        yield from if_set(found.view["name"], one_of(_EXTENSIONS), "must be a known harmless extension")
    elif found.kind == "PostgresqlFunction":
        yield from if_set(
            found.view["language"], lambda value: as_text(value).lower() in ("sql", "plpgsql"), "must be sql or plpgsql"
        )


@resource_rule(
    "pg-security-definer-safe",
    "A function with its owner's rights looks names up where its owner says",
    severity=Severity.HIGH,
    rationale="Whoever can make a table in a schema of the caller's path runs code as the owner.",
    remedy="Remove `securityDefiner`, or set the search path in the body: `set_config('search_path', '', true)`.",
    bad={"kind": "PostgresqlFunction", "securityDefiner": True},
    good={
        "kind": "PostgresqlFunction",
        "securityDefiner": True,
        "body": "BEGIN PERFORM set_config('search_path', '', true); END",
    },
)
def pg_security_definer_safe(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`securityDefiner` only with a body that sets `search_path`."""
    if found.kind != "PostgresqlFunction":
        return
    body, switch = found.view["body"], found.view["securityDefiner"]
    if body.is_unknown and not switch.is_absent and switch.value is not False:
        yield undecided(body, "must set search_path")
    elif not re.search(r"\bsearch_path\b", body.text(), re.IGNORECASE):
        yield from must_not_be_true(switch, "must be false, or the body must set search_path")


@resource_rule(
    "pg-no-drop-cascade",
    "Nothing of a database is dropped with all that hangs on it",
    severity=Severity.HIGH,
    rationale="With CASCADE a removed schema or extension takes tables of others along.",
    remedy="Remove `dropCascade`, and drop what hangs on it by name.",
    right=False,
    bad={"kind": "PostgresqlSchema", "dropCascade": True},
    good={"kind": "PostgresqlSchema", "dropCascade": False},
)
def pg_no_drop_cascade(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`dropCascade` is false or not set."""
    if found.kind.startswith("Postgresql"):
        yield from must_not_be_true(found.view["dropCascade"], "must be false or not set")


@resource_rule(
    "pg-provider-tls",
    "The engine speaks to a database server over TLS that is verified, and not as a superuser",
    severity=Severity.CRITICAL,
    rationale="It sends passwords of all roles; without verification anybody on the way can read them.",
    remedy="Set `sslmode: verify-full` with `sslrootcert`, and `superuser: false`.",
    bad={"kind": _PROVIDER, "sslmode": "require"},
    good={"kind": _PROVIDER, "sslmode": None, "sslMode": "verify-full"},
)
def pg_provider_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`sslmode` (or `sslMode`, its older name) is verify-full, and `superuser` is false; it is true by default."""
    if found.kind != _PROVIDER:
        return
    older = found.view["sslMode"]
    mode = older if found.view["sslmode"].is_absent and not older.is_absent else found.view["sslmode"]
    yield from required(mode, lambda value: value == "verify-full", "must be verify-full")
    yield from required(found.view["superuser"], lambda value: value in (False, "false"), "must be set to false")


@resource_rule(
    "pg-conninfo-tls",
    "Database servers speak to each other over TLS that is verified",
    severity=Severity.HIGH,
    rationale="A subscription copies all rows, and sends a password to get them.",
    remedy="Write `sslmode=verify-full` into `conninfo`, or into the server's `options`.",
    bad={"kind": "PostgresqlSubscription", "conninfo": "host=db.example.test sslmode=require"},
    good={"kind": "PostgresqlSubscription", "conninfo": "host=db.example.test sslmode=verify-full"},
)
def pg_conninfo_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Connections of subscriptions and foreign servers have `sslmode=verify-full`."""
    if found.kind == "PostgresqlSubscription":
        yield from required(
            found.view["conninfo"],
            lambda value: bool(re.search(r"\bsslmode\s*=\s*'?verify-full\b", as_text(value))),
            "must have sslmode=verify-full",
        )
    elif found.kind == "PostgresqlServer" and found.view["fdwName"].text() in ("postgres_fdw", "dblink_fdw"):
        yield from required(
            found.view.at("options", "sslmode"), lambda value: value == "verify-full", "must be verify-full"
        )
