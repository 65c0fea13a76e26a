"""The SQL that a new database starts with: roles, grants, and the migrations, in one transaction.

The operator knows no grants. It runs this text once, as superuser, when it makes the database; whatever fails undoes
all of it, so a database is never half made. `schema_migrations` records what ran, with checksums, for later runners.
"""

from collections.abc import Mapping, Sequence

from omnibase_infra.migrations import Migration, migrations, problems, tracking_sql

_TABLE = "schema_migrations"


def bootstrap_problems(files: Mapping[str, str]) -> list[str]:
    """Why a set cannot run as the database is made; see `migrations.problems` for what no set may be."""
    return problems(files) or [
        f"{each.up.file} is marked concurrently, but the files of a new database run in one transaction; an empty "
        "table needs no CONCURRENTLY"
        for each in migrations(files)
        if each.up.change is not None
    ]


def bootstrap_sql(
    database: str, owner: str, app_role: str, files: Mapping[str, str], extensions: Sequence[str] = ()
) -> str:
    """The whole text. Names are plain identifiers (checked by the component), so they need no quoting; those of
    extensions are from a list."""
    made = [f'CREATE EXTENSION IF NOT EXISTS "{extension}";' for extension in extensions]
    parts = [_roles(database, app_role), *made, f"SET ROLE {owner};", _tracking(app_role), _grants(app_role)]
    for each in migrations(files):
        # a file may leave its last semicolon out, and may end in a comment
        parts += [f"-- {each.up.file}", f"{each.up.text.strip()}\n;", _record(each)]
    return "\n\n".join([*parts, "RESET ROLE;"]) + "\n"


def _roles(database: str, app_role: str) -> str:
    # names were checked to be plain identifiers, which is what makes this safe
    return f"""-- The application role is given its password by the operator (managed.roles) afterwards.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{app_role}') THEN
    CREATE ROLE {app_role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
  END IF;
END $$;
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {app_role};
-- The operator's metrics exporter is a member; without this there is no replication lag to see.
GRANT CONNECT ON DATABASE {database} TO pg_monitor;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {app_role};"""  # noqa: S608


def _tracking(app_role: str) -> str:
    return f"{tracking_sql(_TABLE)}\nGRANT SELECT ON {_TABLE} TO {app_role};"


def _grants(app_role: str) -> str:
    # SET ROLE is in force: the defaults are those of the owner, whose objects all migrations make
    return f"""ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app_role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app_role};"""


def _record(it: Migration) -> str:
    down = it.down.sha256 if it.down else ""
    return (
        f"INSERT INTO {_TABLE} (version, name, sha256_up, sha256_down, duration_ms)\n"
        f"VALUES ({it.version}, '{it.name}', '{it.up.sha256}', '{down}', 0);"
    )
