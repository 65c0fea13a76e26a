"""Names of objects that the program leaves unnamed."""

from __future__ import annotations

import hashlib
import secrets

from local.plugins.common.urn import name_of
from local.plugins.common.values import UNKNOWN, Object, dig
from local.plugins.kubernetes import gvk, overrides

_SUFFIX_DIGITS = 8
_NEEDS_NAME = "autonaming is disabled, resource requires the .metadata.name field to be set"


def unique(prefix: str, seed: bytes = b"") -> str:
    """The prefix and eight hexadecimal digits; the same seed gives the same name, so that preview and up agree."""
    digits = hashlib.sha256(seed).hexdigest() if seed else secrets.token_hex(_SUFFIX_DIGITS)
    return prefix + digits[:_SUFFIX_DIGITS]


def is_named(obj: Object) -> bool:
    """Whether the program gave a name, known or not yet known."""
    return bool(dig(obj, "metadata", "name")) or dig(obj, "metadata") is UNKNOWN


def is_generated(obj: Object) -> bool:
    """Whether the program asks the API server for a name (`generateName`)."""
    return not is_named(obj) and bool(dig(obj, "metadata", "generateName"))


def is_autonamed(obj: Object) -> bool:
    """Whether this provider chose the name."""
    return overrides.is_true(obj, overrides.AUTONAMED)


def adopt(new: Object, old: Object) -> None:
    """Keep the name chosen earlier for an object that is still unnamed in the program, in place."""
    if not is_named(new) and is_autonamed(old):
        new.setdefault("metadata", {})["name"] = gvk.name(old)
        overrides.set_true(new, overrides.AUTONAMED)


def assign(new: Object, urn: str, seed: bytes, *, proposed: str = "", disabled: bool = False) -> None:
    """Name an unnamed object `<name in the program>-<8 hex digits>`, in place.

    `proposed` is the engine's own choice (config key `pulumi:autonaming`) and wins.

    Raises:
        ValueError: the stack's configuration forbids automatic names.
    """
    if is_named(new) or is_generated(new):
        return
    if disabled:
        raise ValueError(_NEEDS_NAME)
    new.setdefault("metadata", {})["name"] = proposed or unique(name_of(urn) + "-", seed)
    overrides.set_true(new, overrides.AUTONAMED)
