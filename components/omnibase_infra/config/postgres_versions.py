"""Which releases of PostgreSQL pg_upgrade takes together, pure."""

from collections.abc import Iterator

_SLOTS = (17, 6)
"""From here on pg_upgrade takes a server whose slots have a limit."""
_MARKED_COLUMNS = (17, 12)
"""From here on a server marks the columns of its tables, and what was released before cannot read the mark."""
_READS_MARKS = {18: 7}
"""Major version -> first minor version that can."""
ANYTHING = 10_000
"""Minor version of a tag that names none: nothing is known against it."""
Version = tuple[int, int]
"""Major and minor version."""


def minor_problems(before: Version, after: Version) -> Iterator[str]:
    """Why these two releases do not go together."""
    if before[0] == _SLOTS[0] and before < _SLOTS:
        yield (
            f"image: pg_upgrade from PostgreSQL {version_text(before)} fails while slots have a limit "
            f"(max_slot_wal_keep_size); update to {version_text(_SLOTS)} or newer first"
        )
    needed = _READS_MARKS.get(after[0], 0)
    if before[0] == _MARKED_COLUMNS[0] and before >= _MARKED_COLUMNS and after[1] < needed:
        yield (
            f"image: pg_upgrade from PostgreSQL {version_text(before)} to {version_text(after)} fails: that is older, "
            f"and does not know the option pg_attver of columns; take {after[0]}.{needed} or newer"
        )


def version_text(version: Version) -> str:
    """As people write it."""
    return str(version[0]) if version[1] == ANYTHING else f"{version[0]}.{version[1]}"
