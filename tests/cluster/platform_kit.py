"""What the tests of the whole environment share: the commands as an operator types them, and the service's door."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.engine import Engine
from local.engine.locks import MARK
from local.node.network import NetworkPlan
from local.paths import Paths
from tests.cluster.failure_report import remember
from tests.cluster.node_kit import Kubectl, eventually

STACK = os.environ.get("OMNIBASE_TEST_STACK", "test")
"""The stack that is deployed; another one, on an instance of its own, lets two people test at the same time."""
NAMESPACE = f"omnibase-{STACK}"
_COMMAND_SECONDS = 1200  # a first deployment takes 150 s; on a machine that builds beside, several times that


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A command that ended, with both streams of its output in one text."""

    code: int
    text: str


def local(*arguments: str, **variables: str) -> Finished:
    """Run `python -m local ...` to its end."""
    process = start_local(*arguments, **variables)
    text, _ = process.communicate(timeout=_COMMAND_SECONDS)
    remember(text)
    return Finished(code=process.returncode, text=text)


def start_local(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start `python -m local ...`, as the Makefile does, without the variables of this test run."""
    kept = ("OMNIBASE_CACHE", "OMNIBASE_STATE")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in kept or not name.startswith(("OMNIBASE_", "PULUMI_"))
    }
    return subprocess.Popen(
        [sys.executable, "-m", "local", *arguments],
        cwd=Path(__file__).resolve().parents[2],
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], *wanted: str, seconds: float = _COMMAND_SECONDS) -> list[str]:
    """Read the output up to a line that holds one of some texts, and return all lines so far.

    A process that says nothing of them in time is killed, and that is an error as well.
    """
    assert process.stdout is not None
    seen: list[str] = []
    end = threading.Timer(seconds, process.kill)
    end.daemon = True
    end.start()
    try:
        for line in process.stdout:
            seen.append(line)
            if any(text in line for text in wanted):
                return seen
    finally:
        end.cancel()
    raise AssertionError(f"none of {wanted} came within {seconds:.0f} s:\n{''.join(seen)}")


def engines(paths: Paths) -> list[int]:
    """Pids of the `pulumi` programs that work for the instance."""
    found = []
    mark = f"{MARK}={paths.pulumi_home}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_engine = (entry / "cmdline").read_bytes().split(b"\0")[0] == str(paths.bin / "pulumi").encode()
            ours = mark in (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if is_engine and ours:
            found.append(int(entry.name))
    return found


def kill_hard(pid: int) -> None:
    """`kill -9`, and wait for the end: a big process holds its locks for some milliseconds after the signal.

    One that is gone already is fine.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        ended, _, _ = select.select([handle], [], [], 90)
    finally:
        os.close(handle)
    assert ended, f"process {pid} did not end"


def silent_engine(paths: Paths, **variables: str) -> tuple[Engine, Callable[[], str]]:
    """An engine on the stack, and a function that returns what it printed; variables override settings."""
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        remember(line)

    env = {**os.environ, **variables}
    return Engine(paths, STACK, write=write, env=env), lambda: "".join(lines)


class Service:
    """The reference service as a caller outside the cluster sees it, through its cluster address."""

    def __init__(self, paths: Paths, url: str) -> None:
        self.url = url
        plan = NetworkPlan.from_environment(paths, {})
        ask = ["ip", "route", "get", url.split("//")[1].split(":", maxsplit=1)[0]]
        route = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        # Without our interface the kernel would send this to the machine's own gateway.
        assert f"via {plan.node_address}" in route, route

    def call(
        self, method: str, path: str, body: object = None, *, seconds: float = 40, **headers: str
    ) -> tuple[int, Any]:
        """One request; returns the status and the parsed reply. A refused connection is status 0."""
        request = urllib.request.Request(  # noqa: S310  # always http, see __init__
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as reply:  # noqa: S310  # as above
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except (OSError, http.client.HTTPException):
            return 0, None

    def is_whole(self) -> bool:
        """Whether it answers and has all that it needs, also what it can do without for a while."""
        status, said = self.call("GET", "/readyz", seconds=10)
        return status == 200 and "down" not in said.values()

    def write(self, key: str, body: str = "text") -> tuple[int, Any]:
        """Store a note under an idempotency key."""
        return self.call("POST", "/notes", {"body": body}, Idempotency_Key=key)

    def keys(self) -> set[str]:
        """Every key that a reader of the primary sees; while no primary answers, it is asked again."""
        found: set[str] = set()
        after, size = 0, 100
        while True:
            path = f"/notes?fresh=true&after={after}&limit={size}"
            _, page = eventually(lambda path=path: _good(self.call("GET", path)), 60, f"an answer to {path}")  # type: ignore[misc]
            found |= {note["key"] for note in page}
            if len(page) < size:
                return found
            after = page[-1]["id"]


def database_is_whole(kubectl: Kubectl) -> bool:
    """Whether the database's operator finds nothing to do."""
    (found,) = kubectl.items(f"/apis/postgresql.cnpg.io/v1/namespaces/{NAMESPACE}/clusters")
    return bool(found["status"].get("phase") == "Cluster in healthy state")


def _good(answer: tuple[int, Any]) -> tuple[int, Any] | None:
    return answer if answer[0] == 200 else None


@contextmanager
def writing(service: Service, prefix: str) -> Iterator[list[tuple[float, str]]]:
    """Write notes one after the other while the block runs; yields the acknowledged ones with their times."""
    acknowledged: list[tuple[float, str]] = []
    stop = threading.Event()

    def loop() -> None:
        number = 0
        while not stop.is_set():
            key = f"{prefix}-{number}"
            status, _ = service.write(key)
            if status in (200, 201):
                acknowledged.append((time.monotonic(), key))
                number += 1
            time.sleep(0.02)

    writer = threading.Thread(target=loop, daemon=True)
    writer.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        writer.join(timeout=60)
