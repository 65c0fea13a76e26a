"""Faults on purpose, by which canaries, alerts and callers are tried. Plain ASGI, inside of what counts requests."""

from __future__ import annotations

import asyncio

from services.reference.middleware import QUIET, Application, Receive, Scope, Send

_ALL = 100
_BODY = b'{"detail": "a fault on purpose"}'


class Faults:
    """Wraps an application: every request but probes and metrics is slower, and some are answered with 500."""

    def __init__(self, app: Application, error_percent: int, latency_seconds: float) -> None:
        self._app, self._percent, self._latency = app, error_percent, latency_seconds
        self._due = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(self._latency)
        if not self._next_fails():
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": _BODY})

    def _next_fails(self) -> bool:
        """Evenly spread and without chance: of any hundred requests in a row exactly as many fail as asked for."""
        self._due += self._percent
        if self._due < _ALL:
            return False
        self._due -= _ALL
        return True
