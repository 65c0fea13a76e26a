"""Real connections out of a network namespace: many at once, each tried for a bounded time."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local.node import kernel

_QUESTION = b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00" + struct.pack(">HH", 1, 1)
"""A DNS question that every cluster's server can answer: an A record of the API server's name."""
_AT_ONCE = 128
_LISTEN = "0A"


@dataclass(frozen=True, order=True)
class Address:
    """Where something may listen."""

    ip: str
    port: int
    protocol: str = "TCP"


def reached(namespace: Path | None, addresses: Sequence[Address], seconds: float) -> set[Address]:
    """Those addresses that accept a connection (TCP) or answer a question (DNS over UDP).

    Args:
        namespace: file of the network namespace to start from; None: this process's own.
        seconds: how long each may take; all are tried at the same time, in groups of 128.

    Raises:
        OSError: the namespace cannot be entered.
    """
    found: set[Address] = set()

    def work() -> None:
        for first in range(0, len(addresses), _AT_ONCE):
            found.update(_try(addresses[first : first + _AT_ONCE], seconds))

    _inside(namespace, work)
    return found


def listening(namespace: Path, address: str) -> list[int]:
    """TCP ports on which something in a network namespace listens at an address, or at all of its addresses.

    Raises:
        OSError: the namespace cannot be entered.
    """
    lines: list[str] = []

    def work() -> None:
        for table in ("tcp", "tcp6"):
            lines.extend(Path(f"/proc/thread-self/net/{table}").read_text().splitlines()[1:])

    _inside(namespace, work)
    return listeners(lines, address)


def listeners(lines: Sequence[str], address: str) -> list[int]:
    """Ports of listening sockets in lines of /proc/net/tcp and tcp6 that take connections to an IPv4 address."""
    own = socket.inet_aton(address)[::-1].hex().upper()
    wanted = {"00000000", "0" * 32, own, f"0000000000000000FFFF0000{own}"}
    found = set()
    for line in lines:
        local, _, state = line.split()[1:4]
        place, _, port = local.partition(":")
        if state == _LISTEN and place in wanted:
            found.add(int(port, 16))
    return sorted(found)


def _try(addresses: Sequence[Address], seconds: float) -> set[Address]:
    found = set()
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as waiting:
        for address in addresses:
            made = _begin(address)
            if made is not None:
                waiting.register(
                    made, selectors.EVENT_READ if address.protocol == "UDP" else selectors.EVENT_WRITE, address
                )
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                ready = key.fileobj
                assert isinstance(ready, socket.socket)  # noqa: S101 -- it is what was registered
                if _succeeded(ready, key.data):
                    found.add(key.data)
                waiting.unregister(ready)
                ready.close()
        for key in list((waiting.get_map() or {}).values()):
            assert isinstance(key.fileobj, socket.socket)  # noqa: S101 -- as above
            key.fileobj.close()
    return found


def _begin(address: Address) -> socket.socket | None:
    """A socket on its way, or None where the kernel refuses at once."""
    kind = socket.SOCK_DGRAM if address.protocol == "UDP" else socket.SOCK_STREAM
    made = socket.socket(socket.AF_INET, kind)
    made.setblocking(False)
    try:
        with suppress(BlockingIOError):
            made.connect((address.ip, address.port))
        if address.protocol == "UDP":
            made.send(struct.pack(">HHHHHH", address.port, 0x0100, 1, 0, 0, 0) + _QUESTION)
    except OSError:
        made.close()
        return None
    return made


def _succeeded(made: socket.socket, address: Address) -> bool:
    if made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
        return False
    if address.protocol != "UDP":
        return True
    try:
        return len(made.recv(512)) > len(_QUESTION)
    except OSError:
        return False


def _inside(namespace: Path | None, work: Callable[[], None]) -> None:
    """Do something in a thread of its own that joined a network namespace, which ends with the thread.

    Raises:
        OSError: of the work, or the namespace cannot be entered.
    """
    failed: list[OSError] = []

    def joined() -> None:
        try:
            if namespace is not None:
                kernel.join_namespace(namespace, kernel.CLONE_NEWNET)
            work()
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=joined)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
