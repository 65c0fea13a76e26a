"""The part of the gRPC service `pulumirpc.ResourceProvider` that does not depend on what a provider serves."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from local.errors import LocalError
from local.plugins.common.convert import encode
from local.plugins.common.enginelog import EngineLog
from local.plugins.common.errors import PartialFailureError, ResourceError
from local.plugins.common.naming import Naming
from local.plugins.common.propertypath import write
from local.plugins.common.values import Object

if TYPE_CHECKING:
    from local.plugins.common.bridged import Change

Kind = provider_pb2.PropertyDiff
KINDS: Mapping[tuple[str, bool], provider_pb2.PropertyDiff.Kind.ValueType] = {
    ("add", False): Kind.ADD,
    ("add", True): Kind.ADD_REPLACE,
    ("update", False): Kind.UPDATE,
    ("update", True): Kind.UPDATE_REPLACE,
    ("delete", False): Kind.DELETE,
    ("delete", True): Kind.DELETE_REPLACE,
}
"""The engine's name for a change of a field: what happened, and whether it needs a new object."""
_PROPOSAL_DISABLED = 2  # provider_pb2.CheckRequest.AutonamingOptions.Mode.DISABLE
_Method = TypeVar("_Method", bound=Callable[..., Any])


def answering(method: _Method) -> _Method:
    """Turn failures into gRPC errors: plain ones, and ones that carry the state of a half-finished object."""

    @functools.wraps(method)
    def answer(self: Provider, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401
        try:
            return method(self, request, context)
        except PartialFailureError as problem:
            self.abort_partially(context, problem)
        except (ResourceError, LocalError, ValueError, NotImplementedError) as problem:
            context.abort(grpc.StatusCode.UNKNOWN, str(problem))

    return answer  # type: ignore[return-value]  # the same signature, which functools.wraps does not tell


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider for one engine. A subclass serves configuration and resources."""

    name: ClassVar[str]
    """Name of the official provider."""
    version: ClassVar[str]
    """Version of the official provider whose contract is kept."""

    def __init__(self, engine: str = "") -> None:
        """`engine` is the address of the engine's log service, when it is told at the start."""
        self._log = EngineLog(engine)
        self._cancelled = threading.Event()
        self._keep_secrets = True

    @answering
    def Handshake(  # noqa: N802
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Learn the engine's address; say that secrets are understood, and nothing newer."""
        if request.engine_address:
            self._log.attach(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    @answering
    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        """Serve another engine."""
        self._log.attach(request.address)
        return empty_pb2.Empty()

    @answering
    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:  # noqa: N802
        """The official version that is stood in for, marked as ours by its build part."""
        return plugin_pb2.PluginInfo(version=f"{self.version}+omnibase.offline")

    @answering
    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        """End all waits at once."""
        self._cancelled.set()
        return empty_pb2.Empty()

    @answering
    def Construct(  # noqa: N802
        self, request: provider_pb2.ConstructRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConstructResponse:
        """Refuse components."""
        raise ResourceError(
            f"component type {request.type!r} needs the official {self.name} provider; use plain resources"
        )

    def announce(self) -> None:
        """Say in the engine's log that this is not the official program."""
        self._log.say(
            "debug",
            "",
            f"{self.name}: the offline plugin of omnibase-infra stands in for the official provider {self.version}",
        )

    def configured(self, request: provider_pb2.ConfigureRequest) -> provider_pb2.ConfigureResponse:
        """Remember what the engine takes, announce the stand-in, and say what it can do."""
        self._keep_secrets = request.acceptSecrets
        self.announce()
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def encode(self, properties: Object) -> Any:  # noqa: ANN401  # a protobuf Struct
        """Properties for the engine, without secret marks where it does not take them."""
        return encode(properties, keep_secrets=self._keep_secrets)

    def abort_partially(self, context: grpc.ServicerContext, problem: PartialFailureError) -> NoReturn:
        """Answer with the error detail by which the engine records an object that exists but is not ready."""
        detail = provider_pb2.ErrorResourceInitFailed(
            id=problem.identity,
            properties=self.encode(problem.state),
            reasons=problem.reasons,
            inputs=self.encode(problem.inputs) if problem.inputs is not None else None,
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        code = grpc.StatusCode.UNKNOWN
        status = status_pb2.Status(code=code.value[0], message=str(problem), details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, str(problem))


def naming_of(request: provider_pb2.CheckRequest) -> Naming:
    """What a Check says about automatic names."""
    return Naming(
        seed=request.randomSeed,
        proposed=request.autonaming.proposed_name,
        disabled=request.HasField("autonaming") and request.autonaming.mode == _PROPOSAL_DISABLED,
    )


def changed_settings(old: Object, new: Object) -> provider_pb2.DiffResponse:
    """The answer to DiffConfig where no setting replaces the provider: an update if anything but the version differs.

    The version is the plugin's own, which the engine adds to the settings; another one changes nothing on the server.
    """
    keys = (old.keys() | new.keys()) - {"version"}
    changed = sorted(key for key in keys if old.get(key) != new.get(key))
    some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(changes=some, diffs=changed)


def changed_fields(
    changes: Sequence[Change], *, delete_first: bool, between_inputs: bool = False
) -> provider_pb2.DiffResponse:
    """The answer to Diff.

    Args:
        changes: what differs.
        delete_first: a replacement must not stand beside the old object.
        between_inputs: old and new inputs were compared, not the recorded state with the new inputs.
    """
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=[write(change.path) for change in changes if change.replaces],
        deleteBeforeReplace=delete_first,
        hasDetailedDiff=True,
    )
    for change in changes:
        entry = response.detailedDiff[write(change.path)]
        entry.kind = KINDS[(change.op, change.replaces)]
        entry.inputDiff = between_inputs
    return response
