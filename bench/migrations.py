"""How long the migration runner takes for a long history, on a PostgreSQL of its own.

    python -m bench.migrations [--count 1000] [--write]

Makes a server of Debian's packages with TLS on the loopback address, as `make test-cluster` has it, and a set of COUNT
migrations, each a table with its way back and a verify query. Ends with 1 where verifying them takes longer than 2 s.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from omnibase_infra.migrations import MigrationError
from omnibase_infra.migrations.plan import Plan
from omnibase_infra.migrations.runner import down, read_sets, up, verify

from bench.page import Place
from tests.cluster.migrations_kit import World, table
from tests.cluster.postgres_kit import new_server

PLACE = Place("bench-migrations", "Migrations")
TARGET_SECONDS = 2.0
_REPEATS = 3
_WORDS = {
    "verify": "`verify`: reading and checking the files, checksums, record, queries",
    "reading files": "of it the files",
    "up": "`up` from nothing, each in a transaction with record and verify query",
    "down": "`down --to 0`",
}


def measure(plan: Plan) -> dict[str, float]:
    """Seconds of each step, of what changes nothing the least of three; the database is as empty afterwards as before.

    Raises:
        MigrationError: a step did not do what it should.
    """
    found = {"up": _seconds(lambda: up(plan, _silent))}
    found["reading files"] = min(_seconds(lambda: read_sets(plan)) for _ in range(_REPEATS))
    found["verify"] = min(_seconds(lambda: _verified(plan)) for _ in range(_REPEATS))
    found["down"] = _seconds(lambda: down(plan, _silent, 0))
    return found


def rows(found: dict[str, float], count: int) -> str:
    """A table for the page."""
    target = f"<= {TARGET_SECONDS:.0f} s: {'met' if found['verify'] <= TARGET_SECONDS else '**missed**'}"
    return "\n".join([
        f"{datetime.datetime.now(tz=datetime.UTC).date()}, {os.cpu_count()} cores, {count} migrations:",
        "",
        "| what | figure | target |",
        "|-|-:|-:|",
        *(f"| {words} | {found[key]:.2f} s | {target if key == 'verify' else '-'} |" for key, words in _WORDS.items()),
    ])  # fmt: skip


def _verified(plan: Plan) -> None:
    (found,) = verify(plan)
    if not found.complete:
        raise MigrationError(*found.problems)


def _silent(_line: str) -> None:
    """Nobody reads a thousand lines."""


def _seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 within the target, 1 beyond it or where it could not be measured."""
    parser = argparse.ArgumentParser(prog="bench.migrations", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="of migrations (default 1000)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        server = new_server(Path(directory))
        try:
            world = World(server, Path(directory))
            files = (table(number, f"t{number}") for number in range(1, options.count + 1))
            world.database("history", {name: text for each in files for name, text in each.items()})
            found = measure(world.plan())
        except MigrationError as error:
            print(f"bench.migrations: {error}", file=sys.stderr)
            return error.exit_code
        finally:
            server.stop()
    text = rows(found, options.count)
    print(text)
    if options.write:
        PLACE.write(text)
    return 0 if found["verify"] <= TARGET_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
