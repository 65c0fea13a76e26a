"""An external PostgreSQL: Debian's server on a loopback address with TLS, as a managed service would offer it.

Its programs are the unpacked packages of images/postgres, so nothing is installed on the machine. It runs in a change
root and a mount namespace of its own, as uid 26, and ends with the test.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from omnibase_infra.postgres import statements

from local.images.catalogue import IMAGES
from local.images.debian import debian_steps
from local.paths import Paths
from local.progress import Progress
from local.steps import run_steps
from tests.cluster.node_kit import free_port, wait_for
from tests.cluster.tls_kit import Authority, make_authority, make_certificate
from tests.stacks.support.samples import postgres

_ROOT = Path(__file__).resolve().parents[2]
_UID = 26
_PROGRAMS = "/usr/lib/postgresql/17/bin"
_HBA = """local all all peer
hostssl all all {network} scram-sha-256
hostnossl all all all reject
host all all all reject
"""
HOST = "localhost"
"""The name in the server's certificate."""
ADMIN = "rds_admin"
"""May make roles and databases, and is no superuser: what managed services give."""
SUPERUSER = "root_admin"
ADMIN_PASSWORD = "a-password-of-this-test"


@dataclass
class DebianPostgres:
    """One server with its data below a directory."""

    directory: Path
    port: int
    host: str = HOST
    """Name or address in its certificate."""
    address: str = "127.0.0.1"
    """Where it listens."""
    network: str = "127.0.0.1/32"
    """Who may connect."""
    settings: dict[str, str] = field(default_factory=dict)
    """Further settings of postgresql.conf."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def root(self) -> Path:
        """Its file system."""
        return self.directory / "root"

    @property
    def ca(self) -> str:
        """Certificate of the authority that signed the server's."""
        return (self.directory / "tls" / "ca.crt").read_text()

    @property
    def psql(self) -> list[str]:
        """Command of a psql beside the server, as a superuser: what `kubectl exec` starts in a pod."""
        inside = [f"{_PROGRAMS}/psql", "-h", "/run", "-p", str(self.port), "-U", "postgres"]
        return ["chroot", f"--userspec={_UID}:{_UID}", str(self.root), *inside]

    @property
    def log(self) -> str:
        """What it said."""
        return (self.directory / "server.log").read_text()

    def create(self, debs: Path) -> None:
        """Unpack the packages and make an empty cluster with two administrators."""
        subprocess.run(["sh", _ROOT / "images" / "shared" / "assemble.sh", debs, self.root], check=True)
        for name in ("passwd", "group"):
            shutil.copy(_ROOT / "images" / "postgres" / name, self.root / "etc" / name)
        for name in ("dev", "proc", "data", "tls"):
            (self.root / name).mkdir(exist_ok=True)
        (self.directory / "tls").mkdir()
        self.give_certificate(make_authority("external database"))
        for path in (self.root / "data", self.root / "run", self.root / "tls", *(self.root / "tls").iterdir()):
            os.chown(path, _UID, _UID)
        done = self._inside(f"{_PROGRAMS}/initdb", "-D", "/data", "-U", "postgres", "-A", "peer", "--locale=C.UTF-8")
        text = done.communicate(timeout=120)[0].decode()
        assert done.returncode == 0, text
        (self.root / "data" / "pg_hba.conf").write_text(_HBA.format(network=self.network))
        self.start()
        for statement in (
            f"CREATE ROLE {ADMIN} LOGIN CREATEROLE CREATEDB PASSWORD '{ADMIN_PASSWORD}'",
            f"CREATE ROLE {SUPERUSER} LOGIN SUPERUSER PASSWORD '{ADMIN_PASSWORD}'",
            # managed services let their administrator hand this on
            f"GRANT pg_monitor TO {ADMIN} WITH ADMIN OPTION",
        ):
            self._psql(statement)

    def give_certificate(self, authority: Authority, *, valid_for: timedelta = timedelta(hours=1)) -> None:
        """Another certificate, which it takes when it starts; see `make_certificate`."""
        tls = self.directory / "tls"
        make_certificate(authority, self.host, tls, valid_for=valid_for)
        for name in ("tls.crt", "tls.key"):
            copy = self.root / "tls" / name
            copy.write_bytes((tls / name).read_bytes())
            copy.chmod(0o600)

    def start(self, *, tls: bool = True) -> None:
        """Start it and wait until it answers."""
        settings = {
            "listen_addresses": self.address,
            "port": str(self.port),
            "unix_socket_directories": "/run",
            "ssl": "on" if tls else "off",
            "ssl_cert_file": "/tls/tls.crt",
            "ssl_key_file": "/tls/tls.key",
            "password_encryption": "scram-sha-256",
            "log_statement": "all",
            "fsync": "off",
            "shared_buffers": "16MB",
            **self.settings,
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with (self.directory / "server.log").open("ab") as log:
            self.process = self._inside(f"{_PROGRAMS}/postgres", "-D", "/data", *options, stdout=log)
        wait_for(lambda: self._ended() or self._answers(), 30, lambda: f"PostgreSQL takes connections: {self.log}")
        assert not self._ended(), self.log

    def stop(self) -> None:
        """Stop it; clients are cut off."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # a "fast" shutdown
            self.process.wait(timeout=120)
            self.process = None

    def connect(self, user: str, password: str, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as a client makes it: the certificate and its name are verified."""
        return psycopg.connect(
            host=self.host, port=self.port, user=user, password=password, dbname=database, sslmode="verify-full",
            sslrootcert=str(self.directory / "tls" / "ca.crt"), connect_timeout=30, autocommit=True,
        )  # fmt: skip

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as superuser: somebody who works by hand."""
        with self.connect(SUPERUSER, ADMIN_PASSWORD, database) as connection:
            cursor = connection.execute(statement)  # tests' own texts
            return cursor.fetchall() if cursor.description else []

    def start_program(self, *command: str) -> subprocess.Popen[bytes]:
        """Another program of its file system, as the server's user."""
        return self._inside(*command)

    def _psql(self, statement: str) -> None:
        done = self._inside(f"{_PROGRAMS}/psql", "-h", "/run", "-p", str(self.port), "-U", "postgres", "-c", statement)
        text = done.communicate(timeout=120)[0].decode()
        assert done.returncode == 0, text

    def _inside(self, *command: str, stdout: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:  # noqa: ANN401  # a file
        """A program of the server's file system. The shell becomes the program, so that signals reach it."""
        script = (
            'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && cd / '
            f'&& exec chroot --userspec={_UID}:{_UID} "$0" "$@"'
        )
        return subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, self.root, *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            env={"PATH": f"{_PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _answers(self) -> bool:
        """Whether it takes connections; its port is open before that, while it still recovers."""
        done = self._inside(f"{_PROGRAMS}/pg_isready", "-q", "-h", self.address, "-p", str(self.port))
        done.communicate(timeout=120)
        return done.returncode == 0


@pytest.fixture(scope="session")
def external_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianPostgres]:
    """A running server for all tests of a run; tests that stop it start it again."""
    settings = {
        **statements.parameters(postgres(prepared_transactions=10)),
        "shared_preload_libraries": "pg_stat_statements,auto_explain",  # in a cluster the operator adds them
    }
    server = new_server(tmp_path_factory.mktemp("postgres"), settings=settings)
    yield server
    server.stop()


def new_server(
    directory: Path,
    *,
    host: str = HOST,
    address: str = "127.0.0.1",
    network: str = "127.0.0.1/32",
    settings: dict[str, str] | None = None,
) -> DebianPostgres:
    """A running server below a directory, on a free port; for the rest see DebianPostgres."""
    paths = Paths.from_environment()
    image = next(image for image in IMAGES if image.name == "postgres")
    if not image.debs(paths).is_dir():
        wanted = f"debian packages of {image.name}"
        steps = [replace(step, after=()) for step in debian_steps(paths) if step.name == wanted]
        run_steps(steps, paths, Progress(), retry="make test-cluster")
    server = DebianPostgres(
        directory=directory, port=free_port(address), host=host, address=address, network=network,
        settings=settings or {},
    )  # fmt: skip
    try:
        server.create(image.debs(paths))
    except BaseException:
        server.stop()
        raise
    return server
