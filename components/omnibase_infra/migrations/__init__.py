"""Migration sets. What is exported here knows no database; `runner` and the command line do, and need psycopg."""

from omnibase_infra.migrations.errors import BAD_INPUT, FAILED, MigrationError, refuse
from omnibase_infra.migrations.files import Migration, migrations, problems, read_files, set_problems
from omnibase_infra.migrations.plan import Plan

__all__ = [
    "BAD_INPUT",
    "FAILED",
    "Migration",
    "MigrationError",
    "Plan",
    "migrations",
    "problems",
    "read_files",
    "refuse",
    "set_problems",
]
