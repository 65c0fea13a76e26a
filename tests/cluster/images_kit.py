"""Docker and HTTP on the node, for the tests of images."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.images.build import docker_environment
from local.images.engine import docker
from local.images.registry import Registry, connect
from local.paths import Paths

HARDENED = ("--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
"""As pods run it. The host of the network is the node's namespace."""


@dataclass(frozen=True, kw_only=True)
class Docker:
    """The command line of the node's Docker engine."""

    paths: Paths

    def __call__(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        done = self._run(arguments, stdin.encode() if stdin is not None else None)
        text = done.stdout.decode() + ("" if check else done.stderr.decode())
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}\n{text}{done.stderr.decode()}"
        return text.strip()

    def config(self, image: str) -> dict[str, Any]:
        """The image's configuration: User, Env, Labels and so on."""
        self("pull", "--quiet", image)
        (found,) = json.loads(self("image", "inspect", image))
        configuration: dict[str, Any] = found["Config"]
        return configuration

    def files(self, image: str) -> dict[str, tarfile.TarInfo]:
        """Everything in the image by its path, without what an engine adds when a container starts."""
        container = self("create", "--network=none", image)
        try:
            exported = self._run(("export", container)).stdout
        finally:
            self("rm", "--volumes", container)
        added = {".dockerenv", "dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "etc"}
        with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
            names = {member.name.rstrip("/"): member for member in archive.getmembers()}
        return {
            name: member
            for name, member in names.items()
            if name not in added and not name.startswith(("dev/", "proc/", "sys/"))
        }

    def _run(self, arguments: tuple[str, ...], stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, **docker_environment(self.paths)}
        command = [str(docker(self.paths)), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=600, input=stdin)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the server sent
        return json.loads(self.body)


def ask(
    namespace: Path, port: int, method: str, path: str, *, body: object = None, headers: dict[str, str] | None = None,
    seconds: float = 180,
) -> Answer:  # fmt: skip
    """One HTTP request to a port on the loopback of a network namespace."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.sock = connect(namespace, "127.0.0.1", port)
    connection.sock.settimeout(seconds)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        found = {key.lower(): value for key, value in response.getheaders()}
        return Answer(status=response.status, headers=found, body=response.read())
    finally:
        connection.close()


def with_configuration(registry: Registry, reference: str, **settings: object) -> str:
    """The same image with other settings (Entrypoint, Labels), made in the registry without a build.

    The same settings give the same digest every time.
    """
    path, _, digest = reference.partition("@")
    repository = path.partition("/")[2].rpartition(":")[0]
    manifest = json.loads(_asked(registry, "GET", f"/v2/{repository}/manifests/{digest}")[1])
    configuration = json.loads(_asked(registry, "GET", f"/v2/{repository}/blobs/{manifest['config']['digest']}")[1])
    configuration["config"].update(settings)
    content = json.dumps(configuration, sort_keys=True).encode()
    blob = f"sha256:{hashlib.sha256(content).hexdigest()}"
    place = _asked(registry, "POST", f"/v2/{repository}/blobs/uploads/")[0]["location"]
    target = place[place.index("/v2/") :]
    _asked(registry, "PUT", f"{target}{'&' if '?' in target else '?'}digest={blob}", content)
    manifest["config"].update(digest=blob, size=len(content))
    body = json.dumps(manifest).encode()
    made = f"sha256:{hashlib.sha256(body).hexdigest()}"
    _asked(registry, "PUT", f"/v2/{repository}/manifests/{made}", body)
    return f"{path}@{made}"


def _asked(registry: Registry, method: str, path: str, body: bytes | None = None) -> tuple[dict[str, str], bytes]:
    """Headers and body of an answer; only the registry's own words on success."""
    status, headers, content = registry.ask(method, path, body)
    assert status < 300, (method, path, status, content)
    return headers, content
