"""The node of a bench: an instance of its own, so that no environment of this machine is touched."""

from __future__ import annotations

import os

from local.paths import Paths

_DEFAULTS = {"OMNIBASE_INSTANCE": "bench", "OMNIBASE_NETWORK": "10.216.0.0/16"}


def own_paths() -> Paths:
    """Its paths. Who sets OMNIBASE_INSTANCE and OMNIBASE_NETWORK has another one."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    return Paths.from_environment()
