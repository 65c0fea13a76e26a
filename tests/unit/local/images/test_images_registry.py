"""The registry client against a small HTTPS server on loopback that speaks the four calls."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from local.errors import LocalError
from local.images.registry import Registry, machine_registry
from local.node import NetworkPlan, pki
from local.paths import Paths

MANIFEST = json.dumps({"config": {"digest": "sha256:c"}, "layers": [{"digest": "sha256:l"}]}).encode()


class Handler(BaseHTTPRequestHandler):
    """Knows `omnibase/thing:1` and its blobs; remembers what was put."""

    protocol_version = "HTTP/1.1"
    blobs = frozenset({"sha256:c", "sha256:l"})
    put: dict[str, bytes]

    def do_GET(self) -> None:
        if self.path == "/v2/omnibase/thing/manifests/1":
            self._answer(200, MANIFEST, {"Docker-Content-Digest": "sha256:m"})
        else:
            self._answer(404, b"{}")

    def do_HEAD(self) -> None:
        self._answer(200 if self.path.rsplit("/", 1)[1] in self.server.blobs else 404)  # type: ignore[attr-defined]  # set by the fixture

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.put[self.path] = body  # type: ignore[attr-defined]  # set by the fixture
        self._answer(201)

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def keys(directory: Path, now: datetime | None = None) -> Path:
    """Keys and certificates as a node has them."""
    pki.ensure(directory, NetworkPlan(instance="unit", network=IPv4Network("10.9.0.0/16")), now=now)
    return directory


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys(tmp_path_factory.mktemp("strange"))


@pytest.fixture
def server(ours: Path) -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that refuses us is no news
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours / "registry.crt", ours / "registry.key")
    made.socket = context.wrap_socket(made.socket, server_side=True)
    made.trust = context  # type: ignore[attr-defined]  # for a test that changes it
    made.blobs, made.put = set(Handler.blobs), {}  # type: ignore[attr-defined]  # read by the handler
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def registry(server: ThreadingHTTPServer, ours: Path) -> Registry:
    return Registry(address=f"127.0.0.1:{server.server_port}", authority=ours / "registry-ca.crt")


def test_a_complete_image_has_a_digest(registry: Registry) -> None:
    assert registry.digest("omnibase/thing", "1") == "sha256:m"


def test_a_server_that_closes_after_each_answer_is_asked_on(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "protocol_version", "HTTP/1.0")

    assert registry.digest("omnibase/thing", "1") == "sha256:m"


def test_an_unknown_tag_has_none(registry: Registry) -> None:
    assert registry.digest("omnibase/thing", "2") is None


def test_an_image_that_lost_a_layer_counts_as_absent(registry: Registry, server: ThreadingHTTPServer) -> None:
    server.blobs.remove("sha256:l")  # type: ignore[attr-defined]  # set by the fixture

    assert registry.digest("omnibase/thing", "1") is None


def test_a_second_tag_is_the_same_manifest(registry: Registry, server: ThreadingHTTPServer) -> None:
    registry.add_tag("omnibase/thing", "1", "stable")

    assert server.put == {"/v2/omnibase/thing/manifests/stable": MANIFEST}  # type: ignore[attr-defined]  # set by the fixture


def test_a_tag_for_nothing_is_refused(registry: Registry) -> None:
    with pytest.raises(LocalError, match=r"cannot tag omnibase/thing:2 as stable \(HTTP 404\)"):
        registry.add_tag("omnibase/thing", "2", "stable")


def test_a_registry_that_another_authority_vouches_for_is_refused(registry: Registry, strange: Path) -> None:
    with pytest.raises(
        LocalError, match=r"is not the one that .*registry-ca\.crt vouches for: .*verify failed"
    ) as caught:
        replace(registry, authority=strange / "registry-ca.crt").digest("omnibase/thing", "1")
    assert "make up" in caught.value.hint


def test_a_registry_whose_certificate_has_ended_is_refused(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    old = keys(tmp_path, now=datetime.now(UTC) - timedelta(days=366))
    server.trust.load_cert_chain(old / "registry.crt", old / "registry.key")  # type: ignore[attr-defined]  # set by the fixture
    with pytest.raises(LocalError, match=r"vouches for: .*certificate has expired"):
        Registry(address=f"127.0.0.1:{server.server_port}", authority=old / "registry-ca.crt").digest("a", "1")


@pytest.mark.parametrize("authority", ["ca", "etcd-ca"])
def test_the_nodes_other_authorities_do_not_count(registry: Registry, ours: Path, authority: str) -> None:
    with pytest.raises(LocalError, match="vouches for"):
        replace(registry, authority=ours / f"{authority}.crt").digest("omnibase/thing", "1")


def test_a_server_that_speaks_plain_http_is_refused(ours: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as plain:
        thread = threading.Thread(target=plain.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            address = f"127.0.0.1:{plain.server_port}"
            with pytest.raises(LocalError, match="vouches for"):
                Registry(address=address, authority=ours / "registry-ca.crt").digest("omnibase/thing", "1")
        finally:
            plain.shutdown()
            thread.join()


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_an_authority_that_cannot_be_read_is_named(registry: Registry, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "registry-ca.crt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LocalError, match=rf"authority, {file}, cannot be read") as caught:
        replace(registry, authority=file).digest("omnibase/thing", "1")
    assert "make up" in caught.value.hint


def test_the_machines_registry_is_found_in_the_instances_namespace_and_trusted_by_its_own_authority() -> None:
    found = machine_registry(Paths.from_environment({"OMNIBASE_INSTANCE": "unit", "OMNIBASE_STATE": "/state"}))

    assert found.address == "127.0.0.1:5000"
    assert found.namespace == Path("/run/netns/omnibase-unit")
    assert found.authority == Path("/state/node/pki/registry-ca.crt")


def test_a_registry_that_is_down_is_one_clear_error(ours: Path) -> None:
    closed = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port = closed.server_port
    closed.server_close()

    with pytest.raises(LocalError, match=rf"registry 127\.0\.0\.1:{port} does not answer: .*refused") as caught:
        Registry(address=f"127.0.0.1:{port}", authority=ours / "registry-ca.crt").digest("omnibase/thing", "1")
    assert "make up" in caught.value.hint


def test_a_node_that_is_stopped_is_one_clear_error(ours: Path, tmp_path: Path) -> None:
    gone = tmp_path / "no-such-namespace"
    with pytest.raises(LocalError, match="does not answer"):
        Registry(address="127.0.0.1:5000", authority=ours / "registry-ca.crt", namespace=gone).digest("a/thing", "1")
