"""Hand dead letters out again: which may go, what is published, and the record that keeps one from going twice."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from nats.errors import Error as BusError
from nats.js import JetStreamContext
from nats.js.errors import Error as StreamError
from nats.js.errors import NotFoundError
from omnibase_infra.config.topics import REDELIVERIES, dead_letters, redelivery, stream

REDELIVERED, WOULD_BE, ALREADY, REFUSED, FAILED = "redelivered", "would be redelivered", "already", "refused", "failed"
FROM = "Redelivered-From"
"""Header of an event that was handed out again: `<topic of dead letters>:<sequence of the letter>`."""
_OF_THE_BUS = "nats-"  # headers that told the bus what to do with the first copy


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one letter."""

    letter: int
    """Its sequence among the dead letters."""
    consumer: str
    """Who could not handle it."""
    correlation_id: str
    outcome: str
    """redelivered, would be redelivered, already, refused, failed."""
    detail: str
    """Why not, or who did it before."""
    event: int = 0
    """Sequence of the new event in its topic; 0 for none."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One run of the command."""

    topic: str
    by: str
    """Who gave the command, for the record."""
    dry_run: bool

    @property
    def letters(self) -> str:
        """Stream of the topic's dead letters."""
        return stream(dead_letters(self.topic))

    async def all(self, streams: JetStreamContext) -> list[Row]:
        """Every letter that is kept, the oldest first."""
        state = (await streams.stream_info(self.letters)).state
        kept = range(state.first_seq, state.last_seq + 1) if state.messages else ()
        return [row for row in await self.chosen(streams, kept) if row.detail != _GONE]

    async def chosen(self, streams: JetStreamContext, letters: Sequence[int]) -> list[Row]:
        """These letters, in this order; after one that failed no other is tried."""
        rows: list[Row] = []
        for sequence in letters:
            try:
                rows.append(await self._one(streams, sequence))
            except (BusError, StreamError) as error:
                reason = str(error) or type(error).__name__
                rows.append(_row(sequence, {}, FAILED, f"the bus: {reason}; give the same command again"))
                break
        return rows

    async def _one(self, streams: JetStreamContext, sequence: int) -> Row:
        letter = await _read(streams, self.letters, seq=sequence)
        if letter is None:
            return _row(sequence, {}, REFUSED, _GONE)
        done = await _read(streams, REDELIVERIES, subject=redelivery(self.letters, sequence))
        if done is not None:
            return _row(sequence, letter, ALREADY, f"by {done['by']} at {done['at']}", int(done["event"]))
        if not letter.get("original_subject"):
            return _row(sequence, letter, REFUSED, "the event was gone from its topic before the letter was written")
        if self.dry_run:
            return _row(sequence, letter, WOULD_BE, "")
        # The bus drops a second copy under the same id: two operators at once, or a command that was cut off here.
        sent = await streams.publish(
            letter["original_subject"], body(letter), headers=headers(letter, dead_letters(self.topic), sequence)
        )
        record = {
            "topic": self.topic, "letter": sequence, "event": sent.seq, "consumer": letter["consumer"],
            "correlation_id": letter["correlation_id"], "by": self.by, "at": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        await streams.publish(redelivery(self.letters, sequence), json.dumps(record).encode())
        return _row(sequence, letter, REDELIVERED, "", sent.seq)


_GONE = "there is no such letter; letters are kept for seven days"


def body(letter: Mapping[str, Any]) -> bytes:
    """The event as its producer published it."""
    text = str(letter["original_message"])
    return base64.b64decode(text) if letter["encoding"] == "base64" else text.encode()


def headers(letter: Mapping[str, Any], topic: str, sequence: int) -> dict[str, str]:
    """The event's own headers, and where it comes from.

    Args:
        letter: as the controller wrote it; one of an older controller has the correlation id only.
        topic: of the dead letters.
        sequence: of the letter.
    """
    own = {
        name: ", ".join(values)
        for name, values in (letter.get("original_headers") or {}).items()
        if not name.lower().startswith(_OF_THE_BUS)
    }
    if letter["correlation_id"]:
        own.setdefault("X-Correlation-ID", str(letter["correlation_id"]))
    return {**own, FROM: f"{topic}:{sequence}", "Nats-Msg-Id": f"redelivered:{topic}:{sequence}"}


def succeeded(rows: Sequence[Row], *, everything: bool) -> bool:
    """Whether all that was asked for was done; of all letters those that went before are no fault."""
    good = {REDELIVERED, WOULD_BE, *([ALREADY] if everything else [])}
    return all(row.outcome in good for row in rows)


def document(work: Work, rows: Sequence[Row]) -> dict[str, Any]:
    """Plain JSON values."""
    return {"topic": work.topic, "dry_run": work.dry_run, "letters": [asdict(row) for row in rows]}


async def _read(streams: JetStreamContext, name: str, **which: Any) -> dict[str, Any] | None:  # noqa: ANN401 -- of get_msg
    try:
        message = await streams.get_msg(name, **which)
    except NotFoundError:
        return None
    found: dict[str, Any] = json.loads(message.data or b"{}")
    return found


def _row(sequence: int, letter: Mapping[str, Any], outcome: str, detail: str, event: int = 0) -> Row:
    return Row(
        letter=sequence,
        consumer=str(letter.get("consumer", "")),
        correlation_id=str(letter.get("correlation_id", "")),
        outcome=outcome,
        detail=detail,
        event=event,
    )
