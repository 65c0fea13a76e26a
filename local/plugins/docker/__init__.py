"""Offline stand-in of pulumi-resource-docker: the official provider's contract in Python, on the `docker` library.

Run it with `python -m local.plugins.docker`; docs/architecture/docker.md says what it serves.
"""

VERSION = "5.2.0"
"""Version of the official provider whose contract this one keeps."""

__all__ = ["VERSION"]
