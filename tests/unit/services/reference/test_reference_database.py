"""Which faults are waited out, and what is said about them."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.reference.database import is_outage, marked, reason


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionRefusedError(),
        PoolTimeout("pool is full"),
        psycopg.OperationalError("connection refused"),
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.TooManyConnections(),
        errors.CrashShutdown(),
        errors.ProtocolViolation(),  # what PgBouncer says while it has no server
        OperationalError("INSERT", {}, errors.DeadlockDetected()),
        OperationalError("INSERT", {}, errors.ReadOnlySqlTransaction()),
        OperationalError("INSERT", {}, errors.SerializationFailure()),
        OperationalError("INSERT", {}, psycopg.OperationalError("server closed the connection unexpectedly")),
    ],
    ids=lambda error: type(getattr(error, "orig", error)).__name__,
)
def test_a_failover_is_waited_out(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("INSERT", {}, errors.UniqueViolation()),
        ProgrammingError("SELECT", {}, errors.UndefinedTable()),
        ProgrammingError("SELECT", {}, errors.InsufficientPrivilege()),
        errors.InvalidPassword(),
        OperationalError("SELECT", {}, errors.QueryCanceled()),
        OperationalError("INSERT", {}, errors.DiskFull()),
        OperationalError("SELECT", {}, errors.OutOfMemory()),
        ValueError("ours"),
    ],
    ids=lambda error: type(getattr(error, "orig", error)).__name__,
)
def test_a_mistake_is_not(error: Exception) -> None:
    assert not is_outage(error)


def test_a_reason_holds_neither_statement_nor_values() -> None:
    error = OperationalError("INSERT INTO notes VALUES (%s)", {"body": "private"}, errors.AdminShutdown("going down"))

    assert reason(error) == "going down"


def test_a_silent_timeout_is_described() -> None:
    assert "no answer" in reason(TimeoutError())


@pytest.mark.req("C6.2")
def test_a_statement_carries_the_requests_correlation_id_into_the_databases_log() -> None:
    assert marked("SELECT 1", "abc-1.x_Y") == "/* correlation_id=abc-1.x_Y */ SELECT 1"


@pytest.mark.parametrize("identity", [None, "", "a */ DROP TABLE notes; --", "x" * 129, "%(x)s", 7])
def test_nothing_but_a_well_formed_id_gets_into_a_statement(identity: object) -> None:
    assert marked("SELECT 1", identity) == "SELECT 1"
