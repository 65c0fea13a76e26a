"""One transaction over several databases: all of them have it, or none, whatever is killed in between.

One database is the transaction's home. Its own part is not prepared: it commits together with a row that says so, and
that commit is the decision. The others are prepared before, and committed after.

    work in all -> PREPARE TRANSACTION in the others -> decision and COMMIT at home -> COMMIT PREPARED in the others

Who finds a prepared transaction later asks the home. If there is no row it writes one that says "rolled back": then
the coordinator, should it still live, runs into that row instead of deciding otherwise. No clock is part of this.

The home needs `DECISIONS`, by a migration, with all rights on its rows, and the server of the others
`max_prepared_transactions` (setting `postgres.prepared_transactions`). The outbox is simpler and faster wherever the
other side may follow a little later.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
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
# A decision can be read whose own commit gave up waiting for a standby. The lock is written to the log behind it, so
# the reader's commit waits for both: nothing is ended by what a failover of the home would lose.
_READ = "SELECT committed FROM two_phase_decisions WHERE id = %s FOR KEY SHARE"
_PREPARED = """SELECT gid, owner = current_user, extract(epoch FROM now() - prepared)::float8
  FROM pg_prepared_xacts WHERE database = current_database()"""
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
                await _commit(number, others)
        return result

    async def settle(self, number: str) -> bool:
        """Bring a transaction to its end in all databases that answer; True if it is committed.

        Raises:
            psycopg.Error, OSError: a database does not answer; nothing is lost by trying again.
        """
        committed = await self._decision(number)
        failed = await self._end_everywhere(number, committed=committed)
        if failed:
            raise failed[0]
        return committed

    async def recover(self, older_than_seconds: float = _YOUNG_SECONDS) -> list[tuple[str, bool]]:
        """End what our roles left prepared: at the start of a service, and every now and then.

        Args:
            older_than_seconds: younger ones may have a coordinator at work, which would have to give up.

        Returns:
            Number of each transaction, and whether it is committed.

        Raises:
            psycopg.Error, OSError: a database does not answer; what the others let us end is ended.
        """
        kept, ages, ended, failed = set[str](), dict[str, float](), list[tuple[str, bool]](), list[Exception]()
        for name, connect in self.others.items():
            async with _going_on(failed, database=name), await connect() as connection:
                for it in await _prepared(connection, self.home_name):
                    kept.add(it.xid.gtrid)
                    if it.ours:
                        ages[it.xid.gtrid] = max(ages.get(it.xid.gtrid, 0), it.age)
        for number in (number for number, age in ages.items() if age >= older_than_seconds):
            async with _going_on(failed, transaction=number):
                committed = await self.settle(number)
                await _log.awarning("prepared transaction ended", transaction=number, committed=committed)
                ended.append((number, committed))
        if failed:  # and nothing is forgotten: who is away may have what was not seen
            raise failed[0]
        async with await self.home() as home:
            await home.execute(_FORGET, [f"{self.kind}%", list(kept)])
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
            committed = await self._decision(number)
        except (psycopg.Error, OSError) as second:
            raise InDoubtError(f"transaction {number}: {second}") from error
        await self._end_everywhere(number, committed=committed)
        if not committed:
            raise error

    async def _decision(self, number: str) -> bool:
        """What was decided; if nothing was, it is rolled back from now on. Waits for a coordinator that decides now."""
        async with await self.home() as home:
            await home.execute("SET LOCAL lock_timeout = '5s'")
            await home.execute(_GIVE_UP, [number])
            (committed,) = await (await home.execute(_READ, [number])).fetchone() or (False,)
            await home.commit()
            return bool(committed)

    async def _end_everywhere(self, number: str, *, committed: bool) -> list[Exception]:
        """Do what was decided; returns why databases will follow later."""
        failed: list[Exception] = []
        for name, connect in self.others.items():
            async with _going_on(failed, transaction=number, database=name), await connect() as connection:
                for it in await _prepared(connection, self.home_name):
                    if it.xid.gtrid == number:
                        await _end(connection, it.xid, committed=committed)
        return failed


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    xid: Xid
    ours: bool
    """Whether our role prepared it: PostgreSQL lets no other end it."""
    age: float


async def _until_the_end(stack: AsyncExitStack, connect: Connect) -> Connection:
    """A connection that is closed with the stack: what was neither prepared nor committed by then never was."""
    connection = await connect()
    stack.push_async_callback(connection.close)
    return connection


@asynccontextmanager
async def _going_on(failed: list[Exception], **what: str) -> AsyncIterator[None]:
    """Ends the block when a database does not answer, for the next one's sake; the reason goes into the list."""
    try:
        yield
    except (psycopg.Error, OSError) as error:
        failed.append(error)
        await _log.awarning("a database follows later", error=str(error), **what)


async def _commit(number: str, others: Mapping[str, Connection]) -> None:
    """It is decided: a database that cannot be reached now follows by `recover`."""
    for name, connection in others.items():
        async with _going_on([], transaction=number, database=name):
            await connection.tpc_commit()


async def _prepared(connection: Connection, home: str) -> list[_Prepared]:
    """Transactions of this home that are prepared in this connection's database."""
    found = await (await connection.execute(_PREPARED)).fetchall()
    await connection.commit()
    read = [_Prepared(xid=Xid.from_string(gid), ours=ours, age=age) for gid, ours, age in found]
    return [it for it in read if it.xid.format_id == FORMAT and (it.xid.bqual or "").rpartition(":")[0] == home]


async def _end(connection: Connection, xid: Xid, *, committed: bool) -> None:
    try:
        await (connection.tpc_commit(xid) if committed else connection.tpc_rollback(xid))
    except psycopg.errors.UndefinedObject:  # somebody else did it, and decided the same
        await _log.ainfo("prepared transaction was ended by another", transaction=xid.gtrid)
