"""`ops config`: effective settings of a stack with their origin, and how two stacks differ."""

from ops.config.command import difference, show

__all__ = ["difference", "show"]
