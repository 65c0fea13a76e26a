"""The rules, grouped by what they protect. Importing this package registers them all."""

from omnibase_policies.rules import access, docker, files, host, identity, kernel, placement, privileges, together

__all__ = ["access", "docker", "files", "host", "identity", "kernel", "placement", "privileges", "together"]
