"""How an operation on a resource fails."""

from __future__ import annotations

from local.plugins.common.values import Object


class ResourceError(Exception):
    """An operation on a resource failed and changed nothing that must be recorded."""


class PartialFailureError(Exception):
    """The object exists but is not ready; the engine records it and tries again in the next run."""

    def __init__(
        self, message: str, *, identity: str, state: Object, reasons: list[str], inputs: Object | None = None
    ) -> None:
        super().__init__(message)
        self.identity = identity
        self.state = state
        self.reasons = reasons
        self.inputs = inputs
