from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.node import addons
from local.paths import Paths

PATHS = Paths(instance="test", root=Path("/checkout"), cache=Path("/cache"), state=Path("/state"))
BEGAN = datetime(2026, 1, 2, 3, 4, 5, 900_000, UTC)


def _pod(name: str, started: str | None, *, ready: bool = True, phase: str = "Running") -> dict[str, Any]:
    state: dict[str, Any] = {"running": {"startedAt": started}} if started else {"waiting": {}}
    status = {"phase": phase, "containerStatuses": [{"ready": ready, "state": state}]}
    return {"metadata": {"namespace": "n", "name": name}, "status": status}


def _late(monkeypatch: pytest.MonkeyPatch, *pods: dict[str, Any]) -> list[str]:
    monkeypatch.setattr(addons, "kubectl", lambda *_, **__: json.dumps({"items": list(pods)}))
    return addons.late_pods(PATHS, BEGAN)


def test_a_pod_that_reports_the_life_before_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _late(monkeypatch, _pod("old", "2026-01-02T03:03:00Z")) == ["n/old"]


def test_a_pod_started_in_the_same_second_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _late(monkeypatch, _pod("new", "2026-01-02T03:04:05Z")) == []


@pytest.mark.parametrize("started", [None, "2026-01-02T03:05:00Z"])
def test_a_pod_that_is_not_ready_is_late(monkeypatch: pytest.MonkeyPatch, started: str | None) -> None:
    assert _late(monkeypatch, _pod("slow", started, ready=False)) == ["n/slow"]


def test_finished_and_leaving_pods_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = _pod("leaving", "2026-01-02T03:03:00Z")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:00Z"
    assert _late(monkeypatch, leaving, _pod("done", None, ready=False, phase="Succeeded")) == []


def test_an_api_server_that_does_not_answer_shows_no_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addons, "kubectl", lambda *_, **__: "")
    assert addons.late_pods(PATHS, BEGAN) == []
