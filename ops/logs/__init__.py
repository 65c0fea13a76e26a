"""`ops logs`: lines of services and database from the store, by correlation id."""

from ops.logs.command import logs

__all__ = ["logs"]
