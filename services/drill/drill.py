"""The drill: one moment of the living cluster, restored beside it, compared row by row."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import psycopg

from services.drill import server
from services.drill.barman import Barman, BarmanError
from services.drill.fingerprint import Content, SlowError, Table, differences, fingerprints, prepare
from services.drill.moment import BusyError, Moment, living
from services.drill.report import Report, StoreError
from services.drill.settings import Settings

_PATIENCE = 60.0
FAULTS = (BarmanError, BusyError, SlowError, server.RecoveryError, psycopg.Error, OSError)
"""What makes a drill a bad one. Anything else is a fault of the drill itself, and ends it with a trace."""


class Keeper(Protocol):
    """Where reports are kept."""

    def newest(self) -> Report | None:
        """The newest report."""

    def keep(self, report: Report) -> None:
        """Keep a report."""


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One run."""

    settings: Settings
    barman: Barman
    say: Callable[[str], None]

    def run(self) -> Report:
        """Restore and compare; a report in any case."""
        started = time.time()
        report = Report(archive=self.settings.archive, started=started, finished=started, good=False)
        try:
            report = self._compared(report)
        except FAULTS as error:
            problems = [str(error).strip().replace("\n", " ")]
            report = replace(report, problems=problems, busy=isinstance(error, BusyError))
        finished = time.time()
        return replace(report, finished=finished, last_good=finished if report.good else 0.0)

    def _compared(self, report: Report) -> Report:
        settings, end = self.settings, time.monotonic() + self.settings.deadline_seconds
        backup = self.barman.newest()
        report = replace(report, backup=backup.identifier, backup_ended=backup.ended)
        self.say(f"the newest base backup is {backup.identifier}, complete since {backup.ended}")
        moment = living(self._connect, settings.databases, _PATIENCE, end)
        rows = sum(content.rows for content in moment.contents.values())
        report = replace(report, lsn=moment.lsn, tables=len(moment.contents), rows=rows)
        self.say(f"the living cluster at {moment.lsn}: {len(moment.contents)} tables, {rows} rows")
        waited = self.barman.wait_for(moment.segment, end - time.monotonic())
        report = replace(report, archive_seconds=waited)
        self.say(f"its log is in the archive after {waited:.0f} s")
        began = time.monotonic()
        restored = self._restored(moment, backup, end, lambda: time.monotonic() - began)
        problems = differences(moment.contents, restored.contents)
        return replace(report, restore_seconds=restored.seconds, problems=problems, good=not problems)

    def _restored(self, moment: Moment, backup: Any, end: float, clock: Callable[[], float]) -> _Restored:  # noqa: ANN401
        settings = self.settings
        data, home = settings.scratch / "data", settings.scratch / "server"
        server.remove(data, home)
        try:
            self.barman.restore(backup, data, end - time.monotonic())
            self.say(f"the base backup is unpacked after {clock():.0f} s")
            with server.recovered(
                binaries=settings.binaries,
                data=data,
                home=home,
                restore_command=self.barman.restore_command(),
                lsn=moment.lsn,
                environment=self.barman.environment,
                seconds=end - time.monotonic(),
            ) as socket:
                seconds = clock()
                self.say(f"recovered to {moment.lsn} after {seconds:.0f} s")
                return _Restored(seconds, self._contents(socket, moment, end))
        finally:
            server.remove(data, home)

    def _contents(self, socket: str, moment: Moment, end: float) -> dict[Table, Content]:
        found: dict[Table, Content] = {}
        for database in self.settings.databases:
            with server.connect(socket, database) as connection:
                prepare(connection)
                found |= fingerprints(connection, database, moment.moving, end)
        return found

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        settings = self.settings
        password = settings.password_file.read_text().strip() if settings.password_file else ""
        return psycopg.connect(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=password,
            dbname=database,
            sslmode="verify-full",
            sslrootcert=str(settings.ca_file),
            connect_timeout=15,
            application_name="restore-drill",
            autocommit=True,
        )


@dataclass(frozen=True)
class _Restored:
    """What came out of the archive."""

    seconds: float
    contents: dict[Table, Content]


def kept(report: Report, reports: Keeper) -> Report:
    """Keep a report, with the day of the last good one where this one is bad.

    Raises:
        StoreError: the store does not take it.
    """
    if not report.good:
        try:
            before = reports.newest()
        except StoreError:
            before = None
        report = replace(report, last_good=before.last_good if before else 0.0)
    reports.keep(report)
    return report
