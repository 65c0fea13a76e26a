"""A stand-in for the engine that keeps every complete registration: the graph, not only the inputs."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn, ParamSpec, TypeVar, cast
from unittest.mock import patch

import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from omnibase_infra.plain_values import replace_conversions, restore_conversions
from omnibase_infra.program import begin_requests
from pulumi.runtime import resource as registering
from pulumi.runtime import settings
from pulumi.runtime.mocks import MockMonitor, Mocks, set_mocks
from pulumi.runtime.proto import resource_pb2, resource_pb2_grpc, source_pb2
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

SECRET = "4dabf18193072939515e22adb298388d"
HIDDEN = "[secret]"
P = ParamSpec("P")
T = TypeVar("T")


def _outputs(request: resource_pb2.RegisterResourceRequest) -> struct_pb2.Struct:
    """The inputs, and what components read on: of a Stash, a Service, an image, a container."""
    found = struct_pb2.Struct()
    found.CopyFrom(request.object)
    if request.type == "pulumi:index:Stash":
        found.fields["output"].CopyFrom(found.fields["input"])
    if request.type == "kubernetes:core/v1:Service":
        found.fields["spec"].struct_value["clusterIP"] = "10.213.128.99"
    if request.type == "docker:index/image:Image":
        repository = found.fields["imageName"].string_value.rpartition(":")[0]
        found["repoDigest"] = f"{repository}@sha256:{'0' * 64}"
    if request.type == "docker:index/container:Container":
        network = found["networkMode"] if "networkMode" in found else ""  # noqa: SIM401  # its type has no get
        found["networkDatas"] = [{"networkName": network, "ipAddress": "10.213.192.2"}]
    return found


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the engine would have been asked for it."""

    urn: str
    type: str
    name: str
    parent: str
    """URN of the parent, empty for the stack itself."""
    custom: bool
    inputs: dict[str, Any]
    """Secrets read `[secret]`, whole numbers are int."""
    dependencies: tuple[str, ...]
    protect: bool
    retain: bool
    ignore_changes: tuple[str, ...]
    delete_before_replace: bool
    provider: str

    @property
    def manifest(self) -> dict[str, Any]:
        """The inputs as a Kubernetes object."""
        return self.inputs


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What a Recorder kept, as it can be written down."""

    resources: list[Registration]
    outputs: dict[str, dict[str, Any]]
    """URN -> registered outputs of components."""

    def registrations(self) -> list[Registration]:
        """As `Recorder.registrations`."""
        return list(self.resources)

    def to_json(self) -> str:
        """For `of_json`."""
        return json.dumps({"resources": [vars(each) for each in self.resources], "outputs": self.outputs})

    @classmethod
    def of_json(cls, text: str) -> Graph:
        """What `to_json` wrote."""
        read = json.loads(text)
        resources = [
            Registration(
                **{**each, "dependencies": tuple(each["dependencies"]), "ignore_changes": tuple(each["ignore_changes"])}
            )
            for each in read["resources"]
        ]
        return cls(resources=resources, outputs=read["outputs"])


# Any: as a typed base its call objects clash with the mock's methods of the same names
_Stub: Any = resource_pb2_grpc.ResourceMonitorStub
_NO_MOCKS = cast(Mocks, None)  # what would ask them is below


class Recorder(MockMonitor, _Stub):  # type: ignore[misc]  # see _Stub
    """The monitor; the stub as a base makes the SDK start its callback server (3.259.0).

    The SDK's own mock reads and writes each resource, for mocks that want Python's values: an eighth of the time that a
    graph takes.
    """

    def __init__(self) -> None:
        MockMonitor.__init__(self, _NO_MOCKS)  # the stub's own __init__ wants a channel
        self.requests: list[tuple[str, Any]] = []
        self.outputs: dict[str, dict[str, Any]] = {}
        """URN -> registered outputs of components."""

    def RegisterResource(  # noqa: N802  # gRPC's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Keep the request, and make what it asks for."""
        urn = self.make_urn(request.parent, request.type, request.name)
        self.requests.append((urn, request))
        return resource_pb2.RegisterResourceResponse(urn=urn, id=f"{request.name}-id", object=_outputs(request))

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> NoReturn:  # noqa: N802
        """Refuse: a graph is made from settings alone."""
        raise AssertionError(f"a component read {request.type} {request.name} while the graph was built")

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> NoReturn:  # noqa: N802
        """Refuse, likewise."""
        raise AssertionError(f"a component called {request.tok} while the graph was built")

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Keep a component's outputs."""
        self.outputs[request.urn] = plain_object(json_format.MessageToDict(request.outputs))
        return empty_pb2.Empty()

    def RegisterResourceHook(self, request: object) -> empty_pb2.Empty:  # noqa: N802
        """Accept."""
        return empty_pb2.Empty()

    RegisterStackTransform = RegisterResourceHook

    def registrations(self) -> list[Registration]:
        """Everything but the stack itself, sorted by URN. Tests share them: who changes one takes a copy."""
        return list(self._registrations)

    def graph(self) -> Graph:
        """What was kept, without the requests."""
        return Graph(resources=self.registrations(), outputs=self.outputs)

    @functools.cached_property
    def _registrations(self) -> list[Registration]:
        found = [_registration(urn, request) for urn, request in self.requests if request.type != "pulumi:pulumi:Stack"]
        return sorted(found, key=lambda registration: registration.urn)


class _AtOnce(ThreadPoolExecutor):
    """Calls in the thread that asks: the recorder has nothing to wait for."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call, and return what came of it."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def record(
    program: Callable[[], Any],
    *,
    stack: str = "dev",
    project: str = "omnibase-infra",
    config: Mapping[str, str] | None = None,
    preview: bool = False,
    as_sdk: bool = False,
) -> Recorder:
    """Run a program against a Recorder, as `omnibase_infra.program.run` does it against the engine.

    Args:
        program: registers resources; may be a coroutine function.
        config: the engine's configuration, `project:key` -> text.
        preview: as in `pulumi preview`.
        as_sdk: with the SDK's own conversions of values in the place of ours, and with stacks of calls, which take a
            third of the time where pytest calls: its own frames are looked up for each resource.
    """
    (restore_conversions if as_sdk else replace_conversions)()
    recorder = Recorder()

    async def whole() -> None:
        result = program()
        if inspect.isawaitable(result):
            await result
        await begin_requests()

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(_AtOnce())
        settings.set_root_resource(cast(pulumi.Resource, None))  # what an earlier test left behind
        SETTINGS.outputs.clear()
        set_mocks(_NO_MOCKS, project, stack, preview, monitor=recorder)
        from pulumi.runtime.config import set_all_config  # noqa: PLC0415  # after the mocks: its context is per loop

        set_all_config(dict(config or {}), [])
        await run_pulumi_func(whole)

    stacks = registering._get_stack_trace if as_sdk else source_pb2.StackTrace
    with patch.object(registering, "_get_stack_trace", stacks):
        asyncio.run(run())
    return recorder


def plain(value: object) -> object:
    """A value from the wire: secrets hidden, whole floats as integers."""
    if isinstance(value, dict):
        if value.get(SECRET) == "1b47061264138c4ac30d75fd1eb44270":
            return HIDDEN
        return {key: plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [plain(below) for below in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def plain_object(value: Mapping[str, object]) -> dict[str, Any]:
    """`plain` of every value."""
    return {key: plain(below) for key, below in value.items()}


def _registration(urn: str, request: resource_pb2.RegisterResourceRequest) -> Registration:
    return Registration(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent,
        custom=request.custom,
        inputs=plain_object(json_format.MessageToDict(request.object)),
        dependencies=tuple(sorted(request.dependencies)),
        protect=request.protect,
        retain=request.retainOnDelete,
        ignore_changes=tuple(request.ignoreChanges),
        delete_before_replace=request.deleteBeforeReplace,
        provider=request.provider,
    )
