"""What a database's record says against the files, and which steps lead to a version. Pure: no database here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from omnibase_infra.migrations.errors import BAD_INPUT, MigrationError
from omnibase_infra.migrations.files import Migration, Script

APPLIED, APPLYING, REVERTING = "applied", "applying", "reverting"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row of the tracking table."""

    version: int
    name: str
    sha256_up: str
    sha256_down: str
    """Empty where there is no way back."""
    state: str = APPLIED
    """`applying` or `reverting` where a step outside a transaction was begun and its end was not recorded."""
    applied_at: datetime | None = None
    applied_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One file that is to run."""

    migration: Migration
    script: Script
    forward: bool
    resumed: bool = False
    """It was begun before and its end was not recorded."""


@dataclass(frozen=True, kw_only=True)
class History:
    """One database's files and rows."""

    database: str
    files: Sequence[Migration]
    rows: Sequence[Record]
    """In the order of versions."""
    prefix: str = ""
    """What names in the tracking table start with."""
    target: int | None = None
    """Version that is wanted; None for the newest."""

    @property
    def version(self) -> int:
        """Newest version that is wholly there; 0 for none."""
        return max((row.version for row in self.rows if row.state == APPLIED), default=0)

    @property
    def pending(self) -> list[Migration]:
        """What is wanted and not there, or not wholly."""
        return [each for each in self._missing() if self.target is None or each.version <= self.target]

    @property
    def surplus(self) -> list[Record]:
        """What is there above the wanted version."""
        return [row for row in self.rows if self.target is not None and row.version > self.target]

    def _missing(self) -> list[Migration]:
        there = {row.version for row in self.rows if row.state == APPLIED}
        return [each for each in self.files if each.version not in there]

    @property
    def interrupted(self) -> Record | None:
        """The row of a step that was begun and whose end was not recorded."""
        return next((row for row in self.rows if row.state != APPLIED), None)

    @property
    def finishing(self) -> str:
        """The command that finishes what was interrupted; empty where nothing was."""
        row = self.interrupted
        if row is None:
            return ""
        return f"up --to {row.version}" if row.state == APPLYING else f"down --to {row.version - 1}"

    def drift(self) -> list[str]:
        """Why nothing may run here: rows without files, other names, edited files, gaps."""
        by_version = {each.version: each for each in self.files}
        found = []
        for place, row in enumerate(self.rows, start=1):
            known = by_version.get(row.version)
            if row.version != place:
                found.append(f"{row.name} is applied, but {place:04d} is not; the tracking table was changed by hand")
                break
            if known is None:
                found.append(f"{row.name} is applied, but has no files here; use the newer files that it came from")
            elif row.name != f"{self.prefix}{known.name}":
                found.append(f"version {row.version} was applied as {row.name}, but is {self.prefix}{known.name} here")
            else:
                found += _edited(row, known)
        return [f"database {self.database}: {problem}" for problem in found]

    def steps_to_target(self) -> list[Step]:
        """What leads up or down to the wanted version.

        Raises:
            MigrationError: as `steps_up` and `steps_down`.
        """
        if self.target is not None and self.surplus:
            return self.steps_down(self.target)
        return self.steps_up(self.target)

    def steps_up(self, to: int | None = None) -> list[Step]:
        """What leads up to a version, default the newest.

        Raises:
            MigrationError: no such version, or the database is above it, or on its way back.
        """
        wanted = self._known(to) if to is not None else max((each.version for each in self.files), default=0)
        if to is not None and wanted < self.version:
            raise self._bad(f"is at version {self.version}, above {wanted}; `down --to {wanted}` takes back what is")
        self._finish_first(REVERTING)
        return [
            Step(migration=each, script=each.up, forward=True, resumed=self._is_interrupted(each))
            for each in self._missing()
            if each.version <= wanted
        ]

    def steps_down(self, to: int) -> list[Step]:
        """What leads down to a version; 0 is the empty database.

        Raises:
            MigrationError: no such version, the database is below it, half-way up, or there is no way back.
        """
        wanted = self._known(to)
        if wanted > self.version and self.interrupted is None:
            raise self._bad(f"is at version {self.version}, below {wanted}; `up --to {wanted}` leads there")
        self._finish_first(APPLYING)
        if self.interrupted is not None and wanted >= self.interrupted.version:
            self._finish_first(REVERTING)
        files = {each.version: each for each in self.files}
        leaving = [files[row.version] for row in reversed(self.rows) if row.version > wanted]
        for each in leaving:
            if each.down is None:
                raise self._bad(f"{each.name} is marked irreversible; a backup is the only way back behind it")
        return [
            Step(migration=each, script=each.down, forward=False, resumed=self._is_interrupted(each))
            for each in leaving
            if each.down is not None
        ]

    def _is_interrupted(self, migration: Migration) -> bool:
        return self.interrupted is not None and self.interrupted.version == migration.version

    def _known(self, version: int) -> int:
        known = [each.version for each in self.files]
        if version != 0 and version not in known:
            raise self._bad(f"there is no version {version}; known are 0 to {max(known, default=0)}")
        return version

    def _finish_first(self, state: str) -> None:
        row = self.interrupted
        if row is not None and row.state == state:
            raise self._bad(f"{row.name} was interrupted while {state}; finish it with `{self.finishing}` first")

    def _bad(self, problem: str) -> MigrationError:
        return MigrationError(f"database {self.database}: {problem}", exit_code=BAD_INPUT)


def _edited(row: Record, known: Migration) -> Iterator[str]:
    down = known.down.sha256 if known.down else ""
    for kind, recorded, found in (("up", row.sha256_up, known.up.sha256), ("down", row.sha256_down, down)):
        if recorded != found:
            yield (
                f"{known.name}.{kind}.sql was changed after it was applied: checksum {recorded[:12] or 'none'} is "
                f"recorded, the file has {found[:12] or 'none'}; put it back and write the change as a new migration"
            )
