"""A change of the databases' settings: judged where it runs, and taken back by a deployment if it does not start."""

from ops.rollback.database.command import Asked, rollback_database

__all__ = ["Asked", "rollback_database"]
