"""Faults on purpose: which requests they meet, how many, and that they are counted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.unit.services.reference.reference_kit import client, settings


@pytest.mark.asyncio
async def test_the_asked_for_share_of_requests_fails_and_is_counted_and_probes_are_left_alone(tmp_path: Path) -> None:
    async with client(settings(tmp_path, faults_error_percent=25)) as http:
        statuses = [(await http.get("/nothing")).status_code for _ in range(40)]
        assert {(await http.get("/healthz")).status_code for _ in range(8)} == {200}
        metrics = (await http.get("/metrics")).text

    assert (statuses.count(500), statuses.count(404)) == (10, 30)
    assert statuses[:4] == [404, 404, 404, 500]
    assert 'http_request_errors_total{method="GET",route="unmatched"} 10.0' in metrics


@pytest.mark.asyncio
async def test_latency_is_added_to_requests_and_not_to_probes(tmp_path: Path) -> None:
    async with client(settings(tmp_path, faults_latency_ms=200)) as http:
        started = time.monotonic()
        assert (await http.get("/nothing")).status_code == 404
        slow = time.monotonic() - started
        metrics = (await http.get("/metrics")).text

    assert slow >= 0.2
    assert 'http_request_duration_seconds_bucket{le="0.1",method="GET",route="unmatched"} 0.0' in metrics


@pytest.mark.parametrize("environment", ["staging", "prod"])
@pytest.mark.parametrize("fault", ["faults_error_percent", "faults_latency_ms"])
def test_where_users_are_it_does_not_start(tmp_path: Path, environment: str, fault: str) -> None:
    given = {"database_sslmode": "verify-full", "database_ca_file": tmp_path / "ca", "environment": environment}
    with pytest.raises(ValidationError, match=f"must be 0 in {environment}"):
        settings(tmp_path, **given, **{fault: 1})
