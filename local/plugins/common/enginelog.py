"""Messages to the person at the engine's terminal."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Literal

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

Severity = Literal["debug", "info", "warning", "error"]
_SEVERITY = {
    "debug": engine_pb2.DEBUG,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}
_SECONDS = 10.0


class EngineLog:
    """The engine's log service. Without an address, or with the engine gone, messages are dropped."""

    def __init__(self, address: str = "") -> None:
        self._guard = threading.Lock()
        self._stub: engine_pb2_grpc.EngineStub | None = None
        self._address = address

    def attach(self, address: str) -> None:
        """Use another engine from now on."""
        with self._guard:
            self._address, self._stub = address, None

    def say(self, severity: Severity, urn: str, message: str, *, ephemeral: bool = False) -> None:
        """Show a message beside a resource; an ephemeral one is a status line that the next one replaces."""
        stub = self._connect()
        if stub is None:
            return
        request = engine_pb2.LogRequest(severity=_SEVERITY[severity], urn=urn, message=message, ephemeral=ephemeral)
        with suppress(grpc.RpcError):  # a message that cannot be shown must not fail the operation
            stub.Log(request, timeout=_SECONDS)

    def _connect(self) -> engine_pb2_grpc.EngineStub | None:
        with self._guard:
            if self._stub is None and self._address:
                channel = grpc.insecure_channel(self._address, options=[("grpc.max_send_message_length", -1)])
                self._stub = engine_pb2_grpc.EngineStub(channel)
            return self._stub


class ResourceLog:
    """Messages of one operation on one resource; a status line is sent only when its text changes."""

    def __init__(self, log: EngineLog, urn: str) -> None:
        self._log = log
        self._urn = urn
        self._last = ""

    def status(self, message: str, severity: Severity = "info") -> None:
        """Show what is being waited for."""
        if message != self._last:
            self._last = message
            self._log.say(severity, self._urn, message, ephemeral=True)

    def clear(self) -> None:
        """Take the status line away."""
        if self._last:
            self.status("")

    def say(self, severity: Severity, message: str) -> None:
        """Show a message that stays."""
        self._log.say(severity, self._urn, message)
