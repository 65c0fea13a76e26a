"""Settings of rotation: on which day each credential was made, and how old it may become before people are told."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from omnibase_infra.config.capability import Capability, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.gateway import GatewayConfig
from omnibase_infra.config.messaging import MessagingConfig
from omnibase_infra.config.secrets import SecretKey, SecretsConfig
from omnibase_infra.config.section import Section
from omnibase_infra.config.units import Date, Duration, Label, between
from omnibase_infra.waiver import today

_Age = Annotated[Duration, between(Duration("1d"), Duration("730d"))]


class RotationAgesConfig(Section):
    """How old a credential may become. Certificates have ends of their own (section `certificates`)."""

    secrets: _Age
    """Entries of `secrets.entries`, except external ones, which their store rotates."""
    clients: _Age
    """API keys of `gateway.clients`."""
    database: _Age
    """Password of the application role, `postgres.password_generation`."""
    messages: _Age
    """Keys of the bus, `messaging.credential_generation`."""


class RotationDaysConfig(Section):
    """On which day a credential's generation was made; whoever raises a generation writes the day."""

    secrets: dict[SecretKey, Date] = {}
    """Entry of `secrets.entries` -> day."""
    clients: dict[Label, Date] = {}
    """Client of the gateway -> day."""
    database: Date | None = None
    """Password of the application role."""
    messages: Date | None = None
    """Keys of the bus."""


class RotationConfig(Section):
    """Ages of credentials. The alert CredentialDue fires when one is older than it may become."""

    enabled: bool
    """Watch ages. Required in staging and prod."""
    since: Date | None = None
    """Day of every credential that `made` does not name: that of the first deployment. Required where it is enabled."""
    made: RotationDaysConfig = RotationDaysConfig()
    """Credentials that were made anew, with the day."""
    ages: RotationAgesConfig
    """How old they may become."""


def due_times(
    rotation: RotationConfig, secrets: SecretsConfig, gateway: GatewayConfig, messaging: MessagingConfig
) -> dict[str, int]:
    """Credential, by its key path, -> Unix time in seconds from which it is too old; none where it is not enabled."""
    since = rotation.since
    if not rotation.enabled or since is None:
        return {}
    held = _held(secrets, gateway, messaging)
    found = {}
    for kind, names in held.items():
        made, age = getattr(rotation.made, kind), getattr(rotation.ages, kind)
        for name, path in names.items():
            day = made.get(name, since) if isinstance(made, Mapping) else made or since
            found[path] = _seconds(day) + age.seconds
    return found


def _seconds(day: Date) -> int:
    return int(datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC).timestamp())


def _held(secrets: SecretsConfig, gateway: GatewayConfig, messaging: MessagingConfig) -> dict[str, dict[str, str]]:
    """Kind -> name -> key path of every credential that is rotated here."""
    entries = secrets.entries.items() if secrets.enabled else ()
    clients = gateway.clients if gateway.enabled else ()
    return {
        "secrets": {name: f"secrets.entries.{name}" for name, entry in entries if entry.source != "external"},
        "clients": {name: f"gateway.clients.{name}" for name in clients},
        "database": {"": "postgres.password_generation"},
        "messages": {"": "messaging.credential_generation"} if messaging.enabled else {},
    }


def _watched(environment: Environment, rotation: RotationConfig) -> Iterator[Finding]:
    if environment in (Environment.STAGING, Environment.PROD) and not rotation.enabled:
        hint = "a credential that nobody looks at becomes as old as the stack"
        yield "rotation.enabled", "false", f"must be true in {environment}", hint
    if rotation.enabled and rotation.since is None:
        hint = "write the day of the first deployment, for example 2026-11-26"
        yield "rotation.since", "nothing", "is required: without it nobody knows how old credentials are", hint
    days = {"since": rotation.since, "made.database": rotation.made.database, "made.messages": rotation.made.messages}
    for kind in ("secrets", "clients"):
        days |= {f"made.{kind}.{name}": day for name, day in getattr(rotation.made, kind).items()}
    for path, day in days.items():
        if day is not None and datetime.date.fromisoformat(day) > today():
            yield f"rotation.{path}", day, f"must not be after today, {today()}", "write the day on which it was made"


def _known(rotation: RotationConfig, secrets: SecretsConfig, gateway: GatewayConfig) -> Iterator[Finding]:
    for name in rotation.made.secrets:
        path, entry = f"rotation.made.secrets.{name}", secrets.entries.get(name)
        if entry is None:
            hint = nearest(name, secrets.entries) or "remove it"
            yield path, name, "is not among secrets.entries", hint
        elif entry.source == "external":
            yield path, name, "is external: its store rotates it", "remove it"
    for name in rotation.made.clients:
        if name not in gateway.clients:
            hint = nearest(name, gateway.clients) or "remove it"
            yield f"rotation.made.clients.{name}", name, "is not among gateway.clients", hint


_OFF: dict[str, Any] = {
    "enabled": False,
    "ages": {"secrets": "365d", "clients": "365d", "database": "365d", "messages": "365d"},
}
# A new API key is told to people, the others restart what uses them: a quarter of a year is what people keep up with.
_ON: dict[str, Any] = {
    "enabled": True,
    "ages": {"secrets": "90d", "clients": "90d", "database": "90d", "messages": "90d"},
}

ROTATION = Capability(
    section="rotation",
    defaults={Environment.DEV: _OFF, Environment.TEST: _OFF, Environment.STAGING: _ON, Environment.PROD: _ON},
    rules=(
        (("environment", "rotation"), _watched),
        (("rotation", "secrets", "gateway"), _known),
    ),
)
