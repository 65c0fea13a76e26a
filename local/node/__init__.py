"""The one-node Kubernetes of this machine: `Node` starts, watches, describes and removes it.

Names are loaded when first asked for: the supervisor imports this package too, and must stay small in memory.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.node.build import build_steps
    from local.node.network import NetworkPlan
    from local.node.node import Node
    from local.node.preflight import check_place
    from local.node.process import ProcessSpec, Ready
    from local.node.status import NodeStatus

__all__ = ["NetworkPlan", "Node", "NodeStatus", "ProcessSpec", "Ready", "build_steps", "check_place"]

_HOMES = {
    "NetworkPlan": "network",
    "Node": "node",
    "NodeStatus": "status",
    "ProcessSpec": "process",
    "Ready": "process",
    "build_steps": "build",
    "check_place": "preflight",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"local.node.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'local.node' has no attribute {name!r}")
