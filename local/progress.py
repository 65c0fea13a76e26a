"""What an operator sees while work is under way: a line per step with its elapsed time, a bar on a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

_HEARTBEAT_SECONDS = 30.0  # a log reader must see that a long step is alive


class Progress:
    """Prints steps. On a terminal a live bar shows the share of the expected time; elsewhere a line every 30 s."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._bars: Bars | None = None
        self._depth = 0
        self._guard = threading.Lock()
        self.started = time.monotonic()

    def say(self, text: str) -> None:
        """Print one line, stamped with the seconds since the command began."""
        self.console.print(f"[dim]{time.monotonic() - self.started:7.1f}s[/dim]  {text}", soft_wrap=True)

    @contextmanager
    def step(self, name: str, expected_seconds: float) -> Iterator[None]:
        """Show a step while its block runs; the closing line says how long it took and whether it failed."""
        started = time.monotonic()
        stop = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(name, expected_seconds, started, stop), daemon=True)
        watcher.start()
        failed = True
        try:
            yield
            failed = False
        finally:
            stop.set()
            watcher.join()
            mark = "[red]failed[/red]" if failed else "[green]done[/green]"
            self.say(f"{mark}  {escape(name)}  ({time.monotonic() - started:.1f} s)")

    def _watch(self, name: str, expected: float, started: float, stop: threading.Event) -> None:
        if not self.console.is_terminal:
            while not stop.wait(_HEARTBEAT_SECONDS):
                self.say(f"...  {escape(name)}  ({time.monotonic() - started:.0f} s of about {expected:.0f} s)")
            return
        bars = self._enter()
        task = bars.add_task(escape(name), total=expected)
        while not stop.wait(0.2):
            bars.update(task, completed=min(time.monotonic() - started, expected * 0.99))
        bars.remove_task(task)
        self._leave()

    def _enter(self) -> Bars:
        with self._guard:
            if self._bars is None:
                self._bars = Bars(
                    SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
                    console=self.console, transient=True,
                )  # fmt: skip
                self._bars.start()
            self._depth += 1
            return self._bars

    def _leave(self) -> None:
        with self._guard:
            self._depth -= 1
            if self._depth == 0 and self._bars is not None:
                self._bars.stop()
                self._bars = None
