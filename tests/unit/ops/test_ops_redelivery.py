"""`ops messages redeliver`: which letters go, what is published, and that each goes once."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from nats.errors import TimeoutError as BusTimeout
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from rich.console import Console
from typer.testing import CliRunner

from local.errors import InputError
from ops.cli import app
from ops.messages import command, redelivery

TOPIC, LETTERS = "onex.evt.orders.order-placed.v1", "onex_dlq_orders_order-placed_v1"
LETTER = {
    "original_subject": TOPIC,
    "original_message": '{"order": 7}',
    "original_headers": {"X-Correlation-ID": ["abc-1"], "Tenant": ["blue"], "Nats-Msg-Id": ["7"]},
    "encoding": "utf-8",
    "consumer": "billing",
    "correlation_id": "abc-1",
}


@dataclass
class Streams:
    """What the command uses of the bus: letters and records by place, and what was published."""

    letters: dict[int, dict[str, Any]]
    records: dict[str, bytes] = field(default_factory=dict)
    events: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    away: bool = False

    async def stream_info(self, name: str) -> Any:  # noqa: ANN401 -- of the library
        assert name == LETTERS
        first, last = (min(self.letters), max(self.letters)) if self.letters else (0, 0)
        return SimpleNamespace(state=SimpleNamespace(messages=len(self.letters), first_seq=first, last_seq=last))

    async def get_msg(self, name: str, seq: int | None = None, subject: str | None = None) -> Any:  # noqa: ANN401
        found = json.dumps(self.letters.get(seq)).encode() if seq in self.letters else self.records.get(subject or "")
        if found is None:
            raise NotFoundError
        assert name == (LETTERS if seq else "omnibase_redeliveries")
        return SimpleNamespace(data=found)

    async def publish(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> Any:  # noqa: ANN401
        if self.away:
            raise BusTimeout
        if headers is None:
            self.records[subject] = body
        else:
            self.events.append((subject, body, headers))
        return SimpleNamespace(seq=40 + len(self.events))


def redeliver(streams: Streams, *letters: int, dry_run: bool = False) -> list[redelivery.Row]:
    work = redelivery.Work(topic=TOPIC, by="anna@desk", dry_run=dry_run)
    bus = cast(JetStreamContext, streams)
    return asyncio.run(work.chosen(bus, letters) if letters else work.all(bus))


@pytest.mark.req("C7.5")
def test_an_event_goes_out_with_its_own_headers_and_says_where_it_comes_from() -> None:
    streams = Streams({4: LETTER})
    (row,) = redeliver(streams, 4)
    assert (row.outcome, row.event, row.consumer, row.correlation_id) == ("redelivered", 41, "billing", "abc-1")
    ((subject, body, headers),) = streams.events
    assert (subject, body) == (TOPIC, b'{"order": 7}')
    assert headers == {
        "X-Correlation-ID": "abc-1",
        "Tenant": "blue",
        "Redelivered-From": "onex.dlq.orders.order-placed.v1:4",
        "Nats-Msg-Id": "redelivered:onex.dlq.orders.order-placed.v1:4",
    }


def test_a_letter_goes_once_and_its_record_says_who_did_it() -> None:
    streams = Streams({4: LETTER})
    redeliver(streams, 4)
    record = json.loads(streams.records[f"omnibase.redeliveries.{LETTERS}.4"])
    assert (record["by"], record["event"], record["topic"], record["correlation_id"]) == (
        "anna@desk",
        41,
        TOPIC,
        "abc-1",
    )
    (row,) = redeliver(streams, 4)
    assert (row.outcome, row.event, row.detail) == ("already", 41, f"by anna@desk at {record['at']}")
    assert len(streams.events) == 1


def test_all_of_them_go_in_their_order_and_what_went_before_is_no_fault() -> None:
    streams = Streams({3: LETTER, 5: LETTER})
    redeliver(streams, 5)
    rows = redeliver(streams)
    assert [(row.letter, row.outcome) for row in rows] == [(3, "redelivered"), (5, "already")]
    assert redelivery.succeeded(rows, everything=True)
    assert not redelivery.succeeded(rows, everything=False)
    assert redeliver(Streams({})) == []


def test_a_dry_run_publishes_nothing() -> None:
    streams = Streams({4: LETTER})
    (row,) = redeliver(streams, 4, dry_run=True)
    assert (row.outcome, streams.events, streams.records) == ("would be redelivered", [], {})


@pytest.mark.parametrize(
    ("number", "letter", "said"),
    [
        (9, LETTER, "there is no such letter"),
        (4, {**LETTER, "original_subject": "", "original_message": ""}, "was gone from its topic"),
    ],
)
def test_what_cannot_go_is_refused_with_its_reason(number: int, letter: dict[str, Any], said: str) -> None:
    streams = Streams({4: letter})
    (row,) = redeliver(streams, number)
    assert row.outcome == "refused"
    assert said in row.detail
    assert streams.events == []


def test_a_bus_that_goes_away_ends_the_work_at_that_letter() -> None:
    rows = redeliver(Streams({3: LETTER, 4: LETTER}, away=True))
    assert [(row.letter, row.outcome) for row in rows] == [(3, "failed")]
    assert "give the same command again" in rows[0].detail


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    assert redelivery.body({**LETTER, "encoding": "base64", "original_message": "/w=="}) == base64.b64decode("/w==")


def test_a_letter_of_an_older_controller_has_its_correlation_id() -> None:
    old = {name: value for name, value in LETTER.items() if name != "original_headers"}
    assert redelivery.headers(old, "dlq", 4)["X-Correlation-ID"] == "abc-1"


@pytest.mark.parametrize(("letters", "everything"), [((), False), ((4,), True)])
def test_neither_and_both_of_letters_and_all_are_bad_input(letters: tuple[int, ...], everything: bool) -> None:
    with pytest.raises(InputError, match="name letters, or all of them"):
        command.redeliver("dev", TOPIC, letters, everything=everything, dry_run=True, as_json=False, console=Console())


def test_an_option_before_the_subcommand_is_refused_as_it_would_be_ignored() -> None:
    ended = CliRunner().invoke(app, ["messages", "--stack", "prod", "redeliver", TOPIC, "--all"])
    assert isinstance(ended.exception, InputError)
    assert "--stack stands before 'redeliver'" in str(ended.exception)
