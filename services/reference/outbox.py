"""The outbox: what is to be published is a row of the transaction that it tells of, and so exists exactly if that does.

A relay takes rows, publishes them and deletes them in one transaction. Every process has one and they share the work:
a row that one has taken is passed over by the others. A relay that is killed in between leaves its rows to the next,
which publishes them again; the bus knows them by their message id, and readers by what is in them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, FetchedValue, Identity, Text, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from services.reference.notes import Base

BATCH = 20
"""Most rows of one transaction: all of them must be published within the time of one attempt."""


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


def add(session: AsyncSession, *, topic: str, message_id: str, payload: str, correlation_id: str | None) -> None:
    """Publish after the commit of this transaction, and only then."""
    session.add(OutboxRow(topic=topic, message_id=message_id, payload=payload, correlation_id=correlation_id))


async def relay(session: AsyncSession, publish: Publish) -> int:
    """Publish the oldest rows that nobody else has taken, in their order, and delete them with this transaction.

    Args:
        publish: returns when the bus has the event for good.

    Returns:
        How many there were, at most BATCH.
    """
    statement = select(OutboxRow).order_by(OutboxRow.id).limit(BATCH).with_for_update(skip_locked=True)
    rows: Sequence[OutboxRow] = (await session.execute(statement)).scalars().all()
    for row in rows:
        await publish(row)
    if rows:
        await session.execute(delete(OutboxRow).where(OutboxRow.id.in_([row.id for row in rows])))
    return len(rows)


async def waiting(session: AsyncSession) -> int:
    """How many rows are not published yet, or are being published now."""
    return (await session.execute(select(func.count()).select_from(OutboxRow))).scalar_one()
