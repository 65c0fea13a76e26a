"""Notes: what is stored, and how it is written and read."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import BigInteger, DateTime, FetchedValue, Identity, String, Text, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

LONGEST_BODY = 10_000
LONGEST_KEY = 200


class Base(DeclarativeBase):
    """Tables of the service; migrations/reference creates them."""


class NoteRow(Base):
    """A row of `notes`."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=FetchedValue())


class NewNote(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(extra="forbid")

    body: str = Field(min_length=1, max_length=LONGEST_BODY)

    @field_validator("body")
    @classmethod
    def _storable(cls, body: str) -> str:
        if "\x00" in body:
            raise ValueError("must not contain the character U+0000: PostgreSQL cannot store it; leave it out")
        return body


class Note(BaseModel):
    """What a caller gets."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    key: str
    body: str
    created_at: datetime


class KeyTakenError(Exception):
    """The idempotency key was used before, with another body."""


async def write(session: AsyncSession, key: str, body: str) -> tuple[Note, bool]:
    """Store a note once per key.

    Returns:
        The note, and whether this call created it.

    Raises:
        KeyTakenError: the key belongs to a note with another body.
    """
    statement = insert(NoteRow).values(key=key, body=body).on_conflict_do_nothing(index_elements=[NoteRow.key])
    created = (await session.execute(statement.returning(NoteRow))).scalar_one_or_none()
    # A try before may have been committed and given up while no standby had it. The lock is written to the log behind
    # it, so this commit waits for both; that of a transaction that only reads would acknowledge at once.
    found = select(NoteRow).where(NoteRow.key == key).with_for_update(read=True, key_share=True)
    row = created or (await session.execute(found)).scalar_one()
    if row.body != body:
        raise KeyTakenError(key)
    return Note.model_validate(row), created is not None


async def read(session: AsyncSession, note_id: int) -> Note | None:
    """The note with this id, or None."""
    row = await session.get(NoteRow, note_id)
    return Note.model_validate(row) if row else None


async def page(session: AsyncSession, after: int, limit: int) -> list[Note]:
    """Up to `limit` notes with an id above `after`, in the order of their ids."""
    statement = select(NoteRow).where(NoteRow.id > after).order_by(NoteRow.id).limit(limit)
    return [Note.model_validate(row) for row in (await session.execute(statement)).scalars()]
