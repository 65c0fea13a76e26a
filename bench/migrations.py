"""How long the migration runner takes for a long history, against a running PostgreSQL.

    python -m bench.migrations PLAN [COUNT]

PLAN is a plan of one *empty* database, as of docs/architecture/migrations.md; its directory is written by this program:
COUNT migrations (default 1000), each a table with a verify query. Prints the seconds of `up`, of `verify` (the least of
three, and what reading the files takes of it) and of `down --to 0`. Target: 2 s for verify of 1000.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from omnibase_infra.migrations import MigrationError
from omnibase_infra.migrations.plan import Plan, read_plan
from omnibase_infra.migrations.runner import down, read_sets, up, verify

_REPEATS = 3
_DEFAULT_COUNT = 1000
TARGET_SECONDS = 2.0


def write_set(directory: Path, count: int) -> None:
    """A set of so many migrations."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        stem = directory / f"{number:04d}_t{number}"
        stem.with_suffix(".up.sql").write_text(f"CREATE TABLE t{number} (id bigint PRIMARY KEY, body text NOT NULL);\n")
        stem.with_suffix(".down.sql").write_text(f"DROP TABLE t{number};\n")
        stem.with_suffix(".verify.sql").write_text(f"SELECT id, body FROM t{number} WHERE false;\n")  # noqa: S608


def measure(plan: Plan) -> dict[str, float]:
    """Seconds of each step; the database is as empty afterwards as before."""
    found = {"up": _seconds(lambda: up(plan, _silent))}
    found["reading files"] = min(_seconds(lambda: read_sets(plan)) for _ in range(_REPEATS))
    found["verify"] = min(_seconds(lambda: _verified(plan)) for _ in range(_REPEATS))
    found["down"] = _seconds(lambda: down(plan, _silent, 0))
    return found


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
    """Measure and print; 2 for a plan that cannot be used."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    count = int(arguments[1]) if len(arguments) > 1 else _DEFAULT_COUNT
    try:
        plan = read_plan(Path(arguments[0]))
        (database,) = plan.databases.values()
        write_set(database.directory, count)
        found = measure(plan)
    except MigrationError as error:
        print(f"bench.migrations: {error}", file=sys.stderr)
        return error.exit_code
    for step, seconds in found.items():
        print(f"{count} migrations, {step}: {seconds:.2f} s")
    print(f"target: verify of {_DEFAULT_COUNT} in {TARGET_SECONDS:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
