"""Ordered work with fingerprints: a step runs again only when its inputs changed or its outputs are gone.

Each step prints one line with its elapsed time (and a bar while a terminal watches), writes everything else to its own
log, and leaves a stamp only when it succeeded, so that an interrupted build continues where it stopped.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from local.errors import LocalError
from local.paths import Paths
from local.progress import Progress

ROOM_HINT = "make room (docs/runbooks/disk-full.md)"
_NO_SPACE = (b"o space left on device", b"isk quota exceeded")
_FULL_BYTES = 1 << 20  # a disk with less than this left is why a program failed, whatever it says
_LOG_RESERVE = 64 << 10
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE


@dataclass(frozen=True, kw_only=True)
class Step:
    """One piece of work. Everything that can change its result is in `inputs`."""

    name: str
    """Shown to the operator and used for the log's and the stamp's file name, for example `build kube`."""
    run: Callable[[StepContext], None]
    inputs: Sequence[Path | str] = ()
    """Files (read), directories (read recursively) and plain strings that decide the result."""
    outputs: Sequence[Path] = ()
    """What must exist afterwards; a missing one makes the step run again."""
    after: Sequence[str] = ()
    """Names of steps that must have finished before."""
    seconds: float = 5.0
    """How long it usually takes on 2 cores, for the bar of the very first run; later runs use the last real time."""
    shares: str = ""
    """What one step at a time may use (`apt`, `go compiler`): such steps take turns, also those of two commands."""


@dataclass(kw_only=True)
class StepContext:
    """What a running step may use: its directories and a way to run commands into its log."""

    paths: Paths
    log: IO[bytes]
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def command(
        self, argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Run a program with its output in the step's log.

        Args:
            argv: program and arguments; no shell is involved.
            cwd: working directory, default the checkout.
            env: variables added to this process's environment.

        Raises:
            LocalError: it could not be started, or exited with another code than 0.
        """
        words = [str(word) for word in argv]
        self.log.write(f"$ {' '.join(words)}\n".encode())
        self.log.flush()
        began = self.log.tell()
        if self.cancelled.is_set():
            raise LocalError(f"{words[0]} was not started: the command was interrupted")
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd or self.paths.root,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must reach the step's whole tree through us, not half of it directly
            )
        except OSError as error:
            raise LocalError(f"cannot run {words[0]}: {error.strerror}") from error
        self.running.add(process)
        try:
            code = process.wait()
        finally:
            self.running.discard(process)
        if code == 0:
            return
        if full := self._full_disk(began):
            raise LocalError(f"{words[0]} found no space left on {full}", hint=ROOM_HINT)
        raise LocalError(f"{words[0]} ended with exit code {code}")

    def _full_disk(self, began: int) -> str:
        """Which disk is full, if that is why a program failed; empty otherwise.

        Most programs say it; a registry's client says anything else, and Go's frees what it filled before it ends.
        """
        for directory in (self.paths.cache, self.paths.state, Path(tempfile.gettempdir())):
            if directory.exists() and shutil.disk_usage(directory).free < _FULL_BYTES:
                return f"the disk of {directory}"
        said = Path(self.log.name).read_bytes()[began:]
        return "a disk that its log names" if any(words in said for words in _NO_SPACE) else ""

    def cancel(self) -> None:
        """End whatever this step runs, with its children."""
        self.cancelled.set()
        for process in list(self.running):
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue


def run_steps(
    steps: Sequence[Step], paths: Paths, progress: Progress, *, workers: int = 2, retry: str = "make up"
) -> list[str]:
    """Run the steps that are not up to date, in the order of their `after`, and return the names of those that ran.

    Args:
        workers: steps at once; 2 fills two cores, as linking uses one.
        retry: the command that the operator should give after mending a failure.

    Raises:
        LocalError: a step failed (its log is named), or `after` names an unknown step or a cycle.
        KeyboardInterrupt: passed on after the running steps were ended; finished steps keep their stamps.
    """
    _check(steps)
    for directory in (paths.step_logs, paths.stamps, paths.bin, paths.step_locks):
        directory.mkdir(parents=True, exist_ok=True)
    return _Run(steps, paths, progress, workers, retry).all()


@contextmanager
def _only_builder(lock: Path, step: str, progress: Progress, cancelled: threading.Event) -> Iterator[None]:
    """Hold one step of the cache, which all instances share: two builds of one program would take each other's files.

    What another command builds meanwhile, and what is built already, holds nobody up.
    """
    with lock.open("w") as file:
        waiting = False
        while not cancelled.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    progress.say(f"waiting for another command of this project, which does the same: {step}")
                waiting = True
            cancelled.wait(0.5)
        yield


class _Run:
    """One call of run_steps: the waiting, running and finished steps."""

    def __init__(self, steps: Sequence[Step], paths: Paths, progress: Progress, workers: int, retry: str) -> None:
        self.paths, self.progress, self.retry, self.workers = paths, progress, retry, workers
        self.waiting = list(steps)
        self.contexts: dict[str, StepContext] = {}
        self.cancelled = threading.Event()
        self.done: set[str] = set()
        self.ran: list[str] = []

    def all(self) -> list[str]:
        futures: dict[Future[bool], Step] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while self.waiting or futures:
                    for step in self._startable(futures.values()):
                        self.waiting.remove(step)
                        futures[pool.submit(self._one, step)] = step
                    finished, _ = wait(futures, timeout=0.5, return_when=FIRST_COMPLETED)
                    for future in finished:
                        step = futures.pop(future)
                        if future.result():
                            self.ran.append(step.name)
                        self.done.add(step.name)
            except BaseException:
                self.cancelled.set()
                for context in list(self.contexts.values()):
                    context.cancel()
                raise
        return self.ran

    def _startable(self, running: Collection[Step]) -> list[Step]:
        """What free workers can start: steps whose predecessors are done, and no two that share something."""
        used = {step.shares for step in running}
        found: list[Step] = []
        for step in self.waiting:
            if set(step.after) <= self.done and (not step.shares or step.shares not in used):
                found.append(step)
                used.add(step.shares)
        return found[: self.workers - len(running)]

    def _one(self, step: Step) -> bool:
        """Run one step unless its stamp fits; True if it ran."""
        slug = step.name.replace(" ", "-").replace("/", "-")
        stamp, wanted = self.paths.stamps / f"{slug}.json", fingerprint(step.inputs)
        if _is_done(step, stamp, wanted):
            return False
        with _only_builder(self.paths.step_locks / (step.shares or slug), step.name, self.progress, self.cancelled):
            if self.cancelled.is_set():
                raise LocalError(f"step '{step.name}' was not started: the command was interrupted")
            if _is_done(step, stamp, wanted):  # by the command that we waited for
                return False
            self._run(step, slug, stamp, wanted)
        return True

    def _run(self, step: Step, slug: str, stamp: Path, wanted: str) -> None:
        log_file, last = self.paths.step_logs / f"{slug}.log", _read_stamp(stamp)
        expected = float(str(last.get("seconds", step.seconds)))
        started = time.monotonic()
        try:
            with _open_log(log_file) as log, self.progress.step(step.name, expected):
                context = self.contexts[step.name] = StepContext(paths=self.paths, log=log)
                step.run(context)
                _require(step.outputs)
        except (LocalError, OSError) as problem:
            error = problem if isinstance(problem, LocalError) else _of_system(problem)
            advice = error.hint or f"read the end of {log_file}"
            raise LocalError(
                f"step '{step.name}' failed: {error.message}",
                hint=f"{advice}; then run `{self.retry}` again, it continues here",
                exit_code=error.exit_code,
            ) from problem
        finally:
            self.contexts.pop(step.name, None)
        write_atomically(stamp, json.dumps({"fingerprint": wanted, "seconds": round(time.monotonic() - started, 1)}))


@contextmanager
def _open_log(file: Path) -> Iterator[IO[bytes]]:
    """A step's log. Room for its text is taken first, or on a full disk nobody could write down that it is full.

    Raises:
        OSError: there is no room even for that.
    """
    with file.open("wb") as log:
        libc = ctypes.CDLL(None, use_errno=True)
        size = ctypes.c_long(_LOG_RESERVE)
        if libc.fallocate(log.fileno(), _KEEP_SIZE, ctypes.c_long(0), size) != 0 and ctypes.get_errno() == errno.ENOSPC:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        try:
            yield log
        finally:
            log.flush()
            os.ftruncate(log.fileno(), os.fstat(log.fileno()).st_size)  # gives back what was not used


def _of_system(problem: OSError) -> LocalError:
    full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
    return LocalError(str(problem), hint=ROOM_HINT if full else "")


def fingerprint(inputs: Sequence[Path | str]) -> str:
    """sha256 over strings and file contents; a directory counts with all its files' relative names and contents."""
    digest = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            digest.update(b"s" + item.encode() + b"\0")
        elif item.is_dir():
            for file in sorted(path for path in item.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
                digest.update(b"f" + str(file.relative_to(item)).encode() + b"\0" + file.read_bytes() + b"\0")
        elif item.exists():
            digest.update(b"f" + item.name.encode() + b"\0" + item.read_bytes() + b"\0")
        else:
            digest.update(b"absent " + item.name.encode() + b"\0")
    return digest.hexdigest()


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash in the middle, sees the old or the new content and nothing else."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _require(outputs: Sequence[Path]) -> None:
    missing = [str(path) for path in outputs if not path.exists()]
    if missing:
        raise LocalError(f"it made no {', '.join(missing)}")


def _is_done(step: Step, stamp: Path, wanted: str) -> bool:
    return _read_stamp(stamp).get("fingerprint") == wanted and all(path.exists() for path in step.outputs)


def _read_stamp(stamp: Path) -> dict[str, object]:
    try:
        content = json.loads(stamp.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _check(steps: Sequence[Step]) -> None:
    known: set[str] = set()
    names = {step.name for step in steps}
    rest = list(steps)
    while rest:
        ready = [step for step in rest if set(step.after) <= known]
        if not ready:
            unknown = sorted({after for step in rest for after in step.after} - names)
            raise LocalError(f"steps wait for {unknown or [step.name for step in rest]}, which never finish")
        known.update(step.name for step in ready)
        rest = [step for step in rest if step not in ready]
