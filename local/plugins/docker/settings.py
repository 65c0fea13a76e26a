"""The provider's configuration: which Docker engine, and how to log in to registries."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.errors import InputError

_PREFIX = "docker:config:"
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_UNSERVED = {
    "context": "contexts of the Docker command line",
    "sshOpts": "engines behind ssh",
    "caMaterial": "certificates as text (write them into a directory and set certPath)",
    "certMaterial": "certificates as text (write them into a directory and set certPath)",
    "keyMaterial": "certificates as text (write them into a directory and set certPath)",
}
_SCHEMES = ("unix://", "tcp://", "http://", "https://")


@dataclass(frozen=True, kw_only=True)
class Login:
    """User and password for a registry."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One configured provider."""

    host: str = _DEFAULT_HOST
    cert_path: str = ""
    """Directory with ca.pem, cert.pem and key.pem for an engine behind TLS."""
    logins: Mapping[str, Login] = field(default_factory=dict)
    """By address of the registry."""

    @classmethod
    def read(cls, variables: Mapping[str, str], env: Mapping[str, str] = os.environ) -> Settings:
        """Read the engine's variables; DOCKER_HOST and DOCKER_CERT_PATH count where they are silent.

        Raises:
            InputError: an option that only the official provider serves, or an address of no known kind.
        """
        given = {key.removeprefix(_PREFIX): value for key, value in variables.items()}
        for key, what in _UNSERVED.items():
            if given.get(key) not in (None, "", "[]", "{}"):
                raise InputError(
                    f"provider option {key}: the offline docker plugin does not serve {what}",
                    hint="use the official docker provider",
                )
        host = given.get("host") or env.get("DOCKER_HOST") or _DEFAULT_HOST
        if not host.startswith(_SCHEMES):
            raise InputError(
                f"provider option host={host!r}: the offline docker plugin serves {', '.join(_SCHEMES)}",
                hint="name a socket or an address, or use the official docker provider",
            )
        cert_path = given.get("certPath") or env.get("DOCKER_CERT_PATH") or ""
        return cls(host=host, cert_path=cert_path, logins=_logins(given.get("registryAuth") or "[]"))

    def login(self, image: str) -> dict[str, str] | None:
        """How to log in to an image's registry, as the docker library wants it."""
        found = self.logins.get(registry_of(image))
        return {"username": found.username, "password": found.password} if found else None


def registry_of(image: str) -> str:
    """Address of an image's registry: `127.0.0.1:5000` of `127.0.0.1:5000/team/app:1`, `docker.io` of `app`."""
    first, separator, _ = image.partition("/")
    return first if separator and ("." in first or ":" in first or first == "localhost") else "docker.io"


def _logins(text: str) -> dict[str, Login]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise InputError("provider option registryAuth is not JSON", hint="give a list of registries") from error
    return {
        str(entry.get("address", "")).removeprefix("https://").removeprefix("http://").rstrip("/"): Login(
            username=str(entry["username"]), password=str(entry.get("password", ""))
        )
        for entry in entries
        if isinstance(entry, dict) and entry.get("username")
    }
