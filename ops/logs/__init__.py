"""`ops logs`: lines of services and database from the store, by correlation id."""

from ops.logs.command import asker, logs

__all__ = ["asker", "logs"]
