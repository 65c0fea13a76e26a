"""The provider's configuration: which server, as whom, how the connection is protected."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.plugins.common.values import UNKNOWN, Object, contains_unknown

SSL_MODES = ("disable", "require", "verify-ca", "verify-full")
"""Those of the official provider's driver; it has no `allow` and no `prefer`, which fall back to plain text."""
_ELSEWHERE = {
    "awsRdsIamAuth": "IAM authentication",
    "azureIdentityAuth": "Azure identities",
    "gcpIamImpersonateServiceAccount": "impersonation of a service account",
}
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "database": "PGDATABASE",
    "username": "PGUSER",
    "password": "PGPASSWORD",
    "superuser": "PGSUPERUSER",
    "sslmode": "PGSSLMODE",
    "connectTimeout": "PGCONNECT_TIMEOUT",
}
_DEFAULT_CONNECTIONS = 20
_DEFAULT_TIMEOUT_SECONDS = 180


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One server and one administrator."""

    host: str = ""
    port: int = 5432
    database: str = "postgres"
    """Where statements run that belong to no database."""
    username: str = "postgres"
    password: str = field(default="", repr=False)
    role: str = ""
    """Name of the role behind the user name, where a user name map changes it."""
    superuser: bool = True
    """Whether the administrator may read password hashes."""
    sslmode: str = "require"
    root_certificate: str = ""
    """File with the authorities that sign the server's certificate."""
    client_certificate: str = ""
    client_key: str = ""
    timeout_seconds: int = _DEFAULT_TIMEOUT_SECONDS
    connections: int = _DEFAULT_CONNECTIONS
    """Most connections at a time."""
    unknown: tuple[str, ...] = ()
    """Settings that are outputs of resources that do not exist yet."""

    @property
    def administrator(self) -> str:
        """The role that statements run as."""
        return self.role or self.username


def read(values: Mapping[str, Any], env: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the provider's inputs; numbers and truth values may be text, as SDKs send them.

    Raises:
        ValueError: a number that is none.
    """
    found = _parsed(values)
    for key, variable in _VARIABLES.items():
        if key not in found and env.get(variable):
            found[key] = env[variable]
    unknown = tuple(sorted(key for key, value in found.items() if contains_unknown(value)))
    found = {key: value for key, value in found.items() if key not in unknown}
    certificate = found.get("clientcert") or {}
    if isinstance(certificate, list):
        certificate = certificate[0] if certificate else {}
    return Settings(
        host=str(found.get("host", "")),
        port=_number("port", found.get("port", 5432)),
        database=str(found.get("database", "postgres")),
        username=str(found.get("username", "postgres")),
        password=str(found.get("password", "")),
        role=str(found.get("databaseUsername", "")),
        superuser=_truth(found.get("superuser", True)),
        sslmode=str(found.get("sslmode") or found.get("sslMode") or "require"),
        root_certificate=str(found.get("sslrootcert", "")),
        client_certificate=str(certificate.get("cert", "")),
        client_key=str(certificate.get("key", "")),
        timeout_seconds=_number("connectTimeout", found.get("connectTimeout", _DEFAULT_TIMEOUT_SECONDS)),
        connections=_number("maxConnections", found.get("maxConnections", _DEFAULT_CONNECTIONS)) or 1000,
        unknown=unknown,
    )


def problems(values: Mapping[str, Any], env: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """What is wrong with the provider's inputs, as (property, reason)."""
    found = _parsed(values)
    scheme = found.get("scheme", "postgres")
    if scheme not in ("postgres", UNKNOWN):
        yield "scheme", f"scheme {scheme!r} needs the official provider; the offline plugin connects by host name only"
    for key, words in _ELSEWHERE.items():
        if found.get(key) not in (None, "", False, "false"):
            yield (
                key,
                f"{words} needs the official provider; the offline plugin knows passwords and client certificates",
            )
    certificate = found.get("clientcert")
    blocks = certificate if isinstance(certificate, list) else [certificate]
    if any(isinstance(block, dict) and _truth(block.get("sslinline", False)) for block in blocks):
        yield "clientcert", "inline client certificates need the official provider; give paths of files"
    try:
        settings = read(values, env)
    except ValueError as problem:
        yield "port", str(problem)
        return
    if settings.sslmode not in SSL_MODES:
        yield "sslmode", f"unsupported sslmode {settings.sslmode!r}; supported: {', '.join(SSL_MODES)}"


def _parsed(values: Mapping[str, Any]) -> Object:
    """The engine sends what is not text as JSON text."""
    found: Object = {}
    for key, value in values.items():
        if key == "version" or value is None or value == "":
            continue
        found[key] = value
        if key == "clientcert" and isinstance(value, str):
            found[key] = json.loads(value)
    return found


def _number(key: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"{key}={value!r} is not a whole number") from None


def _truth(value: object) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("1", "t", "true")
