"""Messages of any depth: protobuf's Python reads at most 100 levels, and some definitions have more.

A level of an object is three levels of the message that carries it. The definition of EnvoyProxy, which holds a whole
pod twice, has 40 of the former. The official plugins are Go programs, whose limit is 10,000.
"""

from __future__ import annotations

from importlib import import_module


def allow_deep_messages() -> None:
    """Lift the limit for this process."""
    try:
        implementation = import_module("google._upb._message")
    except ImportError:  # protobuf's own Python instead of its C library: no limit but Python's
        return
    implementation.SetAllowOversizeProtos(True)
