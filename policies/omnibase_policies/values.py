"""A tolerant view of an object: a value may be there, absent, or not known yet, and reading never raises.

`null` is absent, as for the API server; an empty text, list or mapping is there. What a preview cannot know yet, and
what the engine hides because it could not decrypt it, is UNKNOWN, and so is everything below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, final

from omnibase_policies.texts import printable


class Unknown(Enum):
    """The type of the one value UNKNOWN."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN

_SIGNATURE = "4dabf18193072939515e22adb298388d"  # the key that marks special values on the engine's wire
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the wire format
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_MOST_WRAPPINGS = 8
_HIDDEN = "[secret]"
"""What `pulumi policy analyze --file` writes, whatever the type, where it cannot decrypt."""
_UNKNOWN_TEXTS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
        _HIDDEN,
    }
)


_PLAIN = frozenset({type(None), bool, int, float, list})
"""Types of values that the engine does not wrap."""


def resolve(value: object) -> object:
    """A value without the engine's wrapping: secrets bare, unknown ones UNKNOWN, `null` None."""
    if type(value) in _PLAIN:
        return value
    if type(value) is str:
        return UNKNOWN if value in _UNKNOWN_TEXTS else value
    if type(value) is dict and _SIGNATURE not in value:
        return value
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(value, Mapping) or _SIGNATURE not in value:
            break
        mark = value[_SIGNATURE]
        if mark == _SECRET:
            value = value.get("value", UNKNOWN)  # a state keeps it encrypted
        elif mark == _OUTPUT:
            value = value.get("value", UNKNOWN)
        else:
            return value
    else:
        return UNKNOWN  # a wrapping that holds itself
    return UNKNOWN if isinstance(value, str) and value in _UNKNOWN_TEXTS else value


def opened(value: object) -> object:
    """What is within the engine's wrapping, to be changed in place; None where it is encrypted."""
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(value, Mapping) or _SIGNATURE not in value:
            return value
        value = value.get("value")
    return None


def _is_marked(value: object) -> bool:
    """Whether the engine keeps a value encrypted: it is wrapped as a secret, or hidden since it was one."""
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(value, Mapping) or _SIGNATURE not in value:
            return isinstance(value, str) and value == _HIDDEN
        if value[_SIGNATURE] == _SECRET or (value[_SIGNATURE] == _OUTPUT and value.get("secret") is True):
            return True
        value = value.get("value")
    return False


@final
class View:
    """One value and its path, for example `spec.containers[0].securityContext`."""

    __slots__ = ("_above", "_name", "value")

    def __init__(self, value: object, path: str = "") -> None:
        self.value = resolve(value)
        self._above: View | None = None
        self._name: str | int = path

    def _below(self, value: object, name: str | int) -> View:
        """A part of this value; its path is put together only when a rule has something to say of it."""
        found = View.__new__(View)
        found.value = value if type(value) in _PLAIN else resolve(value)
        found._above, found._name = self, name
        return found

    @property
    def path(self) -> str:
        """Where the value is."""
        if self._above is None:
            return str(self._name)
        above = self._above.path
        if isinstance(self._name, int):
            return f"{above}[{self._name if self._name >= 0 else '*'}]"
        name = printable(self._name)
        return f"{above}.{name}" if above else name

    @property
    def keys(self) -> tuple[str | int, ...]:
        """The path as names of fields and places in lists, from the outermost; a name may hold dots."""
        return () if self._above is None else (*self._above.keys, self._name)

    @property
    def is_secret(self) -> bool:
        """Whether the engine keeps it, or something that it is in, encrypted. Read where asked for: few rules do."""
        above = self._above
        if above is None:
            return False
        try:
            own = above.value[self._name]  # type: ignore[index]  # what has no such part is caught below
        except (KeyError, IndexError, TypeError):
            own = None
        return _is_marked(own) or above.is_secret

    def __getitem__(self, key: str) -> View:
        """The field of a mapping; absent where this is no mapping, unknown where this is unknown."""
        value = self.value
        if type(value) is dict:
            return self._below(value.get(key), key)
        if value is UNKNOWN:
            return self._below(UNKNOWN, key)
        return self._below(value.get(key) if isinstance(value, Mapping) else None, key)

    def at(self, *keys: str) -> View:
        """`view["a"]["b"]` as `view.at("a", "b")`."""
        found = self
        for key in keys:
            found = found[key]
        return found

    def items(self) -> list[View]:
        """The entries of a list; one unknown entry where the list is unknown, none where it is absent or no list."""
        if self.value is UNKNOWN:
            return [self._below(UNKNOWN, -1)]
        if not isinstance(self.value, list | tuple):
            return []
        return [self._below(entry, index) for index, entry in enumerate(self.value)]

    def fields(self) -> list[tuple[str, View]]:
        """The fields of a mapping by name; none where it is absent, unknown or no mapping."""
        if not isinstance(self.value, Mapping):
            return []
        return [(str(key), self._below(value, str(key))) for key, value in self.value.items()]

    @property
    def is_absent(self) -> bool:
        """Not there, or null."""
        return self.value is None

    @property
    def is_unknown(self) -> bool:
        """Not known before the update."""
        return self.value is UNKNOWN

    def text(self) -> str:
        """The value if it is a text, else an empty one."""
        return self.value if isinstance(self.value, str) else ""

    def texts(self) -> list[str]:
        """The texts of a list; what else is in it is left out."""
        return [entry.value for entry in self.items() if isinstance(entry.value, str)]
