"""One transaction over several databases: all of them have it, or none, whatever is killed in between.

One database is the transaction's home. Its own part is not prepared: it commits together with a row that says so, and
that commit is the decision. The others are prepared before, and committed after.

    work in all -> PREPARE TRANSACTION in the others -> decision and COMMIT at home -> COMMIT PREPARED in the others

Who finds a prepared transaction later asks the home. If there is no row it writes one that says "rolled back": then
the coordinator, should it still live, runs into that row instead of deciding otherwise. No clock is part of this.

The home needs `DECISIONS`, by a migration, and the server of the others `max_prepared_transactions` (setting
`postgres.prepared_transactions`). The outbox is simpler and faster wherever the other side may follow a little later.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg import Xid

Result = TypeVar("Result")
Connection = psycopg.AsyncConnection[Any]
Connect = Callable[[], Awaitable[Connection]]
"""Opens a connection that is not in autocommit; through a pooler of transactions as well as directly."""
Work = Callable[[Connection, Mapping[str, Connection]], Awaitable[Result]]
"""Gets the home and the others by name. Commits nothing."""

FORMAT = 42
"""By this number our prepared transactions are told from those of others."""
DECISIONS = """CREATE TABLE two_phase_decisions (
    id text PRIMARY KEY,
    committed boolean NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now()
);"""
_DECIDE = "INSERT INTO two_phase_decisions (id, committed) VALUES (%s, true)"
_GIVE_UP = "INSERT INTO two_phase_decisions (id, committed) VALUES (%s, false) ON CONFLICT DO NOTHING"
_READ = "SELECT committed FROM two_phase_decisions WHERE id = %s"
# Older than any transaction can be: PostgreSQL ends those that are idle, and what runs for a day is ended by people.
_FORGET = """DELETE FROM two_phase_decisions
  WHERE decided_at < now() - interval '1 day' AND id LIKE %s AND id <> ALL (%s)"""
_YOUNG_SECONDS = 30
_log = structlog.get_logger("two_phase")


class InDoubtError(Exception):
    """Nobody can say now whether it was committed: the home does not answer. `recover` ends it later."""


@dataclass(frozen=True, kw_only=True)
class TwoPhase:
    """A coordinator; any number of them may work beside each other."""

    home_name: str
    """Name of the home's database: who looks at a prepared transaction finds the decision there."""
    home: Connect
    others: Mapping[str, Connect]
    """By name. Coordinators with the same names end each other's transactions, so these are the same databases."""

    @property
    def kind(self) -> str:
        """What the numbers of its transactions begin with. Only who sees all databases of a transaction may forget its
        decision: one of them may still wait for it."""
        return hashlib.sha256("\n".join(sorted(self.others)).encode()).hexdigest()[:8]

    async def run(self, work: Work[Result]) -> Result:
        """Do `work` in all databases and commit it in all of them.

        Raises:
            InDoubtError: it was prepared, and then the home did not answer any more.
            Exception: whatever `work` raises, or the reason why nothing was committed anywhere.
        """
        number = f"{self.kind}{uuid.uuid4().hex[len(self.kind) :]}"
        async with AsyncExitStack() as stack:
            home = await _until_the_end(stack, self.home)
            others = {name: await _until_the_end(stack, connect) for name, connect in self.others.items()}
            for place, connection in enumerate(others.values()):
                await connection.tpc_begin(self._xid(connection, number, place))
            result = await work(home, others)
            try:
                await self._prepare_and_decide(number, home, list(others.values()))
            except (psycopg.Error, OSError) as error:
                await self._after_failure(number, error)
            else:
                await _commit(number, list(others.values()))
        return result

    async def settle(self, number: str) -> bool:
        """Bring a transaction to its end; True if it is committed.

        Raises:
            psycopg.Error, OSError: a database does not answer; nothing is lost by trying again.
        """
        async with await self.home() as home:
            committed = await _decision(home, number)
        for connect in self.others.values():
            async with await connect() as connection:
                for xid in await _prepared(connection, self.home_name):
                    if xid.gtrid == number:
                        await _end(connection, xid, committed=committed)
        return committed

    async def recover(self, older_than_seconds: float = _YOUNG_SECONDS) -> list[tuple[str, bool]]:
        """End what was left prepared, by whomever: at the start of a service, and every now and then.

        Args:
            older_than_seconds: younger ones may have a coordinator at work, which would have to give up.

        Returns:
            Number of each transaction, and whether it is committed.
        """
        found: dict[str, float] = {}
        for connect in self.others.values():
            async with await connect() as connection:
                for xid in await _prepared(connection, self.home_name):
                    found[xid.gtrid] = max(found.get(xid.gtrid, 0), await _age(connection, xid))
        ended = [(number, await self.settle(number)) for number, age in found.items() if age >= older_than_seconds]
        async with await self.home() as home:
            await home.execute(_FORGET, [f"{self.kind}%", list(found)])
        for number, committed in ended:
            await _log.awarning("prepared transaction ended", transaction=number, committed=committed)
        return ended

    def _xid(self, connection: Connection, number: str, place: int) -> Xid:
        return connection.xid(FORMAT, number, f"{self.home_name}:{place}")

    async def _prepare_and_decide(self, number: str, home: Connection, others: Sequence[Connection]) -> None:
        for connection in others:
            await connection.tpc_prepare()
        await home.execute(_DECIDE, [number])
        await home.commit()

    async def _after_failure(self, number: str, error: BaseException) -> None:
        """Returns if it is committed all the same: the answer to the home's COMMIT may be what was lost."""
        try:
            committed = await self.settle(number)
        except (psycopg.Error, OSError) as second:
            raise InDoubtError(f"transaction {number}: {second}") from error
        if not committed:
            raise error


async def _until_the_end(stack: AsyncExitStack, connect: Connect) -> Connection:
    """A connection that is closed with the stack: what was neither prepared nor committed by then never was."""
    connection = await connect()
    stack.push_async_callback(connection.close)
    return connection


async def _commit(number: str, others: Sequence[Connection]) -> None:
    """It is decided: a database that cannot be reached now follows by `recover`."""
    try:
        for connection in others:
            await connection.tpc_commit()
    except (psycopg.Error, OSError) as error:
        await _log.awarning("committed; a database follows later", transaction=number, error=str(error))


async def _decision(home: Connection, number: str) -> bool:
    """What was decided; if nothing was, it is rolled back from now on. Waits for a coordinator that decides now."""
    await home.execute("SET LOCAL lock_timeout = '5s'")
    await home.execute(_GIVE_UP, [number])
    (committed,) = await (await home.execute(_READ, [number])).fetchone() or (False,)
    await home.commit()
    return bool(committed)


async def _prepared(connection: Connection, home: str) -> list[Xid]:
    """Our transactions of this home that are prepared in this connection's database."""
    found = await connection.tpc_recover()
    await connection.commit()
    return [
        xid
        for xid in found
        if xid.format_id == FORMAT
        and xid.database == connection.info.dbname
        and (xid.bqual or "").rpartition(":")[0] == home
    ]


async def _age(connection: Connection, xid: Xid) -> float:
    (age,) = await (await connection.execute("SELECT extract(epoch FROM now() - %s)", [xid.prepared])).fetchone() or (
        0,
    )
    await connection.commit()
    return float(age)


async def _end(connection: Connection, xid: Xid, *, committed: bool) -> None:
    try:
        await (connection.tpc_commit(xid) if committed else connection.tpc_rollback(xid))
    except psycopg.errors.UndefinedObject:  # somebody else did it, and decided the same
        await _log.ainfo("prepared transaction was ended by another", transaction=xid.gtrid)
