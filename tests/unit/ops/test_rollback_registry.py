"""Whether a registry still has a digest: yes, no, or a reason why it does not say."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.errors import LocalError
from ops.rollback.registry import credentials, remote_has

KEPT, LOST = "sha256:" + "a" * 64, "sha256:" + "b" * 64
BASIC = base64.b64encode(b"user:word").decode()


class Server(ThreadingHTTPServer):
    """A registry that keeps one digest, and asks as many questions as a test wants."""

    daemon_threads = True
    challenge = ""
    token = ""
    status = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def has(self, digest: str, basic: str = "") -> bool:
        return remote_has(self.base, "registry.example.test", "omnibase/reference", digest, basic)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_words: object) -> None:
        return

    def do_HEAD(self) -> None:
        given = self.headers.get("Authorization", "")
        if self.server.challenge and given not in (f"Bearer {self.server.token}", f"Basic {BASIC}"):
            self.send_response(401)
            self.send_header("WWW-Authenticate", self.server.challenge)
        elif self.server.status:
            self.send_response(self.server.status)
        else:
            self.send_response(200 if self.path == f"/v2/omnibase/reference/manifests/{KEPT}" else 404)
        self.end_headers()

    def do_GET(self) -> None:
        assert "scope=repository%3Aomnibase%2Freference%3Apull" in self.path
        assert "Authorization" not in self.headers, "credentials never go over plain HTTP to a realm"
        body = json.dumps({"token": self.server.token}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        serving = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        yield made
        made.shutdown()
        serving.join(timeout=10)


def test_what_it_has_and_what_it_has_lost_are_told_apart(server: Server) -> None:
    assert server.has(KEPT)
    assert not server.has(LOST)


def test_a_registry_that_hands_out_tokens_is_asked_for_one(server: Server) -> None:
    server.token, server.challenge = "t", f'Bearer realm="{server.base}/token",service="registry"'
    assert server.has(KEPT)
    assert not server.has(LOST)
    server.token, server.challenge = "other", f'Bearer realm="{server.base}/token",service="registry"'
    assert server.has(KEPT)


def test_the_operators_login_is_used(server: Server) -> None:
    server.challenge = 'Basic realm="registry"'
    assert server.has(KEPT, BASIC)
    with pytest.raises(LocalError, match="HTTP 401") as caught:
        server.has(KEPT)
    assert "docker login" in caught.value.hint


def test_an_answer_that_is_neither_yes_nor_no_is_no_yes(server: Server) -> None:
    server.status = 503
    with pytest.raises(LocalError, match=r"does not say whether it has .*HTTP 503"):
        server.has(KEPT)


def test_a_registry_that_does_not_answer_is_named() -> None:
    with pytest.raises(LocalError, match=r"registry registry\.example\.test does not answer"):
        remote_has("http://127.0.0.1:1", "registry.example.test", "omnibase/reference", KEPT, "")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (json.dumps({"auths": {"registry.example.test": {"auth": BASIC}}}), BASIC),
        (json.dumps({"auths": {"other.example.test": {"auth": BASIC}}}), ""),
        (json.dumps({"auths": {"registry.example.test": {"auth": "no base64!"}}}), ""),
        (json.dumps({"credsStore": "helper"}), ""),
        ("{", ""),
    ],
)
def test_the_login_is_read_where_docker_keeps_it(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "config.json").write_text(content)
    assert credentials("registry.example.test", {"DOCKER_CONFIG": str(tmp_path)}) == found
    assert credentials("registry.example.test", {"HOME": str(tmp_path / "none")}) == ""
