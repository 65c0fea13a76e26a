"""The settings of the rules, parsed once and strictly."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from omnibase_policies.model import every_rule


class ParameterError(ValueError):
    """A setting of the policy pack is wrong; nothing was judged."""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A violation that is accepted for a while."""

    rule: str
    object: str
    """`Kind/namespace/name` as `Object.identity` has it."""
    reason: str
    owner: str
    until: datetime.date
    """The last day on which it holds."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Settings and their defaults."""

    pss_version: tuple[int, int] = (1, 34)
    """Version of the Pod Security Standards: its lists of allowed values change."""
    pss_profile: str = "restricted"
    """`restricted` or `baseline`; only `baseline` lets pods of a user namespace choose their procMount (from 1.35)."""
    minimum_id: int = 10_000
    """The lowest user and group id for high-uid-gid."""
    system_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease")
    waivers: tuple[Waiver, ...] = ()
    today: datetime.date | None = None
    """The day on which waivers are judged; default the clock's, in UTC."""


def parse(given: Mapping[str, object] | None) -> Parameters:
    """Parameters from plain values, with defaults for those that are not given.

    Args:
        given: `pss_version` as "1.34", "v1.34" or "latest", `pss_profile`, `minimum_id`, `system_namespaces`,
            `waivers` as a list of mappings with rule, object, reason, owner, until (YYYY-MM-DD), `today`.

    Raises:
        ParameterError: an unknown name, a wrong type, a waiver of an unknown rule or without one of its fields.
    """
    known = {each.name for each in fields(Parameters)}
    values: dict[str, Any] = {}
    for name, value in (given or {}).items():
        if name not in known:
            raise ParameterError(unknown_name("parameter", name, known))
        values[name] = _PARSERS[name](name, value)
    return Parameters(**values)


def _version(name: str, value: object) -> tuple[int, int]:
    if value == "latest":
        return Parameters.pss_version
    match = re.fullmatch(r"v?(\d+)\.(\d+)", value) if isinstance(value, str) else None
    if match is None:
        raise ParameterError(f"{name}={value!r} is no version; allowed is text such as '1.34' or 'latest'")
    return int(match[1]), int(match[2])


def _profile(name: str, value: object) -> str:
    if value not in ("baseline", "restricted"):
        raise ParameterError(f"{name}={value!r} is unknown; allowed are 'baseline' and 'restricted'")
    return str(value)


def _id(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or int(value) != value:
        raise ParameterError(f"{name}={value!r} is no id; allowed are whole numbers from 1")
    return int(value)


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise ParameterError(f"{name} must be a list of names")
    return tuple(str(one) for one in value)


def _waivers(name: str, value: object) -> tuple[Waiver, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ParameterError(f"{name} must be a list of mappings")
    return tuple(_waiver(f"{name}[{index}]", one) for index, one in enumerate(value))


def _waiver(name: str, value: object) -> Waiver:
    wanted = [each.name for each in fields(Waiver)]
    if not isinstance(value, Mapping) or set(value) != set(wanted):
        raise ParameterError(f"{name} must have exactly the fields {', '.join(wanted)}")
    for key in ("rule", "object", "reason", "owner"):
        if not isinstance(value[key], str) or not value[key].strip():
            raise ParameterError(f"{name}.{key} must be a text that says something")
    if value["rule"] not in every_rule():
        raise ParameterError(f"{name}: {unknown_name('rule', value['rule'], every_rule())}")
    return Waiver(**{**{key: value[key] for key in wanted}, "until": _date(f"{name}.until", value["until"])})


def _date(name: str, value: object) -> datetime.date:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError as error:
        raise ParameterError(f"{name} must be a date such as 2027-01-31") from error


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """The message for a name that does not exist, with the nearest one that does."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"there is no {what} {name!r}; {meant}known are {', '.join(sorted(known))}"


_PARSERS: dict[str, Callable[[str, object], object]] = {
    "pss_version": _version,
    "pss_profile": _profile,
    "minimum_id": _id,
    "system_namespaces": _names,
    "waivers": _waivers,
    "today": _date,
}
