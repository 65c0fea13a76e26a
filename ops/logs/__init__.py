"""`ops logs`: lines of services and database from the store, by correlation id."""

from ops.logs.command import MOST, asker, cut, logs

__all__ = ["MOST", "asker", "cut", "logs"]
