"""`ops preview`: what a change does to an environment, as a report for people who review it."""

from ops.preview.command import preview

__all__ = ["preview"]
