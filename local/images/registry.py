"""A client of the machine's registry. It enters the node's network namespace, where the registry's loopback is.

The registry has two addresses. Everybody names it `127.0.0.1:5000`. Docker never checks certificates for 127.0.0.0/8,
and no setting changes that; so what we build is pushed as `0.0.0.0:5000`, which the kernel takes to the same loopback
and Docker checks like any other name.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from local.errors import LocalError
from local.node.settings import REGISTRY_ADDRESS, registry_authority
from local.paths import Paths

_CLONE_NEWNET = 0x40000000
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_TIMEOUT_SECONDS = 10.0

Answer: TypeAlias = tuple[int, dict[str, str], bytes]
"""Status, headers with lower-case names, body."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The registry at `host:port`, over TLS.

    Attributes:
        address: host and port.
        authority: file with the certificate of the authority that vouches for it.
        namespace: file of the network namespace to connect from, for example /run/netns/omnibase-local; None means
            the caller's own.
    """

    address: str
    authority: Path
    namespace: Path | None = None

    def digest(self, repository: str, reference: str) -> str | None:
        """Digest of a tag, or None when the tag, its manifest or one of the manifest's blobs is not there.

        Raises:
            LocalError: the registry does not answer.
        """
        with self._connection() as connection:  # one for all: a handshake for each blob would take most of the time
            status, headers, body = self._exchange(connection, "GET", f"/v2/{repository}/manifests/{reference}")
            if status != http.client.OK:
                return None
            manifest = json.loads(body)
            blobs = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
            for blob in blobs:
                if self._exchange(connection, "HEAD", f"/v2/{repository}/blobs/{blob}")[0] != http.client.OK:
                    return None
            return headers["docker-content-digest"]

    def add_tag(self, repository: str, reference: str, tag: str) -> None:
        """Give an image a second tag.

        Raises:
            LocalError: there is no such image, or the registry refused.
        """
        status, _, body = self.ask("GET", f"/v2/{repository}/manifests/{reference}")
        if status == http.client.OK:
            status, _, _ = self.ask("PUT", f"/v2/{repository}/manifests/{tag}", body)
        if status not in (http.client.OK, http.client.CREATED):
            raise LocalError(f"registry {self.address}: cannot tag {repository}:{reference} as {tag} (HTTP {status})")

    def ask(self, method: str, path: str, body: bytes | None = None, *, content_type: str = _MANIFEST) -> Answer:
        """One request of the registry's API.

        Raises:
            LocalError: the authority's certificate cannot be read, the registry does not answer, or it is not the one
                that the authority vouches for.
        """
        with self._connection() as connection:
            return self._exchange(connection, method, path, body, content_type)

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(self.address, timeout=_TIMEOUT_SECONDS)
        try:
            yield connection
        except ssl.SSLError as error:
            raise LocalError(
                f"registry {self.address} is not the one that {self.authority} vouches for: {error}",
                hint="`make up` makes certificates anew where they have to be, and starts the registry with them",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise LocalError(
                f"registry {self.address} does not answer: {error}",
                hint="`make status` shows whether it runs; `make up` starts it again",
            ) from error
        finally:
            connection.close()

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None,
        content_type: str = _MANIFEST,
    ) -> Answer:  # fmt: skip
        if connection.sock is None:  # or the library would connect by itself: in our own namespace, and without TLS
            host, _, port = self.address.rpartition(":")
            context = _trust(self.authority)
            connection.sock = context.wrap_socket(connect(self.namespace, host, int(port)), server_hostname=host)
        headers = {"Accept": _MANIFEST, **({"Content-Type": content_type} if body is not None else {})}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()


def machine_registry(paths: Paths, address: str = REGISTRY_ADDRESS) -> Registry:
    """The registry of an instance, and whom to trust for it."""
    namespace = Path("/run/netns") / f"omnibase-{paths.instance}"
    return Registry(address=address, authority=registry_authority(paths), namespace=namespace)


def _trust(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(authority)
    except OSError as error:  # missing, not readable for this user, or no certificate
        raise LocalError(
            f"the certificate of the registry's authority, {authority}, cannot be read: {error}",
            hint="run the command as root; `make up` makes the certificate anew where it is damaged or missing",
        ) from error
    return context


def connect(namespace: Path | None, host: str, port: int) -> socket.socket:
    """A connection to an address that may exist in a network namespace only.

    Args:
        namespace: file of the namespace; None means the caller's own.

    Raises:
        OSError: the namespace cannot be entered, or nothing answers there.
    """
    if namespace is None:
        created = socket.socket()
    else:
        # A namespace is entered by a thread, not by the process; a socket stays where it was made.
        with ThreadPoolExecutor(1) as pool:
            created = pool.submit(_socket_in, namespace).result()
    created.settimeout(_TIMEOUT_SECONDS)
    try:
        created.connect((host, port))
    except OSError:
        created.close()
        raise
    return created


def _socket_in(namespace: Path) -> socket.socket:
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"cannot enter network namespace {namespace.name}: {os.strerror(code)}")
    finally:
        os.close(descriptor)
    return socket.socket()
