"""What every resource type can do."""

from __future__ import annotations

from typing import Protocol

from local.plugins.common.values import Object
from local.plugins.postgresql.server import Server


class Kind(Protocol):
    """A resource type. All values are plain, without secret marks; errors are ResourceErrors."""

    def identify(self, inputs: Object, server: Server) -> str:
        """The id, as the official provider makes it."""
        ...

    def create(self, server: Server, inputs: Object) -> None:
        """Make the object; all of it or nothing."""
        ...

    def read(self, server: Server, identity: str, known: Object) -> Object | None:
        """Its state, or None if it is gone. `known` is the recorded state, empty for an import."""
        ...

    def update(self, server: Server, state: Object, inputs: Object) -> None:
        """Change the object; all of it or nothing."""
        ...

    def delete(self, server: Server, state: Object) -> None:
        """Remove the object; one that is gone already is fine."""
        ...
