"""What may be asked of a database on an external server."""

from typing import NotRequired, TypedDict, get_args

import pulumi

from omnibase_infra.config.databases import Extension
from omnibase_infra.network import Party
from omnibase_infra.postgres.args import PostgresMigrationsArgs

EXTENSIONS = (*get_args(Extension), "vector")
"""Extensions that may be asked for: those that the platform's services use. Others come with a change of this list."""
SSL_MODES = ("verify-full", "verify-ca", "require", "disable")


class ManagedDatabaseArgs(TypedDict):
    """One database with its roles. No two databases share a role, and each role may enter its own only."""

    owner: str
    """Role that owns database and schema; cannot log in."""
    app_role: str
    """Role that applications log in as; reads and writes rows."""
    read_only_role: NotRequired[str]
    """Role that reads rows only; default none."""
    migrator_role: NotRequired[str]
    """Role that migrations log in as; default none, or `<database>_migrator` with `migrations`. It can do nothing but
    become the owner, with SET ROLE."""
    extensions: NotRequired[list[str]]
    """From btree_gin, pg_stat_statements, pg_trgm, pgcrypto, uuid-ossp and vector."""
    migrations: NotRequired[PostgresMigrationsArgs]
    """Its schema, default none. A Job in `namespace` runs it as the owner, before the component counts as made."""


class ManagedPostgresArgs(TypedDict):
    """Plain values decide what exists; the server's address and certificate may come from other resources."""

    environment: str
    """dev, test, staging or prod; a label."""
    host: pulumi.Input[str]
    """Name of the server under which clients reach it, and which its certificate holds."""
    databases: dict[str, ManagedDatabaseArgs]
    """Name -> database; at least one. They come and go, see `protect`."""
    first_database: NotRequired[str]
    """The one whose names are the outputs `database` and `user`, default the only one. Another one is other resources:
    it cannot change."""
    monitor_role: NotRequired[str]
    """Role that an exporter of metrics logs in as, default none: reads statistics of all databases, and no rows."""
    ca: NotRequired[pulumi.Input[str]]
    """Certificates (PEM) that the server's must be signed by. Required unless sslmode is require or disable."""
    ro_host: NotRequired[pulumi.Input[str]]
    """Name of a read-only replica, default `host`."""
    port: NotRequired[int]
    """Port of both, default 5432. Not one of a transaction pooler: roles, migrations and locks need a session."""
    sslmode: NotRequired[str]
    """verify-full (default), verify-ca, require or disable. Anything but verify-full is for development only, and
    disable for a server on this machine's loopback only."""
    schema: NotRequired[str]
    """Schema of the applications' tables in each database, default public; another one is made, owned by the owner, and
    becomes the search path of the roles."""
    connection_limit: NotRequired[int]
    """Connections of each role that reads or writes rows at a time, default 100; -1 is no limit."""
    administrator: NotRequired[str]
    """The role that the provider logs in as, where it is no superuser (RDS, Supabase). It becomes a member of the
    owners: without that it may not make extensions."""
    password_generation: NotRequired[int]
    """Default 1; raise by one for new passwords of all roles that log in."""
    namespace: NotRequired[str]
    """Kubernetes namespace of the application: passwords and `ca` become Secrets there."""
    clients: NotRequired[list[Party]]
    """Pods that may open connections to the server; needs `server_cidrs`."""
    server_cidrs: NotRequired[list[str]]
    """Networks of the server's addresses, as pods reach them."""
    migrator_image: NotRequired[pulumi.Input[str]]
    """The migration runner, reference with digest. Required if any database has migrations, as are `namespace`,
    `server_cidrs`, the schema public and sslmode verify-full."""
    protect: NotRequired[bool]
    """Refuse to delete databases and roles; keep them if deletion is forced. Default False."""
