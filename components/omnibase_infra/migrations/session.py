"""One connection to one database: opened, locked, and with errors that say what to do."""

from __future__ import annotations

import os
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from omnibase_infra.migrations.certificate import certificate_problem
from omnibase_infra.migrations.errors import AGAIN, FAILED, MigrationError, NotReadyError
from omnibase_infra.migrations.files import Script
from omnibase_infra.migrations.history import Record
from omnibase_infra.migrations.plan import Database, Limits
from omnibase_infra.migrations.rights import MISSING_ROLES
from omnibase_infra.migrations.sql import line_of

_LOCK_CLASS = 0x6D696772  # "migr"
_LOCK_PAUSE_SECONDS = 0.2
_REACH_PAUSE_SECONDS = 1.0
_LOST_CHECK = "2s"
_ADVICE: tuple[tuple[type[psycopg.Error], str], ...] = (
    (psycopg.errors.ActiveSqlTransaction, "each file is one transaction, so it is not for a migration"),
    (psycopg.errors.LockNotAvailable, "somebody holds a lock on it: look into pg_stat_activity, then run it again"),
    (psycopg.errors.QueryCanceled, "limits.statement is too short, or the change needs a step that is less at once"),
    (psycopg.errors.InsufficientPrivilege, "everything runs as the owner of the database"),
)
_HOLDERS = """SELECT a.pid, a.usename, a.application_name, a.backend_start::timestamptz(0)::text FROM pg_locks l
  JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
  AND l.classid = %s AND l.objid = %s AND a.datname = current_database()
  AND a.pid <> pg_backend_pid()"""
_TRACKING = """CREATE TABLE IF NOT EXISTS {} (
  version integer PRIMARY KEY,
  name text NOT NULL UNIQUE,
  sha256_up text NOT NULL,
  sha256_down text NOT NULL,
  state text NOT NULL DEFAULT 'applied' CHECK (state IN ('applied', 'applying', 'reverting')),
  applied_at timestamptz NOT NULL DEFAULT now(),
  applied_by text NOT NULL DEFAULT session_user,
  duration_ms integer NOT NULL
)"""
"""The table that records what ran."""
_INSERT = """INSERT INTO {} (version, name, sha256_up, sha256_down, state, duration_ms)
  VALUES (%s, %s, %s, %s, %s, %s)"""
_ADD_STATE = """ALTER TABLE {} ADD COLUMN state text NOT NULL DEFAULT 'applied'
  CHECK (state IN ('applied', 'applying', 'reverting'))"""
_READ_ONLY = """DO $do$ DECLARE grantee text; BEGIN
  FOR grantee IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = '{}'::regclass AND a.grantee <> c.relowner
  LOOP EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {} FROM %s', grantee); END LOOP;
END $do$"""
_ROWS = """SELECT version, name, sha256_up, sha256_down, coalesce(to_jsonb(t) ->> 'state', 'applied'), applied_at,
  applied_by FROM {} t ORDER BY version"""
_INDEX = "SELECT indexrelid, indisvalid AND indisready FROM pg_index WHERE indexrelid = to_regclass(%s)"
_BROKEN_INDEXES = """SELECT indexrelid, indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid
  WHERE NOT indisvalid AND pg_get_userbyid(c.relowner) = current_user ORDER BY 2"""
_BUILDING = """SELECT indexrelid, p.pid FROM pg_stat_progress_create_index p
  JOIN pg_locks l ON l.pid = p.pid AND l.database = p.datid AND l.locktype = 'relation' AND l.granted
    AND l.mode = 'ShareUpdateExclusiveLock'
  JOIN pg_index i ON i.indrelid = l.relation AND NOT i.indisvalid
  WHERE p.datname = current_database()"""
"""By the lock on its table, which everybody sees: which index it is stays hidden where another login builds it."""
_CONCURRENT_ADVICE = (
    "an older transaction, or a backup, holds it up: see pg_stat_activity; or limits.concurrent is too short"
)
_EXTENSION_ADVICE = "only a superuser makes it: have it named in the `extensions` of the database, which come first"
_CONNECT_ADVICE = (
    ("root certificate file", "name connection.ca_file, the authority that signs the server's certificate"),
    ("no encryption", "it takes nobody without TLS: connection.sslmode verify-full"),
    ("pg_hba.conf", "no line of its pg_hba lets {user} into {database} from here; migrations come from their Job"),
    ("password authentication failed", "the role's password is another one; connection.password_file is read anew"),
    ("does not exist", "make it first: a migration cannot"),
    ("permission denied for database", "as its owner or a superuser: GRANT CONNECT ON DATABASE {database} TO {user}"),
    ("certificate", "connection.ca_file and host must be those of the server's certificate"),
    ("no password supplied", "name connection.password_file"),
)


def opened(name: str, settings: Database, limits: Limits) -> Session:
    """A session, tried again for as long as the limits say where the server is not ready for it.

    Raises:
        MigrationError: it cannot be, or was not in time.
    """
    deadline = time.monotonic() + limits.reach
    while True:
        try:
            return Session(name, settings, limits)
        except NotReadyError as error:
            if time.monotonic() > deadline:
                waited = f"; tried for {limits.reach:g} s" if limits.reach else ""
                raise MigrationError(*(f"{problem}{waited}" for problem in error.problems)) from error
        time.sleep(_REACH_PAUSE_SECONDS)


class Session:
    """A connection on which everything runs as the owner; outside of `transaction` each statement is one of its own."""

    def __init__(self, name: str, settings: Database, limits: Limits) -> None:
        self.name, self._settings, self._limits = name, settings, limits
        self._connection = self._connect()
        try:
            self._refuse_pooler()
            self._refuse_other_letters()
            self._become_owner()
            self._refuse_missing_roles()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give lock and connection back."""
        self._connection.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        place, limits = self._settings.connection, self._limits
        options = {
            "search_path": "public",
            "standard_conforming_strings": "on",
            "client_connection_check_interval": _LOST_CHECK,  # a runner that was killed stops its statement
            # of a runner whose machine is gone the server hears no end, and would keep its lock for two hours
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": "60s",
            "lock_timeout": f"{limits.table_lock * 1000:.0f}",
            "statement_timeout": f"{limits.statement * 1000:.0f}",
            "idle_in_transaction_session_timeout": "60s",
        }
        given: dict[str, Any] = {
            "host": place.host, "port": place.port, "dbname": place.database, "user": place.user,
            "sslmode": place.sslmode, "connect_timeout": limits.connect,
            # on the way to a server of others, a connection that says nothing while an index is built is forgotten
            "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000,
            "application_name": f"migrations, pid {os.getpid()} on {socket.gethostname()}",
            "options": " ".join(f"-c {key}={value}" for key, value in options.items()),
        }  # fmt: skip
        if place.ca_file:
            self._text_of("ca_file", place.ca_file)
            given["sslrootcert"] = str(place.ca_file)
        if place.password_file:
            given["password"] = self._text_of("password_file", place.password_file).strip()
        try:
            return psycopg.connect(**given, autocommit=True)
        except psycopg.Error as error:
            raise self._not_connected(error) from error

    def _text_of(self, field: str, file: Path) -> str:
        try:
            return file.read_text()
        except OSError as error:
            raise self.failure(f"connection.{field} {file}: {error.strerror}") from error

    def _refuse_pooler(self) -> None:
        if self._value("SELECT pg_backend_pid()") != self._connection.info.backend_pid:
            raise self.failure("is reached through a pooler, where a lock holds nothing; connect to the server itself")

    def _refuse_other_letters(self) -> None:
        held = self._connection.info.parameter_status("server_encoding")
        if held != "UTF8":
            database, owner = self._settings.connection.database, self._settings.owner
            make = f"CREATE DATABASE {database} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'"
            problem = f"holds {held} and not UTF8, so that each client reads other letters"
            raise self.failure(f"{problem}; take its rows out (pg_dump), DROP DATABASE, {make}, and put them back")

    def _not_connected(self, error: psycopg.Error) -> MigrationError:
        place = self._settings.connection
        host = place.host or os.environ.get("PGHOST", "")
        text = " ".join(str(error).split())
        found = next((words for mark, words in _CONNECT_ADVICE if mark in text), "")
        if "SSL error" in text:
            found = certificate_problem(host, place.port, place.ca_file)
        advice = f"; {found.format(database=place.database, user=place.user)}" if found else ""
        where = f"{host or 'the local socket'}:{place.port}"
        return self._not_ready(f"no connection to {where} as {place.user}: {text}{advice}")

    def failure(self, problem: str, exit_code: int = FAILED) -> MigrationError:
        """An error of this database."""
        return MigrationError(f"database {self.name}: {problem}", exit_code=exit_code)

    def _not_ready(self, problem: str) -> NotReadyError:
        return NotReadyError(f"database {self.name}: {problem}")

    def lock(self) -> None:
        """Keep other runners away until the connection ends.

        Raises:
            MigrationError: another runner was not done in time; who it is.
        """
        deadline = time.monotonic() + self._limits.runner_lock
        while not self._value("SELECT pg_try_advisory_lock(%s, %s)", _LOCK_CLASS, self._lock_key):
            if time.monotonic() > deadline:
                waited = f"another runner was not done after {self._limits.runner_lock:g} s"
                holder = self.holder() or "it has just ended"
                raise self.failure(f"{waited}: {holder}; wait for it, or end it if it hangs", AGAIN)
            time.sleep(_LOCK_PAUSE_SECONDS)

    def holder(self) -> str:
        """The runner that works in this database, or nothing."""
        found = self._observed(_HOLDERS, _LOCK_CLASS, self._lock_key)
        return "; ".join(
            f"{user} ({application}), server process {process}, since {since}"
            for process, user, application, since in found
        )

    @property
    def _lock_key(self) -> int:
        return zlib.crc32(self._settings.tracking_table.encode()) & 0x7FFFFFFF

    def prepare_tracking(self) -> None:
        """Make the table that records, or give an older one what it lacks."""
        table = self._settings.tracking_table
        has_state = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'state'"
        if not self.exists(table):
            with self.transaction():
                self._do(_TRACKING)
                self.hide_record()  # default privileges may have let the application write into it
        elif not self._value(has_state, _quoted(table)):
            self._do(_ADD_STATE)

    def rows(self) -> list[Record]:
        """What is recorded, in the order of versions.

        Raises:
            MigrationError: the table is another tool's.
        """
        if not self.exists(self._settings.tracking_table):
            return []
        fields = ("version", "name", "sha256_up", "sha256_down", "state", "applied_at", "applied_by")
        return [Record(**dict(zip(fields, row, strict=True))) for row in self._do(_ROWS).fetchall()]

    def insert(self, record: Record, duration_ms: int) -> None:
        """Record a step."""
        sums = (record.sha256_up, record.sha256_down)
        self._change(_INSERT, record.version, record.name, *sums, record.state, duration_ms)

    def mark(self, version: int, state: str, duration_ms: int) -> None:
        """Change the state of a recorded step."""
        change = "UPDATE {} SET state = %s, applied_at = now(), duration_ms = %s WHERE version = %s"
        self._change(change, state, duration_ms, version)

    def forget(self, version: int) -> None:
        """Take a step out of the record."""
        self._change("DELETE FROM {} WHERE version = %s", version)

    def _change(self, query: str, *values: object) -> None:
        if self._do(query, *values).rowcount != 1:
            raise self.failure(f"table {self._settings.tracking_table} was changed by somebody else meanwhile")

    @contextmanager
    def transaction(self, script: Script | None = None, *, read_only: bool = False) -> Iterator[None]:
        """All or nothing; what is read only is always taken back.

        Raises:
            MigrationError: also where it cannot begin or end, with the name of the file that it is for.
        """
        try:
            with self._connection.transaction(force_rollback=read_only):
                if read_only:
                    self._connection.execute("SET TRANSACTION READ ONLY")
                yield
        except psycopg.Error as error:
            raise (self._failed(error) if script is None else self._explained(script, error)) from error

    def fresh(self) -> None:
        """Take back what a file before this one has SET for the session."""
        self._do("RESET ALL")
        self._become_owner()

    def _become_owner(self) -> None:
        try:
            self._connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self._settings.owner)))
        except psycopg.Error as error:
            if self._code(error) == AGAIN:
                raise self._failed(error) from error
            user, owner = self._settings.connection.user, self._settings.owner
            raise self._not_ready(f"{_first_line(error)}; {user} works as {owner}: GRANT {owner} TO {user}") from error

    def _refuse_missing_roles(self) -> None:
        roles = [*self._settings.writers, *self._settings.readers]
        missing = ", ".join(str(role) for (role,) in self.ask(MISSING_ROLES, roles))
        if missing:
            raise self._not_ready(f"there is no role {missing}; make it first: a migration cannot")

    def unhurried(self) -> None:
        """For what is built without stopping anybody: its waits stop nobody either."""
        self._do("SELECT set_config('lock_timeout', '0', false)")
        milliseconds = f"{self._limits.concurrent * 1000:.0f}"
        self._do("SELECT set_config('statement_timeout', %s, false)", milliseconds)

    def run(self, script: Script) -> None:
        """Run a file as it is.

        Raises:
            MigrationError: with its name and line, and what the server said.
        """
        try:
            self._connection.execute(script.text.encode())
        except psycopg.Error as error:
            raise self._explained(script, error) from error

    def _explained(self, script: Script, error: psycopg.Error) -> MigrationError:
        position = error.diag.statement_position
        line = f":{line_of(script.text, int(position) - 1)}" if position else ""
        details = [words for words in (error.diag.message_detail, error.diag.message_hint) if words]
        details += _advice(script, error)
        code = self._code(error)
        if code == AGAIN:
            details.append("the connection is lost; run the same command again, it goes on where it stopped")
        return self.failure("; ".join([f"{script.file}{line}: {_first_line(error)}", *details]), code)

    def exists(self, table: str) -> bool:
        """Whether the table is there."""
        return bool(self._value("SELECT to_regclass(%s) IS NOT NULL", _quoted(table)))

    def index_is_valid(self, index: str) -> bool | None:
        """Whether an index is whole; None: there is none.

        Raises:
            MigrationError: somebody builds it at this moment.
        """
        row = self._do(_INDEX, index).fetchone()
        if row is None:
            return None
        builder = self._building().get(row[0])
        if builder is not None:
            raise self.failure(f"index {index} is being built by server process {builder}; wait for it")
        return bool(row[1])

    def broken_indexes(self) -> list[str]:
        """Indexes of the owner that are not whole and are not being built."""
        building = self._building()
        return [str(name) for index, name in self._do(_BROKEN_INDEXES).fetchall() if index not in building]

    def _building(self) -> dict[int, int]:
        """Index -> server process that builds it at this moment."""
        return dict(self._do(_BUILDING).fetchall())

    def _observed(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What sessions do. The login sees other runners, which log in as it does; the owner would see nobody."""
        self._do("SET ROLE NONE")
        found = self._do(query, *values).fetchall()
        self._become_owner()
        return found

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a statement of the runner's own."""
        found = self._do(query, *values)
        return found.fetchall() if found.description else []

    def hide_record(self) -> None:
        """Nobody but the owner changes the table that records."""
        self._do(_READ_ONLY)

    def _value(self, query: str, *values: object) -> Any:  # noqa: ANN401  # of any type
        row = self._do(query, *values).fetchone()
        return row[0] if row else None

    def _do(self, query: str, *values: object) -> psycopg.Cursor[tuple[Any, ...]]:
        """A statement of the runner's own; `{}` is the tracking table."""
        asked = query.replace("{}", _quoted(self._settings.tracking_table)).encode()
        try:
            return self._connection.execute(asked, values or None)
        except psycopg.errors.UndefinedColumn as error:
            table = self._settings.tracking_table
            raise self.failure(f"table {table} is another tool's: {_first_line(error)}; name another one") from error
        except psycopg.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: psycopg.Error) -> MigrationError:
        """What the server said to a statement of the runner's own."""
        return self.failure(f"{_first_line(error)}; run the same command again", self._code(error))

    def _code(self, error: psycopg.Error) -> int:
        """AGAIN where the connection ended with the error."""
        return FAILED if not self._connection.closed and error.diag.severity_nonlocalized != "FATAL" else AGAIN


def _advice(script: Script, error: psycopg.Error) -> list[str]:
    """What to do about an error of a file, at most one."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege) and "extension" in _first_line(error):
        return [_EXTENSION_ADVICE]
    if isinstance(error, psycopg.errors.QueryCanceled) and script.change is not None:
        return [_CONCURRENT_ADVICE]
    return [words for kind, words in _ADVICE if isinstance(error, kind)][:1]


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
