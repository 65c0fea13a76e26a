"""Databases with a migration set each on the Debian PostgreSQL of `postgres_kit`, and the runner as a program."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnibase_infra.migrations.plan import Plan, read_plan

from tests.cluster.node_kit import free_port, wait_for
from tests.cluster.postgres_kit import HOST, DebianPostgres

PASSWORD = "a-password-of-the-migrator"
LIMITS = {"runner_lock": 30, "table_lock": 2, "statement": 60, "concurrent": 60}


@dataclass
class World:
    """A plan below a directory, and the databases that it is for."""

    server: DebianPostgres
    directory: Path
    databases: dict[str, dict[str, Any]] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=lambda: dict(LIMITS))

    def database(self, name: str, files: Mapping[str, str] | None = None, **settings: object) -> None:
        """An empty database with its owner, who cannot log in, a migrator, who may only become the owner, and files."""
        for statement in (
            f"CREATE ROLE {name}_owner NOLOGIN",
            f"CREATE ROLE {name}_migrator LOGIN PASSWORD '{PASSWORD}'",
            f"GRANT {name}_owner TO {name}_migrator WITH INHERIT FALSE, SET TRUE",
            f"CREATE DATABASE {name} OWNER {name}_owner",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {name} TO {name}_migrator",
        ):
            self.server.sql(statement)
        password = self.directory / "password"
        password.write_text(f"{PASSWORD}\n")
        connection = {
            "host": HOST, "port": self.server.port, "database": name, "user": f"{name}_migrator",
            "password_file": str(password), "ca_file": str(self.server.directory / "tls" / "ca.crt"),
        }  # fmt: skip
        self.databases[name] = {"connection": connection, "directory": name, "owner": f"{name}_owner", **settings}
        self.write(name, files or {})

    def remove(self) -> None:
        """Take databases and roles away."""
        for name in self.databases:
            self.server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            self.server.sql(f"DROP ROLE {name}_migrator; DROP ROLE {name}_owner")

    def write(self, name: str, files: Mapping[str, str | None]) -> None:
        """Put files into the set of a database; None takes one away."""
        place = self.directory / name
        place.mkdir(exist_ok=True)
        for file, text in files.items():
            if text is None:
                (place / file).unlink()
            else:
                (place / file).write_text(text)

    def plan(self) -> Plan:
        """The plan, for tests that call the runner themselves."""
        return read_plan(self._written())

    def _written(self) -> Path:
        path = self.directory / "plan.json"
        path.write_text(json.dumps({"databases": self.databases, "limits": self.limits}))
        return path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin `python -m omnibase_infra.migrations PLAN words...`."""
        command = [sys.executable, "-m", "omnibase_infra.migrations", str(self._written()), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words: str, code: int = 0) -> str:
        """The same until its end; what it said on both ways."""
        done = self.start(*words)
        out, said = done.communicate(timeout=300)
        assert done.returncode == code, f"{done.returncode} instead of {code}: {out}{said}"
        return out + said

    def status(self, name: str, *, code: int = 0, command: str = "status") -> dict[str, Any]:
        """What `status --json` says of a database."""
        done = self.start(command, "--json", "--database", name)
        out, said = done.communicate(timeout=300)
        assert done.returncode == code, out + said
        (found,) = json.loads(out)["databases"]
        assert isinstance(found, dict)
        return found

    def sql(self, name: str, statement: str) -> list[tuple[Any, ...]]:
        """A statement as superuser."""
        return self.server.sql(statement, name)

    def schema(self, name: str) -> list[list[tuple[Any, ...]]]:
        """Columns, indexes and the record without its times."""
        return [
            self.sql(name, "SELECT table_name, column_name, data_type FROM information_schema.columns "
                           "WHERE table_schema = 'public' ORDER BY 1, 2"),
            self.sql(name, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
            self.sql(name, "SELECT version, name, sha256_up, sha256_down, state FROM schema_migrations ORDER BY 1"),
        ]  # fmt: skip

    def tables(self, name: str) -> list[str]:
        """Tables and indexes of the owner but those of the record."""
        found = self.sql(name, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
        return [str(row[0]) for row in found if not str(row[0]).startswith("schema_migrations")]


@contextmanager
def pooler(world: World, name: str) -> Iterator[int]:
    """A pooler by transactions in front of a database, without passwords; its port."""
    port, root = free_port(), world.server.root
    settings = {
        "listen_addr": "127.0.0.1", "listen_port": port, "pool_mode": "transaction", "auth_type": "trust",
        "auth_file": "/data/pooler.txt", "server_tls_sslmode": "require", "ignore_startup_parameters": "options",
        "unix_socket_dir": "",
    }  # fmt: skip
    lines = ["[databases]", f"{name} = host=127.0.0.1 port={world.server.port}", "[pgbouncer]"]
    lines += [f"{key} = {value}" for key, value in settings.items()]
    (root / "data" / "pooler.ini").write_text("\n".join(lines))
    (root / "data" / "pooler.txt").write_text(f'"{name}_migrator" "{PASSWORD}"\n')
    started = world.server.start_program("/usr/sbin/pgbouncer", "/data/pooler.ini")
    try:
        wait_for(lambda: started.poll() is not None or _listens(port), 30, "the pooler listens")
        yield port
    finally:
        started.terminate()
        started.communicate(timeout=60)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def table(number: int, name: str, up: str = "") -> dict[str, str]:
    """A migration that makes a table, and its way back."""
    return {
        f"{number:04d}_{name}.up.sql": f"CREATE TABLE {name} (id int, word text);\n{up}",
        f"{number:04d}_{name}.down.sql": f"DROP TABLE {name};\n",
        f"{number:04d}_{name}.verify.sql": f"SELECT id, word FROM {name} WHERE false;\n",  # noqa: S608  # a test's own
    }


def index(number: int, name: str, on: str) -> dict[str, str]:
    """A migration that builds an index beside running writers, and its way back."""
    return {
        f"{number:04d}_{name}.up.sql": f"-- migrate: concurrently\nCREATE UNIQUE INDEX CONCURRENTLY {name} ON {on};\n",
        f"{number:04d}_{name}.down.sql": f"-- migrate: concurrently\nDROP INDEX CONCURRENTLY {name};\n",
    }
