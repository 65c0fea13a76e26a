"""Whether a registry still has a digest: the machine's own, or one over HTTPS with the operator's login."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import urllib3

from local.errors import LocalError
from local.images.registry import machine_registry
from local.node.settings import REGISTRY_ADDRESS
from local.paths import Paths
from local.stack import Stack

_ACCEPT = ", ".join((
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
))  # fmt: skip
_SECONDS = 15.0
_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


def has(paths: Paths, stack: Stack, reference: str) -> bool:
    """Whether the image can be pulled, with all its parts where the registry is this machine's.

    Raises:
        LocalError: the registry does not answer, or refuses to say.
    """
    path, _, digest = reference.partition("@")
    host, _, rest = path.partition("/")
    repository = rest.rpartition(":")[0] or rest
    if stack.is_local and host == REGISTRY_ADDRESS:
        return machine_registry(paths).digest(repository, digest) is not None
    return remote_has(f"https://{host}", host, repository, digest, credentials(host, os.environ))


def remote_has(base: str, host: str, repository: str, digest: str, basic: str) -> bool:
    """Ask a registry of the OCI distribution API for a manifest's head.

    Args:
        base: scheme, host and port.
        host: the registry's name, for messages.
        repository: without the registry.
        digest: `sha256:...`.
        basic: credentials in the form of HTTP's Basic scheme; empty for none.

    Raises:
        LocalError: no answer, or one that says neither yes nor no.
    """
    url = f"{base}/v2/{repository}/manifests/{digest}"
    headers = {"Accept": _ACCEPT, **({"Authorization": f"Basic {basic}"} if basic else {})}
    try:
        answer = urllib3.request("HEAD", url, headers=headers, timeout=_SECONDS, retries=False, redirect=False)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status == _UNAUTHORIZED and challenge.lower().startswith("bearer "):
            headers["Authorization"] = f"Bearer {_token(challenge, repository, basic)}"
            answer = urllib3.request("HEAD", url, headers=headers, timeout=_SECONDS, retries=False, redirect=False)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise LocalError(f"registry {host} does not answer: {error}", hint=_HINT) from error
    if answer.status in (_OK, _NOT_FOUND):
        return answer.status == _OK
    raise LocalError(f"registry {host} does not say whether it has {digest}: HTTP {answer.status}", hint=_HINT)


_HINT = "log in with `docker login`, or give --unchecked if you know that the nodes can pull it"


def credentials(host: str, environ: Mapping[str, str]) -> str:
    """What `docker login` keeps for a registry in its file; empty without, or where a helper program keeps it."""
    place = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker") / "config.json"
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))["auths"][host]["auth"]
        base64.b64decode(kept, validate=True)
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return str(kept)


def _token(challenge: str, repository: str, basic: str) -> str:
    """The token that the registry's challenge asks for; only over HTTPS where credentials are sent along."""
    asked = dict(_PARAMETER.findall(challenge))
    realm = asked.get("realm", "")
    query = urlencode({"service": asked.get("service", ""), "scope": f"repository:{repository}:pull"})
    secure = urlsplit(realm).scheme == "https"
    headers = {"Authorization": f"Basic {basic}"} if basic and secure else {}
    answer = urllib3.request("GET", f"{realm}?{query}", headers=headers, timeout=_SECONDS, retries=False)
    content = json.loads(answer.data)
    return str(content.get("token") or content.get("access_token") or "")
