"""The one kind of error that an operator sees: what happened, and what to do about it."""

from __future__ import annotations


class LocalError(Exception):
    """A fault that the operator can act on; the command line prints it without a traceback.

    `message` says who, which field or step, what was received and what is allowed; `hint` says what to do next.
    `exit_code` is the process's: 1 a failed step, 2 bad input, 3 a lock held by
    somebody else, 4 a machine that cannot do it, 130 stopped by Ctrl-C.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.hint}" if self.hint else self.message


class InputError(LocalError):
    """Something that the operator wrote is wrong; nothing was changed."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, exit_code=2)


class LockedError(LocalError):
    """Another command holds the machine."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, exit_code=3)


class StoppedError(LocalError):
    """The operator stopped it; what was under way is recorded, and the next command goes on."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, exit_code=130)


class MachineError(LocalError):
    """The machine lacks something (root, disk, a kernel feature, a free address range); nothing was changed."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, exit_code=4)
