"""Migration sets. What is exported here knows no database; `runner` and the command line do, and need psycopg."""

from omnibase_infra.migrations.errors import MigrationError
from omnibase_infra.migrations.files import Migration, migrations, problems, read_files
from omnibase_infra.migrations.tracking import tracking_sql

__all__ = ["Migration", "MigrationError", "migrations", "problems", "read_files", "tracking_sql"]
