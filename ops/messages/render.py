"""The state of the bus as tables for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.messages.state import BusState, Topic

if TYPE_CHECKING:
    from ops.messages.redelivery import Row

_MIB = 1 << 20


def render(console: Console, state: BusState) -> None:
    """Print topics with their readers, then dead letters, then what is wrong."""
    table = Table("topic", "events", "full", "reader", "waiting", "in work", "again", "dead", box=box.SIMPLE_HEAD)
    for topic in state.topics:
        _rows(table, topic)
    console.print(table)
    letters = [(topic.topic, letter) for topic in state.topics for letter in topic.letters]
    if letters:
        shown = Table("id", "when (UTC)", "topic", "reader", "kind", "tries", "reason", box=box.SIMPLE_HEAD)
        # An id that is broken into lines cannot be copied into the next command.
        longest = max(len(letter.correlation_id) for _, letter in letters)
        shown.add_column("correlation id", no_wrap=True, min_width=longest)
        for name, letter in letters:
            when = letter.timestamp[:19].replace("T", " ")
            words = (str(letter.sequence), when, name, letter.consumer, letter.error_type)
            tail = (str(letter.retry_count), letter.failure_reason, letter.correlation_id)
            shown.add_row(*(escape(word) for word in (*words, *tail)))
        console.print("[bold]newest dead letters[/bold]")
        console.print(shown)
    if state.undeclared:
        console.print(f"kept though nobody declares them: {escape(', '.join(state.undeclared))}", soft_wrap=True)
    for problem in state.problems:
        console.print(f"[red]problem[/red]  {escape(problem)}", soft_wrap=True)
    if not state.connected:
        console.print("[red]problem[/red]  the controller has no connection to the bus; the figures are of before")


def render_rows(console: Console, rows: Sequence[Row]) -> None:
    """Print what became of each letter."""
    if not rows:
        console.print("no dead letter is kept")
        return
    table = Table("id", "reader", "outcome", "event", "detail", box=box.SIMPLE_HEAD)
    table.add_column("correlation id", no_wrap=True, min_width=max(len(row.correlation_id) for row in rows))
    for row in rows:
        words = (str(row.letter), row.consumer, row.outcome, str(row.event or ""), row.detail, row.correlation_id)
        table.add_row(*map(escape, words))
    console.print(table)


def _rows(table: Table, topic: Topic) -> None:
    full = f"{100 * topic.bytes // topic.limit_bytes} % of {topic.limit_bytes // _MIB} MiB"
    dead = f"[yellow]{topic.dead_letters}[/yellow]" if topic.dead_letters else "0"
    head, tail = (escape(topic.topic), str(topic.events), full), (dead,)
    if not topic.consumers:
        table.add_row(*head, "-", "", "", "", *tail)
    for number, each in enumerate(topic.consumers):
        figures = (escape(each.name), str(each.pending), str(each.unacknowledged), str(each.redelivered))
        table.add_row(*(head if number == 0 else ("", "", "")), *figures, *(tail if number == 0 else ("",)))
