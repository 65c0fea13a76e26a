# ruff: noqa: ANN401, N802 - method names and untyped messages are gRPC's
"""A provider whose cluster is a directory: it refuses to create what exists, as an API server does.

With FILE_PROVIDER_GATE set, a creation ends only when that file exists, after the object was made, and a deletion after
it is gone: time to kill the engine in. With FILE_PROVIDER_AWAY set, nothing can be read.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

OBJECTS = Path(os.environ["FILE_PROVIDER_OBJECTS"])
GATE = os.environ.get("FILE_PROVIDER_GATE", "")
_LONGEST_SECONDS = 600


def path_of(identity: str) -> Path:
    return OBJECTS / f"{identity}.json"


def plain(properties: struct_pb2.Struct) -> dict[str, Any]:
    return dict(json_format.MessageToDict(properties))


def wait_at_gate() -> None:
    """Come back when the gate is open."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while GATE and not Path(GATE).exists() and time.monotonic() < deadline:
        time.sleep(0.02)


class Files(provider_pb2_grpc.ResourceProviderServicer):
    """Objects as files <namespace>/<name>.json."""

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=False, accept_resources=False)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="4.34.2")

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        same = plain(request.old_inputs) == plain(request.news)
        kind = provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=kind)

    def Create(self, request: Any, context: Any) -> Any:
        metadata = plain(request.properties).get("metadata", {})
        identity = f"{metadata.get('namespace', 'none')}/{metadata.get('name', request.urn.rpartition('::')[2])}"
        if not request.preview:
            target = path_of(identity)
            if target.exists():
                context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{identity} already exists")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(plain(request.properties)))
            wait_at_gate()
        return provider_pb2.CreateResponse(id=identity, properties=request.properties)

    def Read(self, request: Any, context: Any) -> Any:
        target = path_of(request.id)
        if "FILE_PROVIDER_AWAY" in os.environ:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the directory does not answer")
        if not target.exists():
            return provider_pb2.ReadResponse()
        properties = struct_pb2.Struct()
        properties.update(json.loads(target.read_text()))
        return provider_pb2.ReadResponse(id=request.id, properties=properties, inputs=properties)

    def Update(self, request: Any, context: Any) -> Any:
        if not request.preview:
            path_of(request.id).write_text(json.dumps(plain(request.news)))
        return provider_pb2.UpdateResponse(properties=request.news)

    def Delete(self, request: Any, context: Any) -> Any:
        path_of(request.id).unlink(missing_ok=True)
        wait_at_gate()
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Files(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
