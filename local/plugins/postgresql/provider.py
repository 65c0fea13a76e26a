"""The gRPC service `pulumirpc.ResourceProvider` for PostgreSQL."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from local.plugins.common import bridged
from local.plugins.common.bridged import Shape
from local.plugins.common.convert import decode
from local.plugins.common.errors import PartialFailureError, ResourceError
from local.plugins.common.service import Provider, answering, changed_fields, changed_settings, naming_of
from local.plugins.common.urn import type_of
from local.plugins.common.values import Object, Secret, contains_secret, plain
from local.plugins.postgresql import VERSION, schema, settings
from local.plugins.postgresql.shapes import SHAPES, UNSERVED

if TYPE_CHECKING:
    from local.plugins.postgresql.kinds import Kind
    from local.plugins.postgresql.server import Server


class PostgresqlProvider(Provider):
    """One provider for one engine. Thread-safe once configured."""

    name = "postgresql"
    version = VERSION

    def __init__(self, engine: str = "") -> None:
        """`engine` is the address of the engine's log service."""
        super().__init__(engine)
        self._settings: settings.Settings | None = None
        self._server: Server | None = None
        self._guard = threading.Lock()

    @answering
    def GetSchema(  # noqa: N802
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """The served types, with their inputs untyped."""
        return provider_pb2.GetSchemaResponse(schema=schema.package_schema())

    @answering
    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        """End running statements."""
        self._cancelled.set()
        if self._server is not None:
            self._server.cancel()
        return empty_pb2.Empty()

    # -- configuration ---------------------------------------------------------------------------------------------

    @answering
    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Refuse ways to connect that only the official provider knows."""
        problems = settings.problems(plain(decode(request.news)))
        failures = [provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in problems]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @answering
    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """A changed setting is an update: the same objects may be reached another way."""
        return changed_settings(plain(decode(request.olds)), plain(decode(request.news)))

    @answering
    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Keep the settings; the server is first asked when an operation needs it."""
        self._settings = settings.read(plain(decode(request.args)))
        return self.configured(request)

    # -- resources -------------------------------------------------------------------------------------------------

    @answering
    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Fill in defaults and name."""
        shape, news = _shape(request.urn), decode(request.news)
        inputs, failures = bridged.check(shape, request.urn, decode(request.olds), news, naming_of(request))
        failures = [(key, f"{reason}; {UNSERVED[key]}" if key in UNSERVED else reason) for key, reason in failures]
        return provider_pb2.CheckResponse(
            inputs=self.encode(inputs),
            failures=[provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in failures],
        )

    @answering
    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Say what changed and whether it needs a new object."""
        olds, news = decode(request.olds), decode(request.news)
        plan = bridged.diff(_shape(request.urn), olds, news, list(request.ignoreChanges))
        return changed_fields(plan.changes, delete_first=plan.delete_first)

    @answering
    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        """Create an object; a preview asks no server."""
        shape, inputs = _shape(request.urn), decode(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=self.encode(bridged.planned(shape, inputs)))
        kind, server, wanted = self._kind(shape), self._connected(), plain(inputs)
        kind.create(server, wanted)
        identity = kind.identify(wanted, server)
        state = self._after(kind, shape, identity, wanted, inputs)
        return provider_pb2.CreateResponse(id=identity, properties=self.encode(state))

    @answering
    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        """Change an object; a preview asks no server."""
        shape, inputs, state = _shape(request.urn), decode(request.news), decode(request.olds)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=self.encode(bridged.planned(shape, inputs, state)))
        kind, wanted = self._kind(shape), plain(inputs)
        kind.update(self._connected(), plain(state), wanted)
        known = {**plain(state), **wanted}
        return provider_pb2.UpdateResponse(properties=self.encode(self._after(kind, shape, request.id, known, inputs)))

    @answering
    def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Look an object up."""
        shape, recorded, inputs = _shape(request.urn), decode(request.properties), decode(request.inputs)
        kind, server = self._kind(shape), self._connected()
        try:
            found = kind.read(server, request.id, plain(recorded))
        except PermissionError as problem:
            raise ResourceError(str(problem)) from problem
        if found is None:
            return provider_pb2.ReadResponse()
        state = _marked(shape, found, recorded)
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=self.encode(state),
            inputs=self.encode(bridged.recorded_inputs(shape, state, inputs)),
        )

    @answering
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        """Delete an object."""
        self._kind(_shape(request.urn)).delete(self._connected(), plain(decode(request.properties)))
        return empty_pb2.Empty()

    @answering
    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        """Refuse functions: no component of this project looks anything up."""
        raise ResourceError(f"function {request.tok!r} needs the official postgresql provider")

    # -- parts ------------------------------------------------------------------------------------------------------

    def _connected(self) -> Server:
        """The server; a preview without changes never comes here, so the driver is loaded now and not before."""
        from local.plugins.postgresql.server import Server  # noqa: PLC0415

        if self._settings is None:
            raise ResourceError("the postgresql provider was used before it was configured")
        with self._guard:
            if self._server is None:
                self._server = Server(self._settings, self._cancelled)
            return self._server

    @staticmethod
    def _kind(shape: Shape) -> Kind:
        from local.plugins.postgresql.kinds import KINDS  # noqa: PLC0415  # loads the driver

        return KINDS[shape.token]

    def _after(self, kind: Kind, shape: Shape, identity: str, known: Object, inputs: Object) -> Object:
        """The state after a change. The object is there, whatever happens now: the engine must record it."""
        written = {key: known[key] for key in shape.fields if key in known and shape.fields[key].secret}
        try:  # what was just written need not be proven by a login
            found = kind.read(self._connected(), identity, {key: known[key] for key in known if key not in written})
        except (ResourceError, PermissionError) as problem:
            raise PartialFailureError(
                f"it was written but cannot be read: {problem}",
                identity=identity,
                state=_marked(shape, {key: known[key] for key in shape.fields if key in known}, inputs),
                reasons=[str(problem)],
                inputs=inputs,
            ) from problem
        if found is None:
            raise ResourceError(f"{identity!r} was written but is gone: somebody removed it at the same moment")
        return _marked(shape, {**found, **written}, inputs)


def _shape(urn: str) -> Shape:
    """The type of a resource.

    Raises:
        ResourceError: not one of those that are served.
    """
    token = type_of(urn)
    if token not in SHAPES:
        served = ", ".join(sorted(each.rpartition(":")[2] for each in SHAPES))
        raise ResourceError(
            f"resource type {token!r} needs the official postgresql provider; the offline plugin serves {served}"
        )
    return SHAPES[token]


def _marked(shape: Shape, state: Object, like: Object) -> Object:
    """Secret marks on what the type calls secret, and on what was secret before. Write-only values are not kept."""
    return {
        key: Secret(value) if shape.fields[key].secret or contains_secret(like.get(key)) else value
        for key, value in state.items()
        if key in shape.fields and not shape.fields[key].write_only
    }
