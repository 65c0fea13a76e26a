"""One command at a time changes an instance; the second is told who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from local.errors import LockedError, MachineError
from local.paths import Paths


@contextmanager
def exclusive(paths: Paths, command: str) -> Iterator[None]:
    """Hold the instance for the block. The kernel frees the lock when the holder dies, however it dies.

    Args:
        command: what the operator typed, shown to whoever comes second, for example `make up STACK=dev`.

    Raises:
        LockedError: another command holds it.
        MachineError: the state directory cannot be made (usually: not root).
    """
    try:
        paths.state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise MachineError(
            f"cannot write the state directory {paths.state}: {error.strerror}",
            hint="run as root; for a stack on an existing cluster OMNIBASE_STATE may be a directory of yours",
        ) from error
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(_holder(file.read()), hint="wait until it has finished, or stop it with Ctrl-C") from None
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "command": command, "since": time.strftime("%H:%M:%S")}, file)
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()


def _holder(content: str) -> str:
    try:
        holder = json.loads(content)
        return f"`{holder['command']}` (pid {holder['pid']}, since {holder['since']}) holds this instance"
    except (ValueError, KeyError, TypeError):
        return "another command holds this instance"
