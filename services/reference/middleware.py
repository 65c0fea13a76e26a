"""Around every request: correlation id, metrics, one log line. Plain ASGI: no task or buffer of its own."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

from services.reference.metrics import Metrics

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER = "X-Correlation-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}")  # goes into logs: no quotes, no line ends, no novels
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths of probes and scrapes."""
_SERVER_ERROR = 500
_log = structlog.get_logger("request")


def correlation_id(scope: Scope) -> str:
    """The caller's X-Correlation-ID if it is well formed, else a new UUID."""
    for name, value in scope["headers"]:
        if name == HEADER.lower().encode():
            given = value.decode("latin-1")
            if _ACCEPTED.fullmatch(given):
                return str(given)
    return str(uuid.uuid4())


class Observe:
    """Wraps an application."""

    def __init__(self, app: Application, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = correlation_id(scope)
        status = _SERVER_ERROR

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER.lower().encode(), identity.encode())]
            await send(message)

        started = time.perf_counter()
        with (
            structlog.contextvars.bound_contextvars(correlation_id=identity),
            self._metrics.in_progress.track_inprogress(),
        ):
            try:
                await self._app(scope, receive, sending)
            finally:
                await self._record(scope, status, time.perf_counter() - started)

    async def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        # The pattern, not the path: a label value per note would be a series per note.
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.duration.labels(method, route).observe(seconds)
        if status >= _SERVER_ERROR:
            self._metrics.errors.labels(method, route).inc()
        if scope["path"] not in QUIET or status >= _SERVER_ERROR:
            await _log.ainfo(
                "request", method=method, route=route, path=scope["path"], status=status, seconds=round(seconds, 4)
            )
