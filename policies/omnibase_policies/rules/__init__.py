"""The rules, grouped by what they protect. Importing this package registers them all."""

from omnibase_policies.rules import (
    access,
    cloud,
    docker,
    files,
    gateway,
    host,
    identity,
    kernel,
    placement,
    postgres,
    privileges,
    together,
)

__all__ = [
    "access",
    "cloud",
    "docker",
    "files",
    "gateway",
    "host",
    "identity",
    "kernel",
    "placement",
    "postgres",
    "privileges",
    "together",
]
