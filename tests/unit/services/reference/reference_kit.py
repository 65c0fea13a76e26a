"""Settings and a client for tests of the reference service."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from services.reference.app import create_app
from services.reference.settings import Settings


def settings(tmp_path: Path, **changes: object) -> Settings:
    """Settings of a service whose database refuses connections: nothing listens on the port."""
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values: dict[str, object] = {
        "database_rw_host": "127.0.0.1",
        "database_ro_host": "127.0.0.1",
        "database_port": port,
        "database_name": "app",
        "database_user": "app",
        "database_password_file": password,
        "database_sslmode": "disable",
        "database_deadline_seconds": 0.3,
        **changes,
    }
    return Settings.model_validate(values)


def client(given: Settings) -> httpx.AsyncClient:
    """Calls the real application without a network between; its errors are answers, as behind a server."""
    return _client(create_app(given))


@asynccontextmanager
async def running(given: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The same, with everything that works in the background."""
    app = create_app(given)
    async with app.router.lifespan_context(app), _client(app) as made:
        yield made


def _client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://reference")
