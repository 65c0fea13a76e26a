"""What came out of a drill: a document in the store, and the metrics that are made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


class StoreError(RuntimeError):
    """The object store with the reports refuses or does not answer."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One drill."""

    archive: str
    started: float
    """Seconds since 1970."""
    finished: float
    good: bool
    problems: list[str] = field(default_factory=list)
    busy: bool = False
    """Nothing was compared, as the cluster wrote at every moment at which it was asked; says nothing of the backups."""
    backup: str = ""
    """Identifier of the base backup."""
    backup_ended: str = ""
    lsn: str = ""
    """Position in the log that was restored and compared."""
    tables: int = 0
    rows: int = 0
    archive_seconds: float = 0.0
    """How long the log's newest file took into the archive."""
    restore_seconds: float = 0.0
    """From the first byte of the base backup until the recovered server answered."""
    last_good: float = 0.0
    """When the newest good drill ended, this one or one before; 0 where there was none."""

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def of(cls, text: str) -> Report:
        """Read what `text` wrote; fields that this version does not know are left out.

        Raises:
            ValueError: it is no report.
        """
        try:
            content: Any = json.loads(text)
            return cls(**{key: value for key, value in content.items() if key in cls.__dataclass_fields__})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"no report of a drill: {error}") from error


_METRICS: Mapping[str, tuple[str, str]] = {
    "restore_drill_last_good_timestamp_seconds": ("last_good", "When the newest good restore drill ended; 0: never."),
    "restore_drill_last_timestamp_seconds": ("finished", "When the newest restore drill ended, good or not; 0: never."),
    "restore_drill_good": ("good", "1 if the newest restore drill was good."),
    "restore_drill_busy": ("busy", "1 if the newest restore drill found no quiet moment, and so compared nothing."),
    "restore_drill_rows": ("rows", "Rows that the newest restore drill compared."),
    "restore_drill_tables": ("tables", "Tables that the newest restore drill compared."),
    "restore_drill_restore_seconds": ("restore_seconds", "How long the newest restore took."),
    "restore_drill_archive_seconds": ("archive_seconds", "How long the log's newest file took into the archive."),
}


def metrics(report: Report | None, archive: str, every_seconds: int, *, reachable: bool) -> str:
    """In Prometheus' text form. Without any report the drill is as old as it can be."""
    label = f'{{archive="{archive}"}}'
    lines = []
    for name, (key, text) in _METRICS.items():
        value = float(getattr(report, key)) if report else 0.0
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name}{label} {value:.3f}"]
    for name, value, text in (
        ("restore_drill_every_seconds", float(every_seconds), "How old the newest good drill may become."),
        ("restore_drill_store_reachable", float(reachable), "1 if the store with the reports answers."),
    ):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name}{label} {value:.3f}"]
    return "\n".join(lines) + "\n"
