"""One supervised program: what is known about it, and the system calls to start, watch and end it. Light on imports."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

_FIRST_PAUSE, _LONGEST_PAUSE, _HEALTHY = 0.5, 30.0, 60.0  # seconds
_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND  # appending survives that the file is cut while it is open


class Process:
    """A program's specification and its present life."""

    def __init__(self, spec: dict[str, Any], directory: str) -> None:
        self.spec = spec
        self.log = f"{directory}/logs/{spec['name']}.log"
        self.wanted = True
        self.served = False
        """It has been ready at least once since it was first wanted: others may start."""
        self.ready = False
        self.restarts = 0
        self.revision = ""
        self.pause = _FIRST_PAUSE
        self.next_start = 0.0
        self.started = 0.0
        self.last_end = ""
        self._clear()

    def _clear(self) -> None:
        self.pid, self.born, self.pidfd, self.probe = 0, 0, -1, 0
        self.ready = False
        self.next_probe = 0.0

    def reset(self) -> None:
        """Forget the past: the next start is a first one and comes at once."""
        self.pause, self.next_start = _FIRST_PAUSE, 0.0

    def adopt(self, record: dict[str, Any]) -> None:
        """Continue to watch a recorded program that a former supervisor started, if it still lives."""
        self.restarts, self.wanted = int(record.get("restarts", 0)), bool(record.get("wanted", True))
        self.served = bool(record.get("served", False))
        pid, born = int(record.get("pid", 0)), int(record.get("born", 0))
        if not pid or alive(pid) != born:
            if pid:
                self.restarts += 1
            return
        try:
            self.pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self.pid, self.born, self.started = pid, born, float(record.get("started", time.time()))
        self.revision = str(record.get("revision", ""))

    def record(self) -> dict[str, object]:
        """What the next supervisor must know."""
        return {
            "pid": self.pid,
            "born": self.born,
            "started": self.started,
            "restarts": self.restarts,
            "served": self.served,
            "wanted": self.wanted,
            "revision": self.revision,
        }

    def describe(self) -> dict[str, object]:
        """What an operator may know."""
        return {
            "pid": self.pid,
            "ready": self.ready,
            "wanted": self.wanted,
            "restarts": self.restarts,
            "uptime_seconds": round(time.time() - self.started, 1) if self.pid else 0.0,
            "last_end": self.last_end,
            "log": self.log,
        }

    def unsettled(self) -> bool:
        """Something about it is about to change."""
        return self.wanted and not self.ready

    def may_start(self, needs_are_ready: bool) -> bool:
        """Whether now is the time to start it; what it needs is waited for once only."""
        return self.wanted and not self.pid and (needs_are_ready or self.served) and time.monotonic() >= self.next_start

    def start(self) -> None:
        """Start it, with its output appended to its log."""
        try:
            self.pid = spawn(self.spec["argv"], self.spec["env"], self.log)
        except OSError as error:
            self._schedule(f"cannot be started: {error}")
            return
        self.born = alive(self.pid) or 0
        self.pidfd = os.pidfd_open(self.pid)
        self.started = time.time()
        self.revision = str(self.spec["revision"])

    def ended(self) -> None:
        """It ended by itself: note how, and when it may start again."""
        how = _collect(self.pid)
        if time.time() - self.started > _HEALTHY:
            self.pause = _FIRST_PAUSE
        self._forget()
        self.restarts += 1
        self._schedule(how)

    def _schedule(self, reason: str) -> None:
        self.last_end = reason
        self.next_start = time.monotonic() + self.pause
        self.pause = min(self.pause * 2, _LONGEST_PAUSE)

    def _forget(self) -> None:
        if self.pidfd >= 0:
            os.close(self.pidfd)
        if self.probe:
            _kill(self.probe, signal.SIGKILL)
            _collect(self.probe)
        self._clear()

    def ask_to_end(self) -> None:
        """Send the polite signal without waiting."""
        if self.pid and alive(self.pid) == self.born:
            _kill(self.pid, signal.SIGTERM)

    def terminate(self, seconds: float) -> None:
        """End it: ask first, and after `seconds` insist."""
        if self.pid and alive(self.pid) == self.born:
            self.ask_to_end()
            if not _wait(self.pidfd, seconds):
                _kill(self.pid, signal.SIGKILL)
                _wait(self.pidfd, 5.0)
        if self.pid:
            self.last_end = _collect(self.pid)
        self._forget()

    def check_ready(self) -> bool:
        """Ask a running program that is not ready yet, in a short-lived child; True if it has just become ready."""
        if not self.pid or self.ready:
            return False
        question = self.spec["ready"]
        if question is None:
            self.ready = self.served = True
            return True
        if self.probe:
            ended, status = os.waitpid(self.probe, os.WNOHANG)
            if not ended:
                return False
            self.probe = 0
            if status == 0:
                self.ready = self.served = True
                return True
            self.next_probe = time.monotonic() + 0.3
        elif time.monotonic() >= self.next_probe:
            self.probe = _ask(question)
        return False

    def rotate_log(self, limit: int) -> None:
        """Keep the log below `limit` bytes and one older piece beside it."""
        try:
            if os.stat(self.log).st_size <= limit:  # noqa: PTH116 - see the module's first line
                return
            with open(self.log, "rb") as source, open(f"{self.log}.1", "wb") as target:  # noqa: PTH123
                while chunk := source.read(1 << 20):
                    target.write(chunk)
            os.truncate(self.log, 0)
        except FileNotFoundError:
            return


def spawn(argv: list[str], env: dict[str, str], log: str) -> int:
    """Start a program in a session of its own, output to `log`; return its pid."""
    os.makedirs(os.path.dirname(log), exist_ok=True)  # noqa: PTH103, PTH120
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, _LOG_FLAGS, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(
        argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=[signal.SIGHUP, signal.SIGPIPE]
    )


def alive(pid: int) -> int | None:
    """Clock tick at which a living process started; None where there is none, or only a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def read_json(path: str) -> dict[str, Any]:
    """A JSON object, empty where the file is missing or damaged."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            content = json.load(file)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: str, content: dict[str, Any]) -> None:
    """Write a JSON object so that a reader sees the old or the new one."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w") as file:  # noqa: PTH123
        json.dump(content, file)
    os.replace(temporary, path)  # noqa: PTH105


def _ask(question: dict[str, str]) -> int:
    """Fork a child that ends with 0 if the answer is yes: the TLS library then never stays in our memory."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.alarm(3)
        code = 0 if _answers(question) else 1
    finally:
        os._exit(code)


def _answers(question: dict[str, str]) -> bool:
    import socket  # noqa: PLC0415

    if question.get("socket"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(question["socket"])
        return True
    import ssl  # noqa: PLC0415

    scheme, _, rest = question["url"].partition("://")
    address, _, path = rest.partition("/")
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port or 80)), timeout=2) as plain:
        if scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # it asks whether our own program serves, and sends nothing secret
            connection = context.wrap_socket(plain)
        else:
            connection = plain
        connection.sendall(f"GET /{path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        return connection.recv(64).split()[1:2] == [b"200"]


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait(pidfd: int, seconds: float) -> bool:
    import select  # noqa: PLC0415

    watched = select.poll()
    watched.register(pidfd, select.POLLIN)
    return bool(watched.poll(seconds * 1000))


def _collect(pid: int) -> str:
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return "ended (started by a former supervisor)"
    code = os.waitstatus_to_exitcode(status)
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
