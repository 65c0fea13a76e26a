"""The HTTP interface."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

import structlog
from fastapi import FastAPI, Header, HTTPException, Path, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from services.reference import __version__, notes
from services.reference.database import Database, UnavailableError
from services.reference.documents import Documents
from services.reference.faults import Faults
from services.reference.messages import Messages
from services.reference.metrics import Metrics
from services.reference.middleware import Observe
from services.reference.receipts import HEADER as RECEIPT
from services.reference.receipts import Receipts
from services.reference.settings import Settings

_READY_SECONDS = 2.0
_BIGGEST_ID = 2**63 - 1
_log = structlog.get_logger("app")

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=notes.LONGEST_KEY)]
Fresh = Annotated[bool, Query(description="Read from the primary: sees a row as soon as it is written.")]
Shown = Annotated[str | None, Header(alias=RECEIPT, max_length=100, description="Compared; 412 if it does not fit.")]
NoteId = Annotated[int, Path(ge=1, le=_BIGGEST_ID)]


def create_app(settings: Settings) -> FastAPI:
    """The application; its connections are opened on demand and closed when the server stops.

    Raises:
        DocumentError: see Documents.
    """
    documents = Documents(settings)
    metrics = Metrics()
    database = Database(settings, metrics)
    messages = Messages(settings, database, metrics)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await _log.ainfo("started", port=settings.port)
        async with messages.running():
            yield
        await database.close()
        await _log.ainfo("stopped")

    described = settings.environment != "prod"  # interface descriptions are for developers
    app = FastAPI(
        title="reference", version=__version__, lifespan=lifespan, redoc_url=None,
        docs_url="/docs" if described else None, openapi_url="/openapi.json" if described else None,
    )  # fmt: skip
    if settings.faults_error_percent or settings.faults_latency_ms:
        app.add_middleware(
            Faults, error_percent=settings.faults_error_percent, latency_seconds=settings.faults_latency_ms / 1000
        )
    app.add_middleware(Observe, metrics=metrics)  # outermost: it counts the faults too
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(RequestValidationError, _malformed)
    _add_probes(app, database, messages, metrics)
    _add_settings(app, documents)
    _add_notes(app, database, messages, Receipts(settings.receipt_key_file))
    return app


def _add_probes(app: FastAPI, database: Database, messages: Messages, metrics: Metrics) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers. Says nothing about the database: a restart of ours would not mend that."""
        return {"status": "ok", "version": __version__}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        """The primary answers through its pooler. Without the bus we serve on: events wait in the table."""
        await database.ping("rw", _READY_SECONDS)
        return {"status": "degraded" if messages.state == "down" else "ok", "messages": messages.state}

    @app.get("/metrics")
    async def show_metrics() -> Response:
        database.observe_pools()
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_settings(app: FastAPI, documents: Documents) -> None:
    @app.get("/settings")
    async def shown() -> dict[str, Any]:
        """What this process was told by the platform. No secrets are in it; no route of the gateway leads here."""
        return documents.shown


def _add_notes(app: FastAPI, database: Database, messages: Messages, receipts: Receipts) -> None:
    def with_receipt(note: notes.Note, response: Response) -> notes.Note:
        receipt = receipts.of(note)
        if receipt is not None:
            response.headers[RECEIPT] = receipt
        return note

    @app.post("/notes", status_code=201)
    async def write(new: notes.NewNote, response: Response, key: Key = None) -> notes.Note:
        """Store a note. The same Idempotency-Key and body again give the first note, with status 200."""
        chosen = key or str(uuid.uuid4())

        async def work(session: AsyncSession) -> tuple[notes.Note, bool]:
            note, created = await notes.write(session, chosen, new.body)
            if created:
                messages.created(session, note)
            return note, created

        try:
            note, created = await database.run("rw", work)
        except notes.KeyTakenError:
            raise HTTPException(422, f"Idempotency-Key {chosen!r} was used for another body; send a new key") from None
        if created:
            messages.wake()
        else:
            response.status_code = 200
        return with_receipt(note, response)

    @app.get("/notes/{note_id}")
    async def read(note_id: NoteId, response: Response, fresh: Fresh = False, receipt: Shown = None) -> notes.Note:
        note = await database.run("rw" if fresh else "ro", lambda session: notes.read(session, note_id))
        if note is None:
            raise HTTPException(404, f"there is no note {note_id}" if fresh else f"there is no note {note_id} yet")
        if receipt is not None and not receipts.fits(note, receipt):
            raise HTTPException(412, f"the receipt is not of note {note_id}")
        return with_receipt(note, response)

    @app.get("/notes")
    async def page(
        after: Annotated[int, Query(ge=0, le=_BIGGEST_ID)] = 0,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        fresh: Fresh = False,
    ) -> list[notes.Note]:
        return await database.run("rw" if fresh else "ro", lambda session: notes.page(session, after, limit))


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    await _log.aerror("database unavailable", error=str(error))
    body: dict[str, Any] = {"detail": "the database is not available; the request may be sent again with the same key"}
    return JSONResponse(body, status_code=503, headers={"Retry-After": "5"})


async def _malformed(_request: Request, error: Exception) -> Response:
    """FastAPI's own answer, in ASCII: it shows what was sent, which may hold half a character that UTF-8 has not."""
    detail = jsonable_encoder(cast(RequestValidationError, error).errors())
    return Response(json.dumps({"detail": detail}), status_code=422, media_type="application/json")
