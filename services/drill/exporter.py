"""Serves the newest report as metrics. A Job is gone when Prometheus comes; this stays."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from services.drill.report import Report, StoreError, metrics
from services.drill.settings import Settings

_KEEP_SECONDS = 15.0


class Source(Protocol):
    """Where the newest report is."""

    def newest(self) -> Report | None:
        """The newest report, or nothing.

        Raises:
            StoreError: it cannot be read.
        """


class Cache:
    """The newest report; asked at most every 15 s, and kept while the store does not answer."""

    def __init__(self, source: Source) -> None:
        self._source, self._lock = source, threading.Lock()
        self._report: Report | None = None
        self._asked, self._reachable = -_KEEP_SECONDS, False

    def read(self) -> tuple[Report | None, bool]:
        """The report, and whether the store answered."""
        with self._lock:
            if time.monotonic() - self._asked >= _KEEP_SECONDS:
                self._asked = time.monotonic()
                try:
                    self._report, self._reachable = self._source.newest(), True
                except StoreError as error:
                    self._reachable = False
                    print(error, flush=True)
            return self._report, self._reachable


def serve(settings: Settings, source: Source) -> ThreadingHTTPServer:
    """A server of /metrics, /healthz, /readyz and /report; `serve_forever` starts it."""
    cache = Cache(source)

    class Handler(BaseHTTPRequestHandler):
        """Answers."""

        def do_GET(self) -> None:
            """One of the four."""
            if self.path in ("/healthz", "/readyz"):
                self._answer(200, "ok\n")
            elif self.path == "/metrics":
                report, reachable = cache.read()
                self._answer(200, metrics(report, settings.archive, settings.every_seconds, reachable=reachable))
            elif self.path == "/report":
                report, _ = cache.read()
                self._answer(200 if report else 404, report.text() if report else "no drill yet\n")
            else:
                self._answer(404, "not here\n")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing for each reading."""

    return ThreadingHTTPServer(("", settings.report_port), Handler)
