"""The docker provider with short calls, over an engine that is made up."""

from __future__ import annotations

from typing import Any, NoReturn, cast

import grpc
from pulumi.runtime.proto import provider_pb2

from local.plugins.common.convert import decode, encode
from local.plugins.common.enginelog import EngineLog
from local.plugins.common.values import Object
from local.plugins.docker.daemon import Daemon
from local.plugins.docker.provider import DockerProvider
from local.plugins.docker.settings import Settings
from tests.unit.local.plugins.docker.fake_engine import FakeEngine

WEB: Object = {
    "name": "web",
    "image": "registry.test/web@sha256:1",
    "networkMode": "own",
    "memory": 16,
    "memorySwap": 16,
    "healthcheck": {"tests": ["CMD", "/healthy"], "interval": "1m30s"},
    "wait": True,
}
Kind = provider_pb2.PropertyDiff


class AbortedError(Exception):
    """What gRPC raises when a call is aborted."""


class Context:
    """The part of a gRPC context that the service uses."""

    def __init__(self) -> None:
        self.trailing: dict[str, bytes] = {}

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise AbortedError(f"{code.name}: {details}")

    def set_trailing_metadata(self, metadata: Any) -> None:  # noqa: ANN401 -- pairs
        self.trailing = dict(metadata)


def urn(token: str, name: str = "web") -> str:
    return f"urn:pulumi:dev::tiny::omnibase-infra:index:HardenedContainer${token}::{name}"


class Service:
    """The provider with short calls."""

    def __init__(self, engine: FakeEngine) -> None:
        self.context = Context()
        self.provider = DockerProvider()
        self.provider._configured = Daemon(
            Settings(), EngineLog(), self.provider._cancelled, cast(Any, engine)
        )  # the fake passes for the library's client

    def check(self, token: str, news: Object, olds: Object | None = None) -> tuple[Object, dict[str, str]]:
        request = provider_pb2.CheckRequest(
            urn=urn(token), news=encode(news), olds=encode(olds or {}), randomSeed=b"seed"
        )
        answer = self.provider.Check(request, cast(Any, self.context))
        return decode(answer.inputs), {failure.property: failure.reason for failure in answer.failures}

    def create(self, token: str, news: Object, *, preview: bool = False) -> tuple[str, Object, Object]:
        inputs, failures = self.check(token, news)
        assert failures == {}
        request = provider_pb2.CreateRequest(urn=urn(token), properties=encode(inputs), preview=preview)
        answer = self.provider.Create(request, cast(Any, self.context))
        return answer.id, decode(answer.properties), inputs

    def diff(self, token: str, state: Object, old: Object, news: Object) -> provider_pb2.DiffResponse:
        inputs, _ = self.check(token, news, old)
        request = provider_pb2.DiffRequest(
            urn=urn(token), olds=encode(state), old_inputs=encode(old), news=encode(inputs)
        )
        return self.provider.Diff(request, cast(Any, self.context))

    def update(self, token: str, identity: str, state: Object, news: Object, *, preview: bool = False) -> Object:
        inputs, _ = self.check(token, news)
        request = provider_pb2.UpdateRequest(
            urn=urn(token), id=identity, olds=encode(state), news=encode(inputs), preview=preview
        )
        return decode(self.provider.Update(request, cast(Any, self.context)).properties)

    def read(self, token: str, identity: str, inputs: Object | None = None) -> tuple[str, Object, Object]:
        request = provider_pb2.ReadRequest(urn=urn(token), id=identity, inputs=encode(inputs or {}))
        answer = self.provider.Read(request, cast(Any, self.context))
        return answer.id, decode(answer.properties), decode(answer.inputs)

    def delete(self, token: str, identity: str, state: Object) -> None:
        request = provider_pb2.DeleteRequest(urn=urn(token), id=identity, properties=encode(state))
        self.provider.Delete(request, cast(Any, self.context))
