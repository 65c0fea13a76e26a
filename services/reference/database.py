"""Access to PostgreSQL through its poolers, with retries that carry a request over a failover.

Driver: psycopg, without server-side prepared statements. The poolers share server connections by transaction, so a
statement prepared in one transaction may not exist in the next. psycopg can leave them out and send the unnamed
statement together with its parameters; asyncpg names a prepared statement for every query. libpq also brings the
TLS modes (verify-full) that the platform uses everywhere.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import structlog
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import QueuePool

from services.reference.metrics import Metrics
from services.reference.settings import Settings, SslMode

Result = TypeVar("Result")
_log = structlog.get_logger("database")

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
_JITTER = 0.25  # else all that a failover cut off come back in step
_MARKS = re.compile(r"[A-Za-z0-9._-]{1,128}")  # nothing that could end the comment, or be a placeholder of the driver
_CONNECTION_LOST = "08"
_OUTAGE_STATES = frozenset({
    "57P01", "57P02", "57P03", "57P05",  # shut down, crashed, not ready yet, ended because it was idle
    "53300",  # too many connections
    "25006",  # read-only: the old primary
    "40001", "40P01",  # serialization, deadlock
})  # fmt: skip
"""What another try of the whole transaction may mend. Not a statement that was cancelled because it took too long
(57014), nor a full disk (53100): these would fail again, and cost the same again."""


class UnavailableError(Exception):
    """The database did not answer within the deadline."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One pooler and the connections to it."""

    name: str
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]


class Database:
    """Both endpoints: `rw` reaches the primary, `ro` the standbys, whose rows may be a little older."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._endpoints = {
            "rw": _endpoint("rw", settings.database_rw_host, settings),
            "ro": _endpoint("ro", settings.database_ro_host, settings),
        }

    async def run(self, endpoint: str, work: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
        """Do `work` in one transaction and commit it; try again while the database fails over.

        `work` may run more than once, and a commit whose answer was lost may have happened: it must be idempotent.

        Raises:
            UnavailableError: no attempt succeeded within `database_deadline_seconds`.
        """
        deadline = time.monotonic() + self._settings.database_deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._attempt(endpoint, work, deadline)
            except (DBAPIError, PoolTimeout, psycopg.Error, OSError) as error:
                if not is_outage(error):
                    raise
                if time.monotonic() + pause >= deadline:
                    raise UnavailableError(f"database endpoint {endpoint} did not answer in time") from error
                self._metrics.retries.labels(endpoint).inc()
                await _log.awarning("database attempt failed, trying again", endpoint=endpoint, error=reason(error))
            await asyncio.sleep(pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311  # no secret
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _attempt(
        self, endpoint: str, work: Callable[[AsyncSession], Awaitable[Result]], deadline: float
    ) -> Result:
        limit = min(self._settings.database_attempt_seconds, deadline - time.monotonic())
        # A host that vanished answers nothing: without a limit of ours the kernel would wait for minutes. The limit is
        # for the commit too, which waits for standbys; at the end of a `begin()` block it could not be cancelled.
        async with asyncio.timeout(limit), self._endpoints[endpoint].sessions() as session:
            result = await work(session)
            await session.commit()
            return result

    async def ping(self, endpoint: str, seconds: float) -> None:
        """Ask the endpoint for one row.

        Raises:
            UnavailableError: it did not answer within `seconds`.
        """
        try:
            async with asyncio.timeout(seconds), self._endpoints[endpoint].engine.connect() as connection:
                await _select_one(connection)
        except (DBAPIError, PoolTimeout, psycopg.Error, OSError) as error:
            self._metrics.database_connected.labels(endpoint).set(0)
            raise UnavailableError(f"database endpoint {endpoint}: {reason(error)}") from error
        self._metrics.database_connected.labels(endpoint).set(1)

    def observe_pools(self) -> None:
        """Write the pools' present state into the metrics."""
        for name, endpoint in self._endpoints.items():
            pool = endpoint.engine.pool
            if isinstance(pool, QueuePool):
                self._metrics.pool_connections.labels(name, "used").set(pool.checkedout())
                self._metrics.pool_connections.labels(name, "idle").set(pool.checkedin())
            self._metrics.pool_limit.labels(name).set(pool_limit(self._settings))

    async def close(self) -> None:
        """Close all connections."""
        for endpoint in self._endpoints.values():
            await endpoint.engine.dispose()


def is_outage(error: BaseException) -> bool:
    """True for what passes by itself when the database is back: a lost connection, a failover, a full pool, time."""
    if isinstance(error, PoolTimeout | OSError):  # asyncio's TimeoutError is an OSError
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        original: BaseException | None = error.orig
    else:
        original = error
    state = getattr(original, "sqlstate", None)
    if state is None:
        # libpq's own errors (refused, reset, closed in the middle) carry no state.
        return isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError)
    return state[:2] == _CONNECTION_LOST or state in _OUTAGE_STATES


def reason(error: BaseException) -> str:
    """First line of an error, without the statement and its parameters: they may hold what users wrote."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(original, TimeoutError) and not str(original):
        return "no answer within the time of one attempt"
    lines = str(original).strip().splitlines()
    return lines[0] if lines else type(original).__name__


def pool_limit(settings: Settings) -> int:
    """Most connections that one process opens to one endpoint."""
    return settings.database_pool_size + settings.database_pool_size // 2


def connection_arguments(host: str, settings: Settings) -> dict[str, Any]:
    """Arguments of psycopg for one new connection; reads the password."""
    arguments: dict[str, Any] = {
        "host": host,
        "port": settings.database_port,
        "dbname": settings.database_name,
        "user": settings.database_user,
        "password": settings.database_password_file.read_text().strip(),
        "sslmode": str(settings.database_sslmode),
        "application_name": "reference",
        "connect_timeout": max(2, int(settings.database_attempt_seconds)),  # libpq takes whole seconds, 2 at least
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": int(settings.database_attempt_seconds * 1000),
        "prepare_threshold": None,
    }
    if settings.database_ca_file is not None and settings.database_sslmode is not SslMode.DISABLE:
        arguments["sslrootcert"] = str(settings.database_ca_file)
    return arguments


def marked(statement: str, identity: object) -> str:
    """The statement behind a comment with the request's correlation id, by which PostgreSQL's log is searched.

    A comment cannot be separated from its statement; a setting of the session could, as the poolers share sessions by
    transaction.
    """
    if not isinstance(identity, str) or not _MARKS.fullmatch(identity):
        return statement
    return f"/* correlation_id={identity} */ {statement}"


def _mark(
    _connection: object, _cursor: object, statement: str, parameters: object, _context: object, _many: object
) -> tuple[str, object]:
    return marked(statement, structlog.contextvars.get_contextvars().get("correlation_id")), parameters


def _endpoint(name: str, host: str, settings: Settings) -> Endpoint:
    async def connect() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(**connection_arguments(host, settings))

    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        use_native_hstore=False,  # its look-up would be a query per connection for a type that we do not use
        pool_size=settings.database_pool_size,
        max_overflow=pool_limit(settings) - settings.database_pool_size,
        pool_timeout=settings.database_attempt_seconds,
        pool_recycle=300,
        pool_use_lifo=True,  # idle connections age out instead of being kept alive in turn
    )
    event.listen(engine.sync_engine, "before_cursor_execute", _mark, retval=True)
    return Endpoint(name=name, engine=engine, sessions=async_sessionmaker(engine, expire_on_commit=False))


async def _select_one(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))
