"""The gRPC service `pulumirpc.ResourceProvider`: messages in and out; what they mean is in the modules beside it."""

from __future__ import annotations

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from local.plugins.common.convert import decode, encode
from local.plugins.common.errors import PartialFailureError, ResourceError
from local.plugins.common.propertypath import write
from local.plugins.common.service import KINDS, Provider, answering, naming_of
from local.plugins.common.urn import type_of
from local.plugins.kubernetes import VERSION, checking, deleting, differing, reading, schema, settings, writing
from local.plugins.kubernetes.decoding import decode_yaml
from local.plugins.kubernetes.session import Session, open_session
from local.plugins.kubernetes.settings import Settings
from local.plugins.kubernetes.values import plain

_DECODE = "kubernetes:yaml:decode"
_UNSERVED_INVOKES = {
    "kubernetes:helm:template": "Helm charts",
    "kubernetes:kustomize:directory": "kustomize directories",
}


class KubernetesProvider(Provider):
    """One provider for one engine. Thread-safe once configured."""

    name = "kubernetes"
    version = VERSION

    def __init__(self, engine: str = "") -> None:
        """`engine` is the address of the engine's log service, when it is told at the start."""
        super().__init__(engine)
        self._configured: Session | None = None

    # -- the plugin itself -----------------------------------------------------------------------------------------

    @answering
    def GetSchema(  # noqa: N802
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """Every resource type of the installed SDK, with its inputs untyped."""
        return provider_pb2.GetSchemaResponse(schema=schema.package_schema())

    # -- configuration ---------------------------------------------------------------------------------------------

    @answering
    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Refuse what strict mode forbids."""
        problems = settings.strict_problems(request.urn, plain(decode(request.news)))
        failures = [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in problems]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @answering
    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Replace the provider, and so its resources, when it points to another cluster."""
        found = settings.compare(plain(decode(request.olds)), plain(decode(request.news)))
        some = provider_pb2.DiffResponse.DIFF_SOME if found.changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=found.changed, replaces=found.replaces)

    @answering
    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Find the cluster. One that does not answer is reported where it is needed."""
        self._configured = open_session(Settings.read(dict(request.variables)), self._log, self._cancelled)
        return self.configured(request)

    # -- resources -------------------------------------------------------------------------------------------------

    @answering
    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Fill in name and namespace."""
        session = self._session
        if session.cluster is None and session.settings.skip_update_unreachable:
            session.log.say(
                "warning", request.urn, "Cluster is unreachable: skipUpdateUnreachable leaves this as it is"
            )
            return provider_pb2.CheckResponse(inputs=request.olds)
        if session.settings.server_side_apply and _is_checked(request):
            return provider_pb2.CheckResponse(inputs=request.news)
        inputs = checking.check(session, request.urn, decode(request.olds), decode(request.news), naming_of(request))
        return provider_pb2.CheckResponse(inputs=self.encode(inputs))

    @answering
    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Say what changed and whether it needs a new object."""
        if _is_same(request):
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE, hasDetailedDiff=True)
        plan = differing.diff(
            self._session, request.urn, decode(request.olds), decode(request.news), list(request.ignoreChanges)
        )
        response = provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if plan.changed else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=plan.replaces,
            deleteBeforeReplace=plan.delete_first,
            hasDetailedDiff=True,
        )
        for change in plan.changes:
            path = write(change.path)
            entry = response.detailedDiff[path]
            entry.kind = KINDS[(change.op, path in plan.replaces)]
            entry.inputDiff = True
        return response

    @answering
    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        """Create an object."""
        checking.refuse_unserved(type_of(request.urn))
        wanted = writing.Request(
            urn=request.urn, news=decode(request.properties), timeout=request.timeout, preview=request.preview
        )
        identity, state = writing.create(self._session, wanted)
        unchanged = state is wanted.news  # by a preview that cannot ask
        return provider_pb2.CreateResponse(
            id=identity, properties=request.properties if unchanged else self.encode(state)
        )

    @answering
    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        """Change an object."""
        wanted = writing.Request(
            urn=request.urn, news=decode(request.news), timeout=request.timeout, preview=request.preview
        )
        state = writing.update(self._session, wanted, decode(request.olds), list(request.ignoreChanges))
        return provider_pb2.UpdateResponse(properties=self.encode(state))

    @answering
    def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Look an object up."""
        checking.refuse_unserved(type_of(request.urn))
        found = reading.read(self._session, request.urn, request.id, decode(request.properties), decode(request.inputs))
        if found.unready:
            raise PartialFailureError(
                found.unready[0], identity=found.identity, state=found.state, reasons=found.unready, inputs=found.inputs
            )
        if not found.identity:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=found.identity, properties=self.encode(found.state), inputs=self.encode(found.inputs)
        )

    @answering
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        """Delete an object."""
        deleting.delete(self._session, request.urn, request.id, decode(request.properties), request.timeout)
        return empty_pb2.Empty()

    # -- functions -------------------------------------------------------------------------------------------------

    @answering
    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        """Serve `kubernetes:yaml:decode`."""
        if request.tok != _DECODE:
            words = _UNSERVED_INVOKES.get(request.tok)
            raise ResourceError(
                f"{words} need the official kubernetes provider; render them to manifests and use those"
                if words
                else f"unknown Invoke type {request.tok!r}"
            )
        args = plain(decode(request.args))
        if not isinstance(args.get("text"), str):
            raise ResourceError(f"{_DECODE}: missing required field 'text' of type string")
        objects = decode_yaml(self._session, args["text"], str(args.get("defaultNamespace") or ""))
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(encode({"result": objects}))  # `return` is a word of Python
        return response

    @answering
    def Construct(  # noqa: N802
        self, request: provider_pb2.ConstructRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConstructResponse:
        """Refuse the component types, all of which need Helm, kustomize or the official provider's own graph."""
        raise ResourceError(
            f"component type {request.type!r} needs the official kubernetes provider; use "
            "`pulumi_kubernetes.yaml.ConfigFile` or plain resources instead"
        )

    # -- parts ------------------------------------------------------------------------------------------------------

    @property
    def _session(self) -> Session:
        if self._configured is None:
            raise ResourceError("the kubernetes provider was used before it was configured")
        return self._configured


def _is_checked(request: provider_pb2.CheckRequest) -> bool:
    """Whether the program says what an earlier Check returned, told by comparing messages as they are.

    To check that again changes nothing: name and namespace are filled in. What a refresh found differs from it.
    """
    return bool(request.olds.fields) and bool(request.olds == request.news)


def _is_same(request: provider_pb2.DiffRequest) -> bool:
    """Whether the checked inputs are those of last time, told by comparing messages as they are.

    Reading a large definition takes 20 ms, and in most runs nothing has changed. What a refresh found is among the
    recorded inputs, so drift differs. A Job may have to be made anew although its inputs stay (`replaceUnready`).
    """
    kind: str = request.news.fields["kind"].string_value if "kind" in request.news.fields else ""
    same: bool = request.HasField("old_inputs") and request.old_inputs == request.news
    return same and kind not in ("", "Job")
