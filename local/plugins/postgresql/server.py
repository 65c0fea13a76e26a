"""The PostgreSQL server: connections, transactions, and errors that say what was being done.

Loading the driver takes 0.15 s, which a preview does not need: only what talks to a server imports this module.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from local.plugins.common.errors import ResourceError
from local.plugins.postgresql import advice
from local.plugins.postgresql.settings import Settings

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
Query: TypeAlias = str | sql.Composed

_APPLICATION = "pulumi postgresql (omnibase-infra offline plugin)"
_LOCK_SECONDS = 60
_NOTHING_DONE = ("01006", "01007")
"""Codes of the warnings "no privileges could be revoked" and "no privileges were granted"."""
WRONG_PASSWORD = "28P01"  # noqa: S105  # an error code


class Server:
    """One server and the administrator's connections to it. Thread-safe."""

    def __init__(self, settings: Settings, cancelled: threading.Event) -> None:
        self.settings = settings
        self._cancelled = cancelled
        self._slots = threading.BoundedSemaphore(settings.connections)
        # Grants change rows that they share (an object's list of grants): two at once fail with "tuple concurrently
        # updated". Each takes milliseconds, so they go one after the other.
        self._writing = threading.Lock()
        self._open: set[Connection] = set()
        self._guard = threading.Lock()

    @contextmanager
    def reading(self, database: str = "") -> Iterator[Connection]:
        """A transaction that changes nothing.

        Raises:
            ResourceError: no connection, or a statement failed.
        """
        with self._connection(database or self.settings.database) as connection:
            connection.read_only = True
            yield connection
            connection.rollback()

    @contextmanager
    def writing(self, database: str = "", *, what: str = "") -> Iterator[Connection]:
        """A transaction, committed at the end of the block; `what` opens the message of a failed statement.

        Raises:
            ResourceError: no connection, or a statement failed and nothing was changed.
        """
        with self._writing, self._connection(database or self.settings.database, what=what) as connection:
            connection.execute(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
            with _noting_nothing_done(connection) as warnings:
                yield connection
            if warnings:
                raise ResourceError(f"{what}: {warnings[0]}; {advice.on_statement(advice.NO_RIGHT)}")
            connection.commit()

    @contextmanager
    def directly(self, database: str = "", *, what: str = "") -> Iterator[Connection]:
        """Statements that cannot be in a transaction, such as CREATE DATABASE. Raises as `writing`."""
        with self._writing, self._connection(database or self.settings.database, what=what) as connection:
            connection.autocommit = True
            yield connection

    def cancel(self) -> None:
        """End running statements."""
        with self._guard:
            for connection in self._open:
                with suppress(Exception):  # it may have ended by itself
                    connection.cancel_safe(timeout=5)

    def accepts(self, role: str, password: str) -> bool:
        """Whether the server takes a password. A role that is kept out for another reason counts as taken."""
        try:
            psycopg.connect(**self._parameters(self.settings.database, role, password)).close()
        except psycopg.OperationalError as problem:
            # libpq gives no code for refusals while it connects, only the server's words
            return problem.sqlstate != WRONG_PASSWORD and "password authentication failed" not in str(problem)
        return True

    @contextmanager
    def _connection(self, database: str, *, what: str = "") -> Iterator[Connection]:
        if self.settings.unknown:
            raise ResourceError(f"the server is not known yet: {', '.join(self.settings.unknown)} come from resources")
        if not self.settings.host:
            raise ResourceError("the postgresql provider has no host; set `host`, or the variable PGHOST")
        with self._slots:
            connection = self._connect(database)
            with self._guard:
                self._open.add(connection)
            try:
                yield connection
            except psycopg.Error as problem:
                raise ResourceError(_explain(what, problem)) from problem
            finally:
                with self._guard:
                    self._open.discard(connection)
                connection.close()

    def _connect(self, database: str) -> Connection:
        if self._cancelled.is_set():
            raise ResourceError("the operation was cancelled")
        settings = self.settings
        try:
            return psycopg.connect(**self._parameters(database, settings.username, settings.password))
        except psycopg.OperationalError as problem:
            reason = " ".join(str(problem).split())
            if settings.password:
                reason = reason.replace(settings.password, "XXXX")
            what = advice.on_connection(reason, settings)
            raise ResourceError(
                f"error connecting to PostgreSQL server {settings.host}:{settings.port}, database {database!r}, "
                f"as {settings.username!r} with sslmode {settings.sslmode}: {reason}{f'; {what}' if what else ''}"
            ) from problem

    def _parameters(self, database: str, user: str, password: str) -> dict[str, Any]:
        settings = self.settings
        found: dict[str, Any] = {
            "host": settings.host,
            "port": settings.port,
            "dbname": database,
            "user": user,
            "password": password or None,
            "sslmode": settings.sslmode,
            "connect_timeout": settings.timeout_seconds,
            "application_name": _APPLICATION,
        }
        if settings.root_certificate:
            found["sslrootcert"] = settings.root_certificate
        elif settings.sslmode.startswith("verify"):
            found["sslrootcert"] = "system"
        if settings.client_certificate:
            found |= {"sslcert": settings.client_certificate, "sslkey": settings.client_key}
        return {key: value for key, value in found.items() if value is not None}


@contextmanager
def _noting_nothing_done(connection: Connection) -> Iterator[list[str]]:
    """Warnings that rights were neither granted nor revoked: PostgreSQL takes that for no error."""
    found: list[str] = []

    def note(told: psycopg.errors.Diagnostic) -> None:
        if told.sqlstate in _NOTHING_DONE:
            found.append(str(told.message_primary))

    connection.add_notice_handler(note)
    try:
        yield found
    finally:
        connection.remove_notice_handler(note)


def one(connection: Connection, query: Query, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
    """The first row of a query."""
    return connection.execute(query, parameters).fetchone()


def column(connection: Connection, query: Query, parameters: tuple[Any, ...] = ()) -> list[Any]:
    """The first column of a query."""
    return [row[0] for row in connection.execute(query, parameters)]


def _explain(what: str, problem: psycopg.Error) -> str:
    """The server's message with its hint, and what to do; statements are left out, they may hold a password's hash."""
    told = problem.diag
    parts = [told.message_primary or " ".join(str(problem).split()), told.message_detail, told.message_hint]
    message = "; ".join(part for part in [*parts, advice.on_statement(problem.sqlstate or "")] if part)
    code = f" ({problem.sqlstate})" if problem.sqlstate else ""
    return f"{what}: {message}{code}" if what else f"{message}{code}"
