"""Settings of backups: when, how long kept, where to, and when a restore was last proven."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from omnibase_infra.config.addresses import is_loopback
from omnibase_infra.config.capability import Capability, Finding, SecretUse
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.secrets import SecretKey
from omnibase_infra.config.section import Section
from omnibase_infra.config.units import Cron, Date, Duration, Form, Url, between
from omnibase_infra.waiver import today

Bucket = Annotated[
    str,
    Form(
        "s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*",
        "a bucket with or without a prefix such as s3://omnibase-backups/prod",
    ),
]


class BackupTargetConfig(Section):
    """Where backups are written: an object store outside of the cluster."""

    bucket: Bucket
    """Bucket and prefix."""
    endpoint: Url | None = None
    """Address of the store, https, outside of the cluster; default that of the bucket's provider."""
    credentials: SecretKey | None = None
    """Entry of `secrets.entries` with the store's key; default the identity of the nodes. No component reads it yet."""


class BackupConfig(Section):
    """Backups of the PostgreSQL cluster. No component makes them yet: the settings are checked, and nothing more."""

    enabled: bool
    """Take backups. Required in prod."""
    schedule: Cron
    """When a full backup begins, in UTC."""
    retention: Annotated[Duration, between(Duration("1d"), Duration("3650d"))]
    """How long backups are kept."""
    wal_retention: Annotated[Duration, between(Duration("1h"), Duration("365d"))]
    """How far back any moment can be restored; at most `retention`."""
    target: BackupTargetConfig | None = None
    """Where backups are written; required where they are enabled."""
    restored_on: Date | None = None
    """Day on which a restore was last proven; required in prod once backups are made."""
    restore_every: Annotated[Duration, between(Duration("1d"), Duration("365d"))]
    """How old that proof may be; an older one is refused in prod."""

    def secrets(self) -> Sequence[SecretUse]:
        """Every use of a secret: key path and entry."""
        credentials = self.target.credentials if self.target else None
        return [("backup.target.credentials", credentials)] if credentials else []


def _promised(environment: Environment, backup: BackupConfig) -> Iterator[Finding]:
    if environment is Environment.PROD and not backup.enabled:
        hint = "what is lost with the cluster would be lost for ever"
        yield "backup.enabled", "false", "must be true in prod", hint
    if not backup.enabled:
        return
    if backup.target is None:
        hint = "name a bucket outside of the cluster: backup.target.bucket"
        yield "backup.target", "nothing", "is required", hint
    if backup.wal_retention.seconds > backup.retention.seconds:
        allowed = f"may be at most retention = {backup.retention}"
        hint = "without a full backup before it the log restores nothing"
        yield "backup.wal_retention", backup.wal_retention, allowed, hint


def _off_cluster(backup: BackupConfig) -> Iterator[Finding]:
    endpoint = backup.target.endpoint if backup.target else None
    if endpoint is None:
        return
    path, host = "backup.target.endpoint", endpoint.host
    if is_loopback(host) or "." not in host or host.endswith((".svc", ".local")):
        hint = "a backup that is lost together with the cluster is none"
        yield path, endpoint, "must be outside of the cluster", hint
    if not endpoint.encrypted:
        yield path, endpoint, "must be https", "backups hold all data"


def _proven(environment: Environment, backup: BackupConfig) -> Iterator[Finding]:
    day = backup.restored_on
    if day is None:
        return
    age = (today() - datetime.date.fromisoformat(day)).days
    if age < 0:
        yield "backup.restored_on", day, f"must not be after today, {today()}", "write the day of the last proof"
    if environment is Environment.PROD and backup.enabled and age * 86_400 > backup.restore_every.seconds:
        allowed = f"is {age} days ago, more than restore_every = {backup.restore_every}"
        yield "backup.restored_on", day, allowed, "restore into a new cluster, then write the day"


# Hourly, 30 days, and a week of log are the users' own numbers.
_DEFAULTS: dict[str, Any] = {
    "enabled": False,
    "schedule": "15 * * * *",
    "retention": "30d",
    "wal_retention": "7d",
    "restore_every": "90d",
}

BACKUP = Capability(
    section="backup",
    defaults={**dict.fromkeys(Environment, _DEFAULTS), Environment.PROD: {**_DEFAULTS, "enabled": True}},
    secrets=BackupConfig.secrets,
    rules=(
        (("environment", "backup"), _promised),
        (("backup",), _off_cluster),
        (("environment", "backup"), _proven),
    ),
)
