"""Settings from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.reference.database import connection_arguments, pool_limit
from tests.unit.services.reference.reference_kit import settings

ROOT = Path(__file__).resolve().parents[4]


def test_verification_of_the_server_is_the_default_and_needs_an_authority(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"SSLMODE=verify-full needs REFERENCE_DATABASE_CA_FILE"):
        settings(tmp_path, database_sslmode="verify-full")


@pytest.mark.parametrize("mode", ["disable", "require", "verify-ca"])
@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_production_takes_nothing_less_than_verify_full(tmp_path: Path, mode: str, environment: str) -> None:
    with pytest.raises(ValidationError, match=f"SSLMODE={mode} is not allowed in {environment}"):
        settings(tmp_path, environment=environment, database_sslmode=mode, database_ca_file=tmp_path / "ca")


@pytest.mark.parametrize("mode", ["prefer", "allow", ""])
def test_modes_that_may_fall_back_to_plain_text_do_not_exist(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ValidationError):
        settings(tmp_path, database_sslmode=mode)


def test_a_rotated_password_is_used_by_the_next_connection(tmp_path: Path) -> None:
    given = settings(tmp_path)
    before = connection_arguments("primary", given)["password"]
    given.database_password_file.write_text("battery staple")

    assert before == "correct horse"
    assert connection_arguments("primary", given)["password"] == "battery staple"


def test_connections_verify_the_server_and_prepare_nothing(tmp_path: Path) -> None:
    given = settings(tmp_path, database_sslmode="verify-full", database_ca_file=tmp_path / "ca.crt")
    arguments = connection_arguments("primary", given)

    assert arguments["sslmode"] == "verify-full"
    assert arguments["sslrootcert"] == str(tmp_path / "ca.crt")
    assert arguments["prepare_threshold"] is None


def test_the_pool_has_a_limit(tmp_path: Path) -> None:
    assert pool_limit(settings(tmp_path, database_pool_size=10)) == 15


def test_the_process_names_every_wrong_setting_and_shows_no_value() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.reference"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
        env={"PATH": os.environ["PATH"], "REFERENCE_PORT": "80", "REFERENCE_DATABASE_USER": "secret-user"},
    )  # fmt: skip

    assert done.returncode == 2
    assert "REFERENCE_DATABASE_RW_HOST: Field required" in done.stderr
    assert "REFERENCE_PORT: Input should be greater than or equal to 1024" in done.stderr
    assert "secret-user" not in done.stderr
    assert "Traceback" not in done.stderr
