"""The Pulumi engine of the local machine: built here, run in an environment of its own."""

from local.engine.build import build_steps
from local.engine.environment import environment
from local.engine.installation import VERSION, Installation, installation
from local.engine.plugins import Plugin, plugins, plugins_step
from local.engine.run import CHANGES_FOUND, INTERRUPTED, Engine

__all__ = [
    "CHANGES_FOUND",
    "INTERRUPTED",
    "VERSION",
    "Engine",
    "Installation",
    "Plugin",
    "build_steps",
    "environment",
    "installation",
    "plugins",
    "plugins_step",
]
