"""Settings of the service, from environment variables REFERENCE_*."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SslMode(StrEnum):
    """libpq's sslmode, without the values that may silently fall back to plain text."""

    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class Settings(BaseSettings):
    """What the service is told. Unset fields take the default; wrong ones end the process before it listens."""

    model_config = SettingsConfigDict(env_prefix="REFERENCE_", frozen=True, extra="ignore")

    environment: Literal["dev", "test", "staging", "prod"] = "dev"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    port: int = Field(default=8080, ge=1024, le=65535)

    database_rw_host: str
    """Pooler in front of the primary."""
    database_ro_host: str
    """Pooler in front of the standbys."""
    database_port: int = Field(default=5432, ge=1, le=65535)
    database_name: str
    database_user: str
    database_password_file: Path
    """Mounted secret; read at every new connection, so that a rotated password needs no restart."""
    database_sslmode: SslMode = SslMode.VERIFY_FULL
    database_ca_file: Path | None = None
    """Certificate authority of the poolers; required by verify-ca and verify-full."""
    database_pool_size: int = Field(default=5, ge=1, le=50)
    """Connections per endpoint and process; half as many again may be opened for a burst."""
    database_attempt_seconds: float = Field(default=5.0, gt=0, le=60)
    """Longest single try, from getting a connection to the commit."""
    database_deadline_seconds: float = Field(default=30.0, gt=0, le=300)
    """How long a request is retried while the database fails over; then it is answered with 503."""
    messages_url: str | None = None
    """The message bus, `tls://host:4222`; without it no event is published or read."""
    messages_client: str = Field(default="reference", pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$")
    """Name of the service on the bus: of its consumer, and of the subjects of its replies."""
    messages_seed_file: Path | None = None
    """Mounted secret: the service's private key on the bus."""
    messages_ca_file: Path | None = None
    """Certificate authority of the bus."""
    messages_consume: bool = True
    """Whether this process reads its own events too; a canary leaves them to the proven pods."""
    faults_error_percent: int = Field(default=0, ge=0, le=100)
    """Faults on purpose: requests that are answered with 500, in per cent; not in staging and prod."""
    faults_latency_ms: int = Field(default=0, ge=0, le=60_000)
    """Faults on purpose: how much longer every request takes; not in staging and prod."""
    receipt_key_file: Path | None = None
    """Mounted secret, read at the start; without it notes carry no receipts."""
    settings_file: Path | None = None
    """`settings.json` of the platform, see documents.py; without it `GET /settings` shows nothing."""
    mcp_file: Path | None = None
    """`mcp.json`: the MCP endpoints."""
    responders_file: Path | None = None
    """`responders.json`: the responder chain."""
    shutdown_seconds: int = Field(default=20, ge=1, le=90)
    """How long running requests may take after SIGTERM."""

    @model_validator(mode="after")
    def _check_messages(self) -> Self:
        if self.messages_url is None:
            return self
        if not self.messages_url.startswith("tls://"):
            raise ValueError(f"REFERENCE_MESSAGES_URL={self.messages_url} must start with tls://")
        if self.messages_seed_file is None or self.messages_ca_file is None:
            raise ValueError("REFERENCE_MESSAGES_URL needs REFERENCE_MESSAGES_SEED_FILE and REFERENCE_MESSAGES_CA_FILE")
        return self

    @model_validator(mode="after")
    def _check_faults(self) -> Self:
        if self.environment in ("staging", "prod") and (self.faults_error_percent or self.faults_latency_ms):
            raise ValueError(f"REFERENCE_FAULTS_... must be 0 in {self.environment}: real users are there")
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        verifies = self.database_sslmode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL)
        if verifies and self.database_ca_file is None:
            raise ValueError(
                f"REFERENCE_DATABASE_SSLMODE={self.database_sslmode} needs REFERENCE_DATABASE_CA_FILE, which is not set"
            )
        if self.environment in ("staging", "prod") and self.database_sslmode is not SslMode.VERIFY_FULL:
            raise ValueError(
                f"REFERENCE_DATABASE_SSLMODE={self.database_sslmode} is not allowed in {self.environment};"
                " use verify-full, which is the default"
            )
        return self
