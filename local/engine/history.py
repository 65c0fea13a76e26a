"""What the engine keeps of past updates, and how much of it stays.

Each `up`, `refresh` and `destroy` adds three files to the backend and removes none: a record of the update, which
`pulumi stack history` shows, and the whole state twice, beside the record and among the backups. A state of the dev
stack has 4.6 MB, so without an end a year of daily updates would take 3 GB.
"""

from __future__ import annotations

import re
from pathlib import Path

from local.paths import Paths

RECORDS = 20
"""Updates that `pulumi stack history` still shows."""
STATES = 5
"""Earlier states to go back to, in each of the two places."""

_NAME = re.compile(r"[-.](?P<nanoseconds>\d+)(?P<kind>\.history|\.checkpoint|)\.json(?:\.gz|\.zst)?$")
"""How the engine ends the names of `dev-<time>.history.json`, `dev-<time>.checkpoint.json` and `dev.<time>.json`."""
_KEPT = (("history", ".history", RECORDS), ("history", ".checkpoint", STATES), ("backups", "", STATES))


def prune(paths: Paths, project: str, stack: str) -> list[Path]:
    """Remove all but the newest records and states of a stack; returns what was removed.

    What does not bear a name that the engine gives stays.

    Raises:
        OSError: a file cannot be removed.
    """
    removed = []
    for place, kind, kept in _KEPT:
        directory = paths.pulumi_backend / ".pulumi" / place / project / stack
        for file in _newest_first(directory, kind)[kept:]:
            file.unlink(missing_ok=True)
            removed.append(file)
    return removed


def _newest_first(directory: Path, kind: str) -> list[Path]:
    named = ((_NAME.search(file.name), file) for file in directory.glob("*"))
    dated = [(int(match["nanoseconds"]), file) for match, file in named if match and match["kind"] == kind]
    return [file for _, file in sorted(dated, reverse=True)]
