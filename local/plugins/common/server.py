"""A provider as a process: it prints the port that it serves and ends with the engine."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import types
from collections.abc import Callable
from concurrent import futures
from importlib.util import find_spec
from typing import TYPE_CHECKING

from local.plugins.common.depth import allow_deep_messages

if TYPE_CHECKING:
    from pulumi.runtime.proto import provider_pb2_grpc

_WORKERS = 256
"""More than an engine's parallel operations, each of which may wait for minutes: Cancel must find a free one."""
_PARENT_CHECK_SECONDS = 1.0
_YOUNG_OBJECTS, _OLD_GENERATIONS = 50_000, (20, 100)
"""When to look for garbage: by default Python does so several times within one large definition, and finds none."""
_MESSAGE_LIMIT = ("grpc.max_receive_message_length", "grpc.max_send_message_length")


def only_protobufs() -> None:
    """Make `pulumi.runtime.proto` importable without the SDK around it, which takes 0.2 s and is not used here."""
    for name in ("pulumi", "pulumi.runtime"):
        if name not in sys.modules:
            spec = find_spec("pulumi") if name == "pulumi" else None
            base = list(spec.submodule_search_locations or []) if spec else []
            package = types.ModuleType(name)
            package.__path__ = base or [os.path.join(path, "runtime") for path in sys.modules["pulumi"].__path__]  # noqa: PTH118
            sys.modules[name] = package


def serve(make: Callable[[str], provider_pb2_grpc.ResourceProviderServicer]) -> int:
    """Serve until the engine ends; call `only_protobufs` before the provider's module is imported.

    Args:
        make: the provider, given the engine's address, which is the last argument where the engine gives one.
    """
    import grpc  # noqa: PLC0415  # after the lean packages are in place
    from pulumi.runtime.proto import provider_pb2_grpc  # noqa: PLC0415

    allow_deep_messages()
    gc.set_threshold(_YOUNG_OBJECTS, *_OLD_GENERATIONS)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the engine says Cancel when it means it
    engine = sys.argv[-1] if len(sys.argv) > 1 and ":" in sys.argv[-1] else ""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=_WORKERS), options=[(option, -1) for option in _MESSAGE_LIMIT]
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(make(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    stopped = threading.Event()
    for end in (signal.SIGINT, signal.SIGTERM):  # the engine sends SIGINT to the plugin's own process group, and waits
        signal.signal(end, lambda *_: stopped.set())
    parent = os.getppid()
    while not stopped.wait(_PARENT_CHECK_SECONDS):
        if os.getppid() != parent:  # an engine that was killed says nothing
            break
    server.stop(grace=None)
    os._exit(0)  # waits of cancelled operations must not keep the process
