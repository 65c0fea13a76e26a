"""Metrics as a pod shows them: Prometheus' text form."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>[^}]*)\})?\s+(?P<value>\S+)")


def samples(text: str, name: str) -> Iterator[tuple[str, float]]:
    """Labels (as written) and values of one metric."""
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        if match is not None and match["name"] == name:
            yield match["labels"] or "", float(match["value"])
