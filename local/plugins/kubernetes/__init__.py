"""Offline stand-in of pulumi-resource-kubernetes: the official provider's contract in Python, on urllib3.

Run it with `python -m local.plugins.kubernetes`; docs/architecture/kubernetes-plugin.md says what it serves.
"""

VERSION = "4.34.2"
"""Version of the official provider whose contract this one keeps."""

__all__ = ["VERSION"]
