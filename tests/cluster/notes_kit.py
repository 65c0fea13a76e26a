"""A database of the reference service on Debian's PostgreSQL, with all migrations and the rights of an environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.postgres_kit import DebianPostgres

_ROOT = Path(__file__).resolve().parents[2]
_PASSWORD = "a-password-of-the-app"


@contextmanager
def notes_database(server: DebianPostgres, name: str, directory: Path) -> Iterator[dict[str, Any]]:
    """Settings of a service that uses it. Owner and application are called after it."""
    owner, app, password = f"{name}_owner", f"{name}_app", directory / "password"
    password.write_text(_PASSWORD)
    server.sql(f"CREATE ROLE {owner}; CREATE ROLE {app} LOGIN PASSWORD '{_PASSWORD}'")
    server.sql(f"CREATE DATABASE {name} OWNER {owner}")
    grant = f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}"
    files = sorted((_ROOT / "migrations" / "reference").glob("*.up.sql"))
    server.sql(";".join([f"SET ROLE {owner}", grant, *(file.read_text() for file in files)]), name)
    yield {
        "database_rw_host": server.host, "database_ro_host": server.host, "database_port": server.port,
        "database_name": name, "database_user": app, "database_password_file": str(password),
        "database_ca_file": str(server.directory / "tls" / "ca.crt"), "database_deadline_seconds": 10,
    }  # fmt: skip
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.sql(f"DROP ROLE {app}; DROP ROLE {owner}")
