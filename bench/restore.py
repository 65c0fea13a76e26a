"""How long a restore to a moment takes: from the wish for a second cluster to a server that answers.

    python -m bench.restore [--mib 1024] [--keep] [--write]

Makes a node of its own (OMNIBASE_INSTANCE, default `bench`) and the cluster of examples/database-backups on it, which
is filled, backed up and written to again. Then `pulumi up` makes a second cluster out of its archive, as it was at a
moment in between, and every row is compared. Node and cluster are removed at the end.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from omnibase_infra.postgres.backups import SIDECAR_MEMORY_MIB

from bench.own_node import own_paths
from bench.page import Place
from bench.postgres.cluster import BenchError, kubectl, wait_until
from local import machine
from local.errors import LocalError
from local.lock import exclusive
from local.paths import Paths
from local.progress import Progress
from tests.cluster.example_kit import Example, database_backups

PLACE = Place("bench-restore", "Restore")
TARGET_SECONDS = 180.0
_SPACE, _DB, _COPY = "backups-of-orders", "orders", "orders-again"
_STORAGE_GIB = 4
_LATE_SHARE = 20
"""One row in so many is written after the base backup: what only the log has."""
_LONGEST = 1800.0
_FILL = "INSERT INTO kept SELECT n, repeat(md5(n::text), 30) FROM generate_series({}, {}) n"
_SUM = "SELECT count(*), sum(hashtextextended(k::text, 0)) FROM kept k"
_NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured."""

    database_mib: float
    log_mib: float
    """Log between the base backup and the moment."""
    backup_seconds: float
    answer_seconds: float
    """Until the restored server took writes."""
    whole_seconds: float
    """Until `pulumi up` ended: pooler and everything else ready too."""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 within the target, 1 beyond it or where it could not be measured."""
    options = _parser().parse_args(arguments)
    paths, progress = own_paths(), Progress()
    try:
        found = measure(paths, options.mib, progress)
    except LocalError as error:
        progress.say(f"bench.restore: {error}")
        return error.exit_code
    finally:
        if not options.keep:
            machine.clean(paths, progress)
    text = table(found)
    print(text)
    if options.write:
        PLACE.write(text)
    return 0 if found.answer_seconds <= TARGET_SECONDS else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.restore", description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="size of the database (default 1024)")
    parser.add_argument("--keep", action="store_true", help="leave the node, to look at it")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser


def measure(paths: Paths, mib: int, progress: Progress) -> Figures:
    """Node, cluster, rows, base backup, restore.

    Raises:
        BenchError: something did not come, or rows did not come back.
    """
    with exclusive(paths, "make bench-restore"):
        machine.start_machine(paths, progress, retry="make bench-restore")
    with tempfile.TemporaryDirectory() as scratch:
        with progress.step("cluster", 120):
            images = json.loads(paths.images_lock.read_text())["images"]
            example = database_backups(Path(scratch), paths, images)
            example.config("storage_gib", str(_STORAGE_GIB))
            example.config("sidecar_memory_mib", str(SIDECAR_MEMORY_MIB))
            example.run("up", "--yes", "--skip-preview")
        return Restore(paths, example, progress).run(mib)


@dataclass(frozen=True)
class Restore:
    """One restore of the example's cluster."""

    paths: Paths
    example: Example
    progress: Progress

    def run(self, mib: int) -> Figures:
        """Fill, back up, write on, restore, compare."""
        rows = mib * 1024  # of a KiB each
        with self.progress.step(f"fill with {mib} MiB", 60):
            self._sql("CREATE TABLE kept (id bigint PRIMARY KEY, body text STORAGE PLAIN)")
            self._sql(_FILL.format(1, rows))
        with self.progress.step("archive the log", 60):
            self._archive()
        with self.progress.step("base backup", 60):
            backup_seconds = _seconds(self._back_up)
        begin = self._sql("SELECT pg_current_wal_lsn()")
        self._sql(_FILL.format(rows + 1, rows + rows // _LATE_SHARE))
        size = self._sql("SELECT pg_database_size(current_database()) / 1048576.0")
        log = self._sql(f"SELECT (pg_current_wal_lsn() - '{begin}') / 1048576.0")
        expected, moment = self._sql(_SUM), self._sql(_NOW)
        self._sql("SELECT pg_sleep(1); DELETE FROM kept WHERE id % 2 = 0")
        with self.progress.step("archive the log", 20):
            self._archive()
        with self.progress.step("restore", 120):
            answer, whole = self._restore(moment)
        found = self._sql(_SUM, _COPY)
        if found != expected:
            raise BenchError(f"rows and checksum at {moment} were {expected}, restored are {found or 'none'}")
        return Figures(
            database_mib=float(size),
            log_mib=float(log),
            backup_seconds=backup_seconds,
            answer_seconds=answer,
            whole_seconds=whole,
        )

    def _back_up(self) -> None:
        name = f"{_DB}-bench"
        plugin = {"method": "plugin", "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"}}
        manifest = {
            "apiVersion": "postgresql.cnpg.io/v1",
            "kind": "Backup",
            "metadata": {"name": name},
            "spec": {"cluster": {"name": _DB}, **plugin},
        }
        self._kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        said = ("get", "backups.postgresql.cnpg.io", name, "-o", "jsonpath={.status.phase} {.status.error}")
        wait_until(lambda: self._kubectl(*said).startswith(("completed", "failed")), _LONGEST, "the base backup ends")
        if not self._kubectl(*said).startswith("completed"):
            raise BenchError(f"the base backup: {self._kubectl(*said)}")

    def _archive(self) -> None:
        segment = self._sql("SELECT pg_walfile_name(pg_switch_wal())")
        newest = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"
        wait_until(lambda: self._sql(newest) >= segment, _LONGEST, f"{segment} is archived")

    def _restore(self, moment: str) -> tuple[float, float]:
        """Seconds until the server takes writes, and until all of the second cluster is ready."""
        self.example.config("moment", moment)
        with ThreadPoolExecutor(1) as pool:
            making = pool.submit(_seconds, lambda: self.example.run("up", "--yes", "--skip-preview"))
            answer = wait_until(lambda: making.done() or self._answers(), _LONGEST, f"{_COPY} answers")
            return answer, making.result()

    def _answers(self) -> bool:
        try:
            return self._sql("SELECT pg_is_in_recovery()", _COPY) == "f"
        except BenchError:  # not there yet
            return False

    def _sql(self, statement: str, cluster: str = _DB) -> str:
        """Ask the first server of a cluster as its superuser."""
        words = ("psql", "-d", "shop", "-At", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement)
        return self._kubectl("exec", f"{cluster}-1", "-c", "postgres", "--", *words).strip()

    def _kubectl(self, *words: str, stdin: str | None = None) -> str:
        return kubectl(self.paths, "-n", _SPACE, *words, stdin=stdin)


def _seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def table(found: Figures) -> str:
    """Markdown."""
    met = "met" if found.answer_seconds <= TARGET_SECONDS else "**missed**"
    return "\n".join([
        f"{datetime.datetime.now(tz=datetime.UTC).date()}, {os.cpu_count()} cores, a database of "
        f"{found.database_mib:.0f} MiB, {found.log_mib:.0f} MiB of log after its base backup:",
        "",
        "| what | figure | target |",
        "|-|-:|-:|",
        f"| base backup | {found.backup_seconds:.0f} s | - |",
        f"| restore to a moment, until the new server takes writes | {found.answer_seconds:.0f} s | "
        f"<= {TARGET_SECONDS:.0f} s: {met} |",
        f"| the same until `pulumi up` ends, pooler included | {found.whole_seconds:.0f} s | - |",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
