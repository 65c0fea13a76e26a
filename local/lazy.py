"""Names of a package that are loaded when first asked for: a command must not wait for what it does not use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """What a package has as its `__getattr__`.

    Args:
        package: its full name.
        homes: public name -> module of the package that defines it.
    """

    def get(name: str) -> object:
        if name in homes:
            return getattr(import_module(f"{package}.{homes[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
