"""A stand-in for the engine that keeps every complete registration: the graph, not only the inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pulumi
from google.protobuf import empty_pb2, json_format
from pulumi.runtime import settings
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.proto import resource_pb2, resource_pb2_grpc
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

SECRET = "4dabf18193072939515e22adb298388d"
HIDDEN = "[secret]"


class Echo(Mocks):
    """Outputs are the inputs, and what components read on: of a Stash, a Service, an image, a container."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        outputs = dict(args.inputs)
        if args.typ == "pulumi:index:Stash":
            outputs["output"] = outputs["input"]
        if args.typ == "kubernetes:core/v1:Service":
            outputs["spec"] = {**(outputs.get("spec") or {}), "clusterIP": "10.213.128.99"}
        if args.typ == "docker:index/image:Image":
            outputs["repoDigest"] = f"{outputs['imageName'].rpartition(':')[0]}@sha256:{'0' * 64}"
        if args.typ == "docker:index/container:Container":
            outputs["networkDatas"] = [{"networkName": outputs.get("networkMode"), "ipAddress": "10.213.192.2"}]
        return f"{args.name}-id", outputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        raise AssertionError(f"a component called {args.token} while the graph was built")


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


# Any: as a typed base its call objects clash with the mock's methods of the same names
_Stub: Any = resource_pb2_grpc.ResourceMonitorStub


class Recorder(MockMonitor, _Stub):  # type: ignore[misc]  # see _Stub
    """The monitor; the stub as a base makes the SDK start its callback server (3.259.0)."""

    def __init__(self, project: str, stack: str) -> None:
        MockMonitor.__init__(self, Echo())  # the stub's own __init__ wants a channel
        self.project, self.stack = project, stack
        self.requests: list[tuple[str, Any]] = []
        self.outputs: dict[str, dict[str, Any]] = {}
        """URN -> registered outputs of components."""

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN with the project and stack that 3.259.0's worker threads do not see."""
        made = super().make_urn(parent, type_, name).split("::")
        return "::".join([f"urn:pulumi:{self.stack}", self.project, *made[2:]])

    def RegisterResource(  # noqa: N802  # gRPC's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Keep the request."""
        loop = asyncio.new_event_loop()  # the mock would make one in each worker thread and never close it
        asyncio.set_event_loop(loop)
        try:
            response: resource_pb2.RegisterResourceResponse = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # SDK
        finally:
            asyncio.set_event_loop(None)
            loop.close()
        self.requests.append((response.urn, request))
        return response

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
        """Everything but the stack itself, sorted by URN."""
        found = [_registration(urn, request) for urn, request in self.requests if request.type != "pulumi:pulumi:Stack"]
        return sorted(found, key=lambda registration: registration.urn)


def record(
    program: Callable[[], Any],
    *,
    stack: str = "dev",
    project: str = "omnibase-infra",
    config: Mapping[str, str] | None = None,
    preview: bool = False,
) -> Recorder:
    """Run a program against a Recorder.

    Args:
        program: registers resources; may be a coroutine function.
        config: the engine's configuration, `project:key` -> text.
        preview: as in `pulumi preview`.
    """
    recorder = Recorder(project, stack)

    async def run() -> None:
        settings.set_root_resource(cast(pulumi.Resource, None))  # what an earlier test left behind
        SETTINGS.outputs.clear()
        set_mocks(recorder.mocks, project, stack, preview, monitor=recorder)
        from pulumi.runtime.config import set_all_config  # noqa: PLC0415  # after the mocks: its context is per loop

        set_all_config(dict(config or {}), [])
        result: Awaitable[Any] = run_pulumi_func(program)
        await result

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
