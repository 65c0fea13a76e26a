"""Documents of the platform: read at the start, checked, shown; a wrong one ends the process before it listens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.reference.documents import DocumentError, Documents
from tests.unit.services.reference.reference_kit import client, settings

ROOT = Path(__file__).resolve().parents[4]
TOLD: dict[str, Any] = {
    "schema": "omnibase.settings/1",
    "service": "reference",
    "environment": "dev",
    "log_level": "DEBUG",
    "settings": {"NOTES_COLOUR": "blue"},
    "addresses": {"other": "http://other.omnibase-dev.svc.cluster.local:8080"},
}
MCP: dict[str, Any] = {
    "schema": "omnibase.mcp/1",
    "environment": "dev",
    "endpoints": {"notes": {"url": "http://notes.omnibase-dev.svc.cluster.local:8090/mcp"}},
}


def written(directory: Path, name: str, content: object) -> Path:
    place = directory / name
    place.write_text(content if isinstance(content, str) else json.dumps(content))
    return place


@pytest.mark.asyncio
async def test_what_the_service_was_told_is_shown_as_it_was_told(tmp_path: Path) -> None:
    files = {"settings_file": written(tmp_path, "a.json", TOLD), "mcp_file": written(tmp_path, "b.json", MCP)}
    async with client(settings(tmp_path, **files)) as http:
        answer = await http.get("/settings")
    assert answer.status_code == 200
    assert answer.json() == {"settings": TOLD, "mcp": MCP, "responders": None}


@pytest.mark.asyncio
async def test_without_documents_the_service_runs_and_shows_none(tmp_path: Path) -> None:
    async with client(settings(tmp_path)) as http:
        assert (await http.get("/settings")).json() == {"settings": None, "mcp": None, "responders": None}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "the whole: Invalid JSON"),
        ({**TOLD, "schema": "omnibase.settings/2"}, "schema: Input should be 'omnibase.settings/1'"),
        ({**TOLD, "log_level": "LOUD"}, "log_level: Input should be"),
        ({**TOLD, "settings": {"A": 1}}, "settings.A: Input should be a valid string"),
        ({**TOLD, "surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({**TOLD, "environment": "test"}, "environment: is of test, this process runs in dev"),
    ],
)
def test_a_wrong_document_is_refused_with_file_and_field(tmp_path: Path, content: object, complaint: str) -> None:
    place = written(tmp_path, "settings.json", content)
    with pytest.raises(DocumentError) as caught:
        Documents(settings(tmp_path, settings_file=place))
    assert str(caught.value).startswith(f"{place}: {complaint}")


def test_a_document_that_is_not_there_is_an_error_and_no_default(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"absent\.json: No such file"):
        Documents(settings(tmp_path, responders_file=tmp_path / "absent.json"))


def test_the_process_ends_before_it_listens_and_shows_no_traceback(tmp_path: Path) -> None:
    password = written(tmp_path, "password", "correct horse")
    done = subprocess.run(
        [sys.executable, "-m", "services.reference"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
        env={
            "PATH": os.environ["PATH"], "REFERENCE_DATABASE_RW_HOST": "a", "REFERENCE_DATABASE_RO_HOST": "a",
            "REFERENCE_DATABASE_NAME": "a", "REFERENCE_DATABASE_USER": "a",
            "REFERENCE_DATABASE_PASSWORD_FILE": str(password), "REFERENCE_DATABASE_SSLMODE": "disable",
            "REFERENCE_SETTINGS_FILE": str(tmp_path / "absent.json"),
        },
    )  # fmt: skip

    assert done.returncode == 2
    assert "absent.json: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr
