"""Requests over a real connection: answers, refusals, retries, credentials; and what discovery keeps."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.plugins.kubernetes.client import ApiError, CancelledError, Client, UnreachableError
from local.plugins.kubernetes.discovery import Discovery, NoMatchError
from local.plugins.kubernetes.gvk import Kind
from local.plugins.kubernetes.kubeconfig import Connection
from tests.unit.local.plugins.kubernetes.fake_api import FakeApi


class Answers:
    """A server on this machine's own address that answers from a list, and keeps what it was asked."""

    def __init__(self) -> None:
        self.queue: list[tuple[int, dict[str, str], Any]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answers.asked.append((self.command, self.path, dict(self.headers), body))
                status, headers, content = answers.queue.pop(0)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def client(self, **user: object) -> Client:
        cluster = {"server": f"http://127.0.0.1:{self.port}/"}
        return Client(Connection(context="c", namespace="n", cluster=cluster, user=user), threading.Event())


@pytest.fixture
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.stop()


def test_a_request_carries_query_body_and_credentials(answers: Answers) -> None:
    answers.queue = [(200, {}, {"kind": "Pod"})]
    found = answers.client(token="t").request("POST", "/api", query={"dryRun": "All"}, body={"a": 1})
    assert found == {"kind": "Pod"}
    method, path, headers, body = answers.asked[0]
    assert (method, path, json.loads(body)) == ("POST", "/api?dryRun=All", {"a": 1})
    assert headers["Authorization"] == "Bearer t"
    assert headers["Content-Type"] == "application/json"


def test_the_servers_warnings_are_kept(answers: Answers) -> None:
    answers.queue = [(200, {"Warning": '299 - "unknown field \\"spec.sise\\""'}, {})]
    warned: list[str] = []
    answers.client().request("POST", "/x", body={}, warned=warned)
    assert warned == ['unknown field "spec.sise"']


def test_a_refusal_carries_reason_and_causes(answers: Answers) -> None:
    causes = [{"field": "spec.x", "message": "too big"}]
    answers.queue = [(422, {}, {"reason": "Invalid", "message": "no", "details": {"name": "x", "causes": causes}})]
    with pytest.raises(ApiError, match="no") as caught:
        answers.client().request("GET", "/x")
    assert (caught.value.status, caught.value.reason, caught.value.causes) == (422, "Invalid", causes)


def test_an_unknown_path_is_told_from_a_missing_object(answers: Answers) -> None:
    text = "the server could not find the requested resource"
    answers.queue = [(404, {}, {"message": text, "details": {}}), (404, {}, {"details": {"name": "x", "kind": "pods"}})]
    for unknown in (True, False):
        with pytest.raises(ApiError) as caught:
            answers.client().request("GET", "/apis/gone")
        assert caught.value.missing_kind is unknown


def test_an_answer_that_is_not_json_is_shown_as_it_is(answers: Answers) -> None:
    answers.queue = [(502, {}, b"Bad gateway")]
    with pytest.raises(ApiError, match="Bad gateway"):
        answers.client().request("GET", "/x")


def test_a_busy_server_is_asked_again_when_it_says(answers: Answers) -> None:
    answers.queue = [(429, {"Retry-After": "0"}, {}), (200, {}, {"ok": 1})]
    assert answers.client().request("POST", "/x", body={}) == {"ok": 1}


def test_refused_credentials_of_a_program_are_renewed_once(answers: Answers, tmp_path: Path) -> None:
    program = tmp_path / "login"
    program.write_text(f'#!/bin/sh\necho x >> {tmp_path}/n\necho \'{{"status": {{"token": "t"}}}}\'\n')
    program.chmod(0o755)
    answers.queue = [(401, {}, {}), (200, {}, {"ok": 1})]
    assert answers.client(exec={"command": str(program)}).request("GET", "/x") == {"ok": 1}
    assert (tmp_path / "n").read_text().count("x") == 2


def test_a_server_that_does_not_answer_is_named_and_cancelling_ends_the_retries(answers: Answers) -> None:
    answers.stop()
    client = answers.client()
    client._cancelled.set()
    with pytest.raises(CancelledError):
        client.request("GET", "/x")
    client._cancelled.clear()
    with pytest.raises(UnreachableError, match=f"http://127.0.0.1:{answers.port} is unreachable"):
        client.request("GET", "/x")


def discovery(api: FakeApi, directory: Path, version: str = "v1") -> Discovery:
    client: Any = api
    return Discovery(client, version, directory)


def test_discovery_knows_paths_and_scopes(tmp_path: Path) -> None:
    found = discovery(FakeApi(), tmp_path)
    assert found.path(Kind("", "v1", "ConfigMap"), "n", "x") == "/api/v1/namespaces/n/configmaps/x"
    assert found.path(Kind("apps", "v1", "Deployment"), "n") == "/apis/apps/v1/namespaces/n/deployments"
    assert found.path(Kind("", "v1", "Namespace"), "n", "x") == "/api/v1/namespaces/x"


def test_discovery_is_kept_on_disk_per_server_version(tmp_path: Path) -> None:
    api = FakeApi()
    kind = Kind("apps", "v1", "Deployment")
    assert discovery(api, tmp_path).knows(kind)
    assert discovery(api, tmp_path).knows(kind)
    assert api.discoveries == 1
    assert discovery(api, tmp_path, "v2").knows(kind)
    assert api.discoveries == 2


def test_many_unknown_kinds_ask_the_server_once(tmp_path: Path) -> None:
    api = FakeApi()
    found = discovery(api, tmp_path)
    for number in range(20):
        with pytest.raises(NoMatchError, match=f'kind "Toy{number}" in version "example.test/v1"'):
            found.find(Kind("example.test", "v1", f"Toy{number}"))
    assert api.discoveries == 1


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    api = FakeApi()
    discovery(api, tmp_path).refresh()
    next(tmp_path.iterdir()).write_text("{")
    assert discovery(api, tmp_path).knows(Kind("apps", "v1", "Deployment"))
    assert api.discoveries == 2
