"""Quantities of Kubernetes: `250m`, `1Gi`, `1e3`."""

from __future__ import annotations

import re

_FORM = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(m|k|Ki|[MGTPE]i?|[eE][+-]?[0-9]{1,3}|)")
_FACTORS = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18} | {
    f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)
}


def quantity(value: object) -> float | None:
    """The number that a quantity stands for, or None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    number, unit = match.groups()
    return (
        float(number + unit) if unit[:1] in ("e", "E") and unit[1:] not in ("", "i") else float(number) * _FACTORS[unit]
    )
