"""Running `pulumi` so that its output is seen at once and Ctrl-C reaches it exactly once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from local.errors import MachineError

_REMEMBERED_LINES = 200


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a command of the engine ended."""

    code: int
    """Its exit code; negative: the number of the signal that ended it."""
    output: str
    """Its last 200 lines, standard output and standard error together."""
    interrupted: bool
    """Whether it was asked to stop while it ran."""


def stream(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], write: Callable[[str], object]) -> Finished:
    """Run a command of the engine and pass each line of its output on as it comes.

    SIGINT, SIGTERM and SIGHUP sent to this process are passed on as SIGINT: at the first the engine finishes what is
    under way and saves its state, at the second it stops at once. The engine runs in a process group of its own, as a
    terminal would otherwise deliver Ctrl-C both to it directly and through us, which it takes as the second one.

    Raises:
        MachineError: the program does not exist or cannot be started.
    """
    last: deque[str] = deque(maxlen=_REMEMBERED_LINES)
    with _passing_on() as interrupts, _start(argv, cwd, env) as process:
        interrupts.reach(process)
        assert process.stdout is not None  # noqa: S101 - PIPE above
        for line in process.stdout:
            last.append(line)
            write = _still_heard(write, line)
        code = process.wait()
    return Finished(code=code, output="".join(last), interrupted=interrupts.happened)


def _start(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
    except OSError as error:
        raise MachineError(f"cannot run {argv[0]}: {error.strerror}", hint="run `make up`, which builds it") from error


def _still_heard(write: Callable[[str], object], line: str) -> Callable[[str], object]:
    """Write a line. Where nobody reads any more (`make up | head`, a closed terminal) the engine must still finish."""
    try:
        write(line)
    except OSError:
        return len
    return write


class _Interrupts:
    """Signals on their way to the engine. One that comes while it is being started is kept until it can be reached."""

    def __init__(self) -> None:
        self.happened = False
        self._early = False
        self._process: subprocess.Popen[str] | None = None

    def reach(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        if self._early:
            process.send_signal(signal.SIGINT)

    def pass_on(self, _number: int, _frame: FrameType | None) -> None:
        self.happened = True
        if self._process is None:
            self._early = True
        else:
            self._process.send_signal(signal.SIGINT)


@contextmanager
def _passing_on() -> Iterator[_Interrupts]:
    """Turn SIGINT, SIGTERM and SIGHUP of this process into SIGINTs of the engine, from before it is started.

    Otherwise one that arrived in between would end us and leave an engine that nobody watches.
    """
    made, numbers = _Interrupts(), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield made  # Python delivers signals to the main thread only
        return
    before = {number: signal.signal(number, made.pass_on) for number in numbers}
    try:
        yield made
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def to_stdout(line: str) -> None:
    """Write a line of output without waiting for a buffer to fill."""
    sys.stdout.write(line)
    sys.stdout.flush()
