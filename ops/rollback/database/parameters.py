"""Parameters as a server runs them against the declared ones, from `pg_settings`; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, LiteralString

QUERY: LiteralString = (
    "SELECT name, setting, unit, vartype, pending_restart FROM pg_settings "
    "WHERE pending_restart OR name = ANY(%(names)s) ORDER BY name"
)
_ADDED_TO = frozenset({"shared_preload_libraries"})
"""To these the operator adds what its own settings ask for."""
_NUMBER = re.compile(r"\s*([-+]?[0-9.]+)\s*([A-Za-z]*)\s*")
_SCALES: Mapping[str, Fraction] = {
    "": Fraction(1), "B": Fraction(1), "kB": Fraction(1 << 10), "MB": Fraction(1 << 20), "GB": Fraction(1 << 30),
    "TB": Fraction(1 << 40), "us": Fraction(1, 10**6), "ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60),
    "h": Fraction(3600), "d": Fraction(86400),
}  # fmt: skip
_UNIT = re.compile(r"(\d*)([A-Za-z]*)")
_TRUE, _FALSE = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What one server runs otherwise than declared."""

    waiting: tuple[str, ...] = ()
    """Names of parameters that only a restart puts into force."""
    unread: tuple[str, ...] = ()
    """Those whose declared value did not reach the server yet."""


def difference(declared: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> Difference:
    """Compare the rows of `QUERY`."""
    found = list(rows)
    waiting = [str(row["name"]) for row in found if row["pending_restart"]]
    compared = declared.keys() - _ADDED_TO - {*waiting}
    return Difference(
        waiting=tuple(waiting),
        unread=tuple(
            str(row["name"]) for row in found if row["name"] in compared and not _same(row, declared[row["name"]])
        ),
    )


def _same(row: Mapping[str, Any], declared: str) -> bool:
    kind, setting, unit = row["vartype"], str(row["setting"]), str(row["unit"] or "")
    if kind in ("integer", "real"):
        return _amount(setting, unit) == _amount(declared, unit)
    if kind == "bool":
        return _truth(setting) == _truth(declared)
    return setting.strip().casefold() == declared.strip().casefold()


def _amount(text: str, unit: str) -> Fraction | str:
    """In bytes, seconds or as it is; `unit`, such as `8kB`, is that of a number without one."""
    found, several = _NUMBER.fullmatch(text), _UNIT.fullmatch(unit)
    if found is None or several is None:
        return text
    try:
        scale = _SCALES[found[2]] if found[2] else int(several[1] or 1) * _SCALES[several[2]]
        return Fraction(found[1]) * scale
    except (KeyError, ValueError):
        return text


def _truth(text: str) -> bool | str:
    word = text.strip().casefold()
    return True if word in _TRUE else False if word in _FALSE else word
