"""The HTTP interface, with a database that is away; what needs rows is proven on a real one in tests/cluster."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest

from tests.unit.services.reference.reference_kit import client, settings

pytestmark = pytest.mark.asyncio


async def test_liveness_does_not_depend_on_the_database(tmp_path: Path) -> None:
    async with client(settings(tmp_path)) as http:
        assert (await http.get("/healthz")).status_code == 200


async def test_readiness_does(tmp_path: Path) -> None:
    async with client(settings(tmp_path)) as http:
        assert (await http.get("/readyz")).status_code == 503
        assert 'database_connected{endpoint="rw"} 0.0' in (await http.get("/metrics")).text


async def test_a_write_is_retried_until_the_deadline_and_then_refused_with_advice(tmp_path: Path) -> None:
    async with client(settings(tmp_path, database_deadline_seconds=0.5)) as http:
        started = time.monotonic()
        answer = await http.post("/notes", json={"body": "hello"})
        metrics = (await http.get("/metrics")).text

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "same key" in answer.json()["detail"]
    assert time.monotonic() - started < 30
    assert 'database_retries_total{endpoint="rw"}' in metrics


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({}, {}),
        ({"body": ""}, {}),
        ({"body": "x" * 10_001}, {}),
        ({"body": "a\x00b"}, {}),
        ({"body": "x", "extra": 1}, {}),
        ({"body": "x"}, {"Idempotency-Key": "k" * 201}),
    ],
)
async def test_a_malformed_note_is_refused_before_the_database_is_asked(
    tmp_path: Path, body: dict[str, object], headers: dict[str, str]
) -> None:
    async with client(settings(tmp_path)) as http:
        assert (await http.post("/notes", json=body, headers=headers)).status_code == 422


async def test_a_character_that_the_database_cannot_store_is_named(tmp_path: Path) -> None:
    async with client(settings(tmp_path)) as http:
        answer = await http.post("/notes", json={"body": "a\x00b"})

    (problem,) = answer.json()["detail"]
    assert problem["loc"] == ["body", "body"]
    assert "must not contain the character U+0000" in problem["msg"]


async def test_half_a_character_is_refused(tmp_path: Path) -> None:
    async with client(settings(tmp_path)) as http:
        headers = {"Content-Type": "application/json"}
        answer = await http.post("/notes", content=b'{"body": "\\ud800"}', headers=headers)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "string_unicode"


@pytest.mark.parametrize("path", ["/notes/0", "/notes/x", f"/notes/{2**63}", "/notes?limit=101", "/notes?after=-1"])
async def test_a_malformed_question_is_refused(tmp_path: Path, path: str) -> None:
    async with client(settings(tmp_path)) as http:
        assert (await http.get(path)).status_code == 422


@pytest.mark.req("C6.2")
async def test_the_callers_correlation_id_comes_back(tmp_path: Path) -> None:
    async with client(settings(tmp_path)) as http:
        answer = await http.get("/healthz", headers={"X-Correlation-ID": "order-17"})

    assert answer.headers["x-correlation-id"] == "order-17"


@pytest.mark.parametrize("given", [None, "", "two words", 'quote"', "x" * 129])
async def test_a_missing_or_malformed_correlation_id_is_replaced(tmp_path: Path, given: str | None) -> None:
    async with client(settings(tmp_path)) as http:
        answer = await http.get("/healthz", headers={} if given is None else {"X-Correlation-ID": given})

    assert str(uuid.UUID(answer.headers["x-correlation-id"])) == answer.headers["x-correlation-id"]


@pytest.mark.req("C6.3")
async def test_metrics_show_rate_errors_duration_and_pool(tmp_path: Path) -> None:
    async with client(settings(tmp_path, database_pool_size=4)) as http:
        await http.get("/healthz")
        await http.get("/notes/1")
        text = (await http.get("/metrics")).text

    assert 'http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
    assert 'http_request_errors_total{method="GET",route="/notes/{note_id}"} 1.0' in text
    assert 'http_request_duration_seconds_count{method="GET",route="/healthz"} 1.0' in text
    assert 'database_pool_limit{endpoint="rw"} 6.0' in text
    assert 'database_pool_connections{endpoint="ro",state="used"} 0.0' in text
    assert "process_resident_memory_bytes" in text


async def test_an_unknown_path_does_not_make_a_series_of_its_own(tmp_path: Path) -> None:
    async with client(settings(tmp_path)) as http:
        await http.get("/no/such/path")
        text = (await http.get("/metrics")).text

    assert "/no/such/path" not in text
    assert 'route="unmatched",status="404"' in text


@pytest.mark.parametrize(("environment", "status"), [("dev", 200), ("prod", 404)])
async def test_interface_descriptions_are_for_developers(tmp_path: Path, environment: str, status: int) -> None:
    changes = {"environment": environment, "database_sslmode": "verify-full", "database_ca_file": tmp_path / "ca.crt"}
    async with client(settings(tmp_path, **changes)) as http:
        assert (await http.get("/openapi.json")).status_code == status
