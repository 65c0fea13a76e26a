"""The one-node Kubernetes of this machine: `Node` starts, watches, describes and removes it.

Names are loaded when first asked for: the supervisor imports this package too, and must stay small in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local import lazy

if TYPE_CHECKING:
    from local.node.build import build_steps
    from local.node.network import NetworkPlan
    from local.node.node import Node
    from local.node.preflight import check_place
    from local.node.process import ProcessSpec, Ready
    from local.node.status import NodeStatus

__all__ = ["NetworkPlan", "Node", "NodeStatus", "ProcessSpec", "Ready", "build_steps", "check_place"]

__getattr__ = lazy.names(
    __name__,
    {
        "NetworkPlan": "network",
        "Node": "node",
        "NodeStatus": "status",
        "ProcessSpec": "process",
        "Ready": "process",
        "build_steps": "build",
        "check_place": "preflight",
    },
)
