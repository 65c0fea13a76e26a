"""Log lines: one JSON object each, with the fields of the platform."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from services.reference.logs import configure
from tests.unit.services.reference.reference_kit import client, settings

FIELDS = {"time", "level", "service", "environment", "version", "message", "correlation_id"}


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the test's own client is in this process
    yield
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.asyncio
@pytest.mark.req("C6.1")
async def test_a_request_is_one_object_with_all_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = settings(tmp_path, environment="test")
    configure(given)
    async with client(given) as http:
        await http.get("/nowhere", headers={"X-Correlation-ID": "order-17"})

    (line,) = [line for line in _lines(capsys) if line["message"] == "request"]
    assert set(line) >= FIELDS
    assert (line["service"], line["environment"], line["correlation_id"]) == ("reference", "test", "order-17")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/nowhere", 404)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(line["time"])).total_seconds()) < 5


@pytest.mark.req("C6.1")
def test_a_library_logs_in_the_same_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings(tmp_path))
    logging.getLogger("uvicorn.error").info("Application %s", "startup")

    (line,) = _lines(capsys)
    assert set(line) >= FIELDS
    assert (line["message"], line["level"]) == ("Application startup", "info")


def test_an_exception_stays_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings(tmp_path))
    try:
        int("first\nsecond")
    except ValueError:
        structlog.get_logger().exception("failed")

    (line,) = _lines(capsys)
    assert "ValueError: invalid literal" in line["exception"]


@pytest.mark.asyncio
@pytest.mark.req("C6.2")
async def test_every_line_of_a_failing_request_carries_its_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings(tmp_path)
    configure(given)
    async with client(given) as http:
        await http.post("/notes", json={"body": "private words"}, headers={"X-Correlation-ID": "order-18"})
    captured = capsys.readouterr().out
    lines = [json.loads(line) for line in captured.splitlines()]

    assert {"database attempt failed, trying again", "database unavailable", "request"} <= {
        line["message"] for line in lines
    }
    assert {line["correlation_id"] for line in lines} == {"order-18"}
    assert "private words" not in captured
    assert "correct horse" not in captured


@pytest.mark.asyncio
async def test_probes_are_not_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = settings(tmp_path)
    configure(given)
    async with client(given) as http:
        await http.get("/healthz")
        await http.get("/metrics")

    assert _lines(capsys) == []


def test_lines_below_the_level_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings(tmp_path, log_level="WARNING"))
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet too")

    assert _lines(capsys) == []
