"""The SQL that a new database starts with: roles, grants, and the migrations, in one transaction.

The operator knows no grants. It runs this text once, as superuser, when it makes the database; whatever fails undoes
all of it, so a database is never half made. `schema_migrations` records what ran, with checksums, for later runners.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.(up|down)\.sql$")


def read_migrations(directory: Path) -> dict[str, str]:
    """The up and down files of a directory, name -> text; `.verify.sql` and anything else is left out.

    Raises:
        FileNotFoundError: no such directory.
    """
    if not directory.is_dir():
        raise FileNotFoundError(f"migrations directory {directory} does not exist")
    files = sorted(path for path in directory.iterdir() if _FILE.match(path.name))
    return {path.name: path.read_text() for path in files}


def migration_problems(migrations: Mapping[str, str]) -> list[str]:
    """Names that do not fit, numbers that are missing or used twice, an up file without its down file."""
    found = [
        f"migration {name!r} must be named NNNN_name.up.sql or .down.sql"
        for name in migrations
        if not _FILE.match(name)
    ]
    matches = [match for match in map(_FILE.match, migrations) if match]
    ups = sorted(match for match in (m.group(1) for m in matches if m.group(3) == "up"))
    wanted = [f"{number:04d}" for number in range(1, len(ups) + 1)]
    if ups != wanted:
        found.append(
            f"migration numbers are {', '.join(ups)}; they must be {', '.join(wanted)} without gap or repetition"
        )
    stems = {(match.group(1), match.group(2)) for match in matches if match.group(3) == "up"}
    downs = {(match.group(1), match.group(2)) for match in matches if match.group(3) == "down"}
    found += [f"migration {number}_{name} has no down file" for number, name in sorted(stems - downs)]
    found += [f"migration {number}_{name}.down.sql has no up file" for number, name in sorted(downs - stems)]
    return found


def bootstrap_sql(
    database: str, owner: str, app_role: str, migrations: Mapping[str, str], extensions: Sequence[str] = ()
) -> str:
    """The whole text. Names are plain identifiers (checked by the component), so they need no quoting; those of
    extensions are from a list."""
    ups = sorted(name for name in migrations if name.endswith(".up.sql"))
    made = [f'CREATE EXTENSION IF NOT EXISTS "{extension}";' for extension in extensions]
    parts = [_roles(database, app_role), *made, f"SET ROLE {owner};", _tracking(app_role), _grants(app_role)]
    for name in ups:
        down = migrations.get(name.replace(".up.sql", ".down.sql"), "")
        parts += [f"-- {name}", migrations[name].strip(), _record(name, migrations[name], down)]
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
    return f"""CREATE TABLE schema_migrations (
  version integer PRIMARY KEY,
  name text NOT NULL UNIQUE,
  sha256_up text NOT NULL,
  sha256_down text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  applied_by text NOT NULL DEFAULT current_user,
  duration_ms integer NOT NULL
);
GRANT SELECT ON schema_migrations TO {app_role};"""


def _grants(app_role: str) -> str:
    # SET ROLE is in force: the defaults are those of the owner, whose objects all migrations make
    return f"""ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app_role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app_role};"""


def _record(name: str, up: str, down: str) -> str:
    version, title = int(name[:4]), name.removesuffix(".up.sql")
    sums = [hashlib.sha256(text.encode()).hexdigest() for text in (up, down)]
    return (
        "INSERT INTO schema_migrations (version, name, sha256_up, sha256_down, duration_ms)\n"
        f"VALUES ({version}, '{title}', '{sums[0]}', '{sums[1]}', 0);"
    )
