"""The gRPC service `pulumirpc.ResourceProvider`: messages in and out; what they mean is in the modules beside it."""

from __future__ import annotations

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from local.plugins.common.bridged import check, diff, planned
from local.plugins.common.convert import decode
from local.plugins.common.errors import ResourceError
from local.plugins.common.service import Provider, answering, changed_fields, changed_settings, naming_of
from local.plugins.common.urn import type_of
from local.plugins.common.values import UNKNOWN, plain
from local.plugins.docker import VERSION, container, image, network, schema, volume
from local.plugins.docker.daemon import Daemon
from local.plugins.docker.settings import Settings
from local.plugins.docker.shapes import CONTAINER, CONTAINER_OUTPUTS, NETWORK, SHAPES, UNSERVED, VOLUME

_OUTPUTS = {CONTAINER.token: CONTAINER_OUTPUTS, NETWORK.token: ("scope",), VOLUME.token: ("mountpoint",)}
_SERVED = ", ".join([image.TOKEN, *SHAPES])


class DockerProvider(Provider):
    """One provider for one engine. Thread-safe once configured."""

    name = "docker"
    version = VERSION

    def __init__(self, engine: str = "") -> None:
        """`engine` is the address of the engine's log service, when it is told at the start."""
        super().__init__(engine)
        self._configured: Daemon | None = None

    # -- the plugin itself and its configuration -------------------------------------------------------------------

    @answering
    def GetSchema(  # noqa: N802
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """The resource types that are served."""
        return provider_pb2.GetSchemaResponse(schema=schema.package_schema())

    @answering
    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Take the configuration as it is; Configure reads it."""
        return provider_pb2.CheckResponse(inputs=request.news)

    @answering
    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Say what changed. As with the official plugin, another host replaces nothing; a refresh finds what it has."""
        return changed_settings(plain(decode(request.olds)), plain(decode(request.news)))

    @answering
    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Remember the engine. One that does not answer is reported where it is needed."""
        self._configured = Daemon(Settings.read(dict(request.variables)), self._log, self._cancelled)
        return self.configured(request)

    # -- resources -------------------------------------------------------------------------------------------------

    @answering
    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Fill in names and defaults; say all that is wrong."""
        token, news = _served(request.urn), decode(request.news)
        if token == image.TOKEN:
            inputs, failures = image.check(news)
        else:
            unserved = [(key, "needs the official docker provider") for key in sorted(news.keys() & UNSERVED)]
            served = {key: value for key, value in news.items() if key not in UNSERVED}
            inputs, failures = check(SHAPES[token], request.urn, decode(request.olds), served, naming_of(request))
            failures += unserved
        return provider_pb2.CheckResponse(
            inputs=self.encode(inputs),
            failures=[provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in failures],
        )

    @answering
    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Say what changed and whether it needs a new object."""
        token, olds, news = _served(request.urn), decode(request.olds), decode(request.news)
        if token == image.TOKEN:
            return changed_fields(image.diff(olds, news), delete_first=False, between_inputs=True)
        plan = diff(SHAPES[token], olds, news, list(request.ignoreChanges))
        return changed_fields(plan.changes, delete_first=plan.delete_first, between_inputs=True)

    @answering
    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        """Create an object."""
        token, inputs = _served(request.urn), decode(request.properties)
        if token == image.TOKEN:
            identity, state = image.build(self._daemon, request.urn, inputs, preview=request.preview)
        elif request.preview:
            identity, state = "", {**planned(SHAPES[token], inputs), **dict.fromkeys(_OUTPUTS[token], UNKNOWN)}
        elif token == CONTAINER.token:
            identity, state = container.create(self._daemon, request.urn, inputs, request.timeout)
        else:
            made = network.create if token == NETWORK.token else volume.create
            identity, state = made(self._daemon, inputs)
        return provider_pb2.CreateResponse(id=identity, properties=self.encode(state))

    @answering
    def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Look an object up; an image is taken as recorded, as the official plugin does."""
        token = _served(request.urn)
        if token == image.TOKEN:
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        look = {CONTAINER.token: container.read, NETWORK.token: network.read, VOLUME.token: volume.read}[token]
        found = look(self._daemon, request.id, decode(request.inputs))
        if found is None:
            return provider_pb2.ReadResponse()
        identity, state, inputs = found
        return provider_pb2.ReadResponse(id=identity, properties=self.encode(state), inputs=self.encode(inputs))

    @answering
    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        """Change an object: build an image again, change a container's limits; the other types are only replaced."""
        token, olds, news = _served(request.urn), decode(request.olds), decode(request.news)
        if token == image.TOKEN:
            _, state = image.build(self._daemon, request.urn, news, preview=request.preview)
        elif request.preview:
            state = {**planned(SHAPES[token], news, olds), **{key: olds.get(key) for key in _OUTPUTS[token]}}
        elif token == CONTAINER.token:
            state = container.update(self._daemon, request.id, olds, news, request.timeout)
        else:
            state = olds
        return provider_pb2.UpdateResponse(properties=self.encode(state))

    @answering
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        """Delete an object; an image stays in its registry."""
        token = _served(request.urn)
        if token != image.TOKEN:
            end = {CONTAINER.token: container.delete, NETWORK.token: network.delete, VOLUME.token: volume.delete}[token]
            end(self._daemon, request.id, decode(request.properties))
        return empty_pb2.Empty()

    @answering
    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        """Refuse functions."""
        raise ResourceError(f"function {request.tok!r} needs the official docker provider")

    # -- parts ------------------------------------------------------------------------------------------------------

    @property
    def _daemon(self) -> Daemon:
        if self._configured is None:
            raise ResourceError("the docker provider was used before it was configured")
        return self._configured


def _served(urn: str) -> str:
    """The resource type of a URN.

    Raises:
        ResourceError: one that is not served.
    """
    token = type_of(urn)
    if token != image.TOKEN and token not in SHAPES:
        raise ResourceError(f"resource type {token!r} needs the official docker provider; served are {_SERVED}")
    return token
