"""Settings of the services' secrets. Values never stand here: imported ones are the engine's encrypted settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from omnibase_infra.config.capability import Capability, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import Problem, nearest
from omnibase_infra.config.section import Section

VALUES = "omnibase-infra-secrets"
"""Configuration namespace of imported values: `pulumi config set --secret omnibase-infra-secrets:<entry> ...`."""
SecretKey = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]
"""Name of a secret; also the name of the file in the pod."""


class SecretEntryConfig(Section):
    """Where one secret comes from."""

    source: Literal["generated", "imported", "external"]
    """generated: random, made by the first `up`; imported: an encrypted setting; external: from the store."""
    length: Annotated[int, Field(ge=22, le=4096)] = 43
    """generated: characters; at least 128 bits."""
    alphabet: Literal["base64url", "alphanumeric", "hex"] = "base64url"
    """generated: which characters."""
    generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """generated: raise by one to make a new value; its services restart one pod at a time."""
    overlap: bool = True
    """generated: services also get the value of the generation before, in a file `<name>.previous`."""
    remote_key: str | None = None
    """external: name in the store."""
    remote_property: str | None = None
    """external: field of the stored document."""


class SecretStoreConfig(Section):
    """A store object of the External Secrets Operator, which must be in the cluster."""

    name: str
    """Its name."""
    kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    """Its kind."""


class SecretsConfig(Section):
    """Secrets of the services; each service names those that it gets (`services.<name>.secrets`)."""

    enabled: bool
    """Make them. Required in staging and prod."""
    entries: dict[SecretKey, SecretEntryConfig] = {}
    """Name -> where it comes from."""
    store: SecretStoreConfig | None = None
    """Required by external entries."""


def imports(secrets: SecretsConfig) -> list[str]:
    """Names of the entries whose values are settings."""
    return [key for key, entry in secrets.entries.items() if entry.source == "imported"] if secrets.enabled else []


@dataclass(frozen=True, kw_only=True)
class ImportedValue:
    """A value in the configuration namespace `VALUES`."""

    text: str = field(repr=False)
    encrypted: bool
    """Whether the engine marks it as secret."""


def import_problems(stack: str, secrets: SecretsConfig, given: Mapping[str, ImportedValue]) -> list[Problem]:
    """What is wrong with the values of imported entries; never shows one.

    Args:
        stack: its name; the stack file is taken to be `Pulumi.<stack>.yaml`.
        secrets: the section.
        given: name -> value.
    """
    wanted = imports(secrets)
    found = []
    for key in sorted({*wanted, *given}):
        command = f"pulumi config set --secret {VALUES}:{key}"
        value = given.get(key)
        if key not in wanted:
            allowed, hint = "belongs to no imported entry", nearest(key, wanted) or "remove it"
        elif value is None:
            allowed, hint = "is required by secrets.entries", f"`{command}`"
        elif not value.text.strip():
            allowed, hint = "is empty", f"`{command}`"
        elif not value.encrypted:
            allowed, hint = "is plain text; everybody who reads the file knows it", f"replace it: `{command}`"
        else:
            continue
        received = "nothing" if value is None else "[hidden]"
        origin = f"Pulumi.{stack}.yaml"
        found.append(Problem(origin=origin, path=f"{VALUES}:{key}", received=received, allowed=allowed, hint=hint))
    return found


def _rules(
    environment: Environment,
    secrets: SecretsConfig,
    services: Mapping[str, Any],
    backup: Any,  # noqa: ANN401 -- another section
) -> Iterator[Finding]:
    if not secrets.enabled and environment in (Environment.STAGING, Environment.PROD):
        yield "secrets.enabled", "false", f"must be true in {environment}", "services would start without their secrets"
    known = secrets.entries if secrets.enabled else {}
    used = {key for _, key in backup.secrets()}
    for name, service in services.items():
        used |= set(service.secrets)
        for key in service.secrets:
            if key not in known:
                yield f"services.{name}.secrets", key, "is not among secrets.entries", nearest(key, known)
    for key, entry in known.items():
        if key not in used:
            hint = "name it in services.<name>.secrets, or remove it"
            yield f"secrets.entries.{key}", entry.source, "is given to no service", hint
        yield from _entry(key, entry, has_store=secrets.store is not None)


def _entry(key: str, entry: SecretEntryConfig, *, has_store: bool) -> Iterator[Finding]:
    path = f"secrets.entries.{key}"
    external = entry.source == "external"
    if external and not has_store:
        yield "secrets.store", "nothing", f"is required by {path}", "name the operator's store object"
    if external and not entry.remote_key:
        yield f"{path}.remote_key", "nothing", "is required for source 'external'", "the value's name in the store"
    for name in ("remote_key", "remote_property"):
        if getattr(entry, name) and not external:
            yield f"{path}.{name}", "a text", f"has no meaning for source '{entry.source}'", "remove it"
    if entry.source == "generated" and entry.alphabet == "hex" and entry.length < 32:  # noqa: PLR2004
        yield f"{path}.length", str(entry.length), "must be at least 32 in hex, which is 128 bits", "raise it"


SECRETS = Capability(
    section="secrets",
    defaults={environment: {"enabled": True} for environment in Environment},
    rules=((("environment", "secrets", "services", "backup"), _rules),),
)
