"""What the engine says about automatic names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Naming:
    """How to name what the program leaves unnamed; how the name looks is the provider's own affair."""

    seed: bytes = b""
    """The same in a preview and in the update that follows."""
    proposed: str = ""
    """The engine's own choice (config key `pulumi:autonaming`)."""
    disabled: bool = False
    """The stack's configuration forbids automatic names."""
