"""Offline stand-in of pulumi-resource-postgresql: the official provider's contract in Python, on psycopg.

Run it with `python -m local.plugins.postgresql`; docs/architecture/postgresql-plugin.md says what it serves.
"""

VERSION = "3.18.2"
"""Version of the official provider whose contract this one keeps."""

__all__ = ["VERSION"]
