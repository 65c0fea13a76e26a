"""The outbox: what is to be published is a row of the transaction that it tells of, and so exists exactly if that does.

A relay first sees rows, and makes sure that they are on as many standbys as the server asks for. Then it takes them,
publishes them and deletes them in one transaction. Every process has one and they share the work: a row that one has
taken is passed over by the others. A relay that is killed in between leaves its rows to the next, which publishes them
again; the bus knows them by their message id, and readers by what is in them.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, FetchedValue, Identity, Text, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from services.reference.notes import Base

BATCH = 20
"""Most rows of one transaction."""


class PublishError(Exception):
    """The bus did not take an event; it stays in the outbox."""


class OutboxRow(Base):
    """A row of `outbox`."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(Text, unique=True)
    payload: Mapped[str] = mapped_column(Text)
    correlation_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=FetchedValue())


Publish = Callable[[OutboxRow], Awaitable[None]]
"""Returns when the bus has the event for good, or raises PublishError."""


def add(session: AsyncSession, *, topic: str, message_id: str, payload: str, correlation_id: str | None) -> None:
    """Publish after the commit of this transaction, and only then."""
    session.add(OutboxRow(topic=topic, message_id=message_id, payload=payload, correlation_id=correlation_id))


async def replicated(session: AsyncSession) -> list[int]:
    """Ids of the oldest rows that nobody else has taken, at most BATCH; once this transaction is committed no failover
    loses them.

    A row can be seen whose own commit gave up waiting for a standby. Locks are written to the log behind it, so this
    commit waits for both.
    """
    statement = select(OutboxRow.id).order_by(OutboxRow.id).limit(BATCH).with_for_update(skip_locked=True)
    return list((await session.execute(statement)).scalars())


async def relay(session: AsyncSession, ids: Sequence[int], publish: Publish, seconds: float) -> PublishError | None:
    """Publish rows in their order, and delete them with this transaction.

    Args:
        ids: of `replicated`; those that somebody else has taken meanwhile are passed over.
        seconds: after them no further row is begun: what is published must still be deleted within this attempt.

    Returns:
        Why it ended early, to be raised after the commit; what was published before is deleted all the same.
    """
    statement = select(OutboxRow).where(OutboxRow.id.in_(ids)).order_by(OutboxRow.id).with_for_update(skip_locked=True)
    end = time.monotonic() + seconds
    published: list[int] = []
    failed: PublishError | None = None
    for row in (await session.execute(statement)).scalars().all():
        try:
            await publish(row)
        except PublishError as error:
            failed = error
            break
        published.append(row.id)
        if time.monotonic() >= end:
            break
    if published:
        await session.execute(delete(OutboxRow).where(OutboxRow.id.in_(published)))
    return failed


async def waiting(session: AsyncSession) -> int:
    """How many rows are not published yet, or are being published now."""
    return (await session.execute(select(func.count()).select_from(OutboxRow))).scalar_one()
