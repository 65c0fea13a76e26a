"""A PostgreSQL server of the drill's own, which recovers a base backup and then is thrown away."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

_PAUSE = 0.5
_STOP_SECONDS = 30


class RecoveryError(RuntimeError):
    """The server did not come up out of the backup."""


def configuration(home: Path, restore_command: str, lsn: str) -> str:
    """postgresql.conf. Of the backup's own settings none is used: they name files of the pod that it came from.

    It is not hot_standby, as that would demand the primary's sizes; it loses nothing by fsync, as it is thrown away.
    """
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home),
        "hba_file": str(home / "hba.conf"),
        "ident_file": str(home / "ident.conf"),
        "shared_buffers": "64MB",
        "max_connections": "40",
        "hot_standby": "off",
        "archive_mode": "off",
        "fsync": "off",
        "full_page_writes": "off",
        "autovacuum": "off",
        "jit": "off",
        "dynamic_shared_memory_type": "mmap",  # a container's /dev/shm is small
        "max_parallel_workers": "0",
        "restore_command": restore_command,
        "recovery_target_lsn": lsn,
        "recovery_target_inclusive": "off",
        "recovery_target_action": "promote",
        "recovery_target_timeline": "latest",
    }
    return "".join(f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in settings.items())


@contextmanager
def recovered(
    *, binaries: Path, data: Path, home: Path, restore_command: str, lsn: str, environment: dict[str, str],
    seconds: float,
) -> Iterator[str]:  # fmt: skip
    """Recover up to a position of the log; the server stays as long as the context.

    Yields:
        Directory of its socket; user `postgres` comes in without a password.

    Raises:
        RecoveryError: it ended, or took longer; says what it wrote last.
    """
    prepare(data, home, configuration(home, restore_command, lsn))
    log = home / "log"
    command = [str(binaries / "postgres"), "-D", str(data), "-c", f"config_file={home / 'postgresql.conf'}"]
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            _wait(process, home, log, seconds)
            yield str(home)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def prepare(data: Path, home: Path, settings: str) -> None:
    """Make a restored directory one that this server can start from."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "postgresql.conf").write_text(settings)
    (home / "hba.conf").write_text("local all all trust\n")
    (home / "ident.conf").write_text("")
    (data / "postgresql.auto.conf").write_text("")
    log = data / "pg_wal"
    if log.is_symlink():  # the log had a volume of its own
        log.unlink()
    log.mkdir(mode=0o700, exist_ok=True)
    for left in ("postmaster.pid", "standby.signal"):
        (data / left).unlink(missing_ok=True)
    (data / "recovery.signal").touch()
    data.chmod(0o700)


def _wait(process: subprocess.Popen[bytes], home: Path, log: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None:
        with suppress(psycopg.OperationalError), connect(str(home), "postgres") as connection:
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
            if row and not row[0]:
                return
        if time.monotonic() > end:
            raise RecoveryError(f"recovery took longer than {seconds:.0f} s; it said last: {last_words(log)}")
        time.sleep(_PAUSE)
    raise RecoveryError(f"PostgreSQL ended with {process.returncode}: {last_words(log)}")


def last_words(log: Path) -> str:
    """What the server complained of last, or the end of what it wrote."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    complaints = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return " | ".join((complaints or lines)[-2:]) or "nothing"


def connect(socket: str, database: str) -> psycopg.Connection[Any]:
    """A connection of the superuser, in autocommit."""
    return psycopg.connect(host=socket, user="postgres", dbname=database, autocommit=True, connect_timeout=5)


def remove(*directories: Path) -> None:
    """Throw away what a drill left."""
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
