"""Messages at the engine's terminal."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from local.plugins.common.enginelog import EngineLog, ResourceLog


class Engine(engine_pb2_grpc.EngineServicer):
    """Keeps what it is asked to show."""

    def __init__(self) -> None:
        self.shown: list[engine_pb2.LogRequest] = []

    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        self.shown.append(request)
        return empty_pb2.Empty()


@pytest.fixture
def engine() -> Iterator[tuple[Engine, str]]:
    made = Engine()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(made, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield made, f"127.0.0.1:{port}"
    server.stop(None)


def test_a_status_line_is_sent_only_when_it_changes_and_is_taken_away_at_the_end(engine: tuple[Engine, str]) -> None:
    made, address = engine
    log = ResourceLog(EngineLog(address), "urn")
    for text in ("waiting", "waiting", "nearly"):
        log.status(text)
    log.clear()
    log.clear()
    assert [(request.message, request.ephemeral) for request in made.shown] == [
        ("waiting", True),
        ("nearly", True),
        ("", True),
    ]
    assert {request.urn for request in made.shown} == {"urn"}


def test_messages_that_stay_carry_their_severity(engine: tuple[Engine, str]) -> None:
    made, address = engine
    log = EngineLog()
    log.say("error", "urn", "nobody listens yet")
    log.attach(address)
    ResourceLog(log, "urn").say("warning", "careful")
    assert [(request.severity, request.message, request.ephemeral) for request in made.shown] == [
        (engine_pb2.WARNING, "careful", False)
    ]


def test_an_engine_that_is_gone_fails_nothing() -> None:
    EngineLog("127.0.0.1:1").say("info", "urn", "anybody?")
