"""Command line of the migration runner: `python -m omnibase_infra.migrations PLAN COMMAND`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from omnibase_infra.migrations import runner
from omnibase_infra.migrations.errors import FAILED, MigrationError
from omnibase_infra.migrations.plan import Plan, read_plan
from omnibase_infra.migrations.runner import Status

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 good, 1 failed or not as it should be, 2 bad input, 3 another try may do."""
    asked = _parser().parse_args(arguments)
    # as process 1 of a container it would ignore SIGTERM; so it stops the statement and takes it back
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        plan = read_plan(asked.plan)
        code: int = asked.run(plan.only(asked.database) if asked.database else plan, asked)
    except MigrationError as error:
        for problem in error.problems:
            _say(f"error: {problem}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("error: interrupted; what was not complete is taken back, and the same command goes on there")
        return _INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m omnibase_infra.migrations", description="Migrations of databases.")
    parser.add_argument("plan", type=Path, help="the plan, a JSON file; see docs/architecture/migrations.md")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = _command(commands, "up", _up, "run what is missing")
    up.add_argument("--to", type=int, help="no further than this version; default: target_version, or all")
    _command(commands, "apply", _apply, "lead every database to its target_version, up or down; default: the newest")
    down = _command(commands, "down", _down, "take back what is above a version")
    down.add_argument("--to", type=int, required=True, help="this version stays; 0: nothing stays")
    dry = _command(commands, "dry-run", _dry_run, "say what would run; changes nothing")
    dry.add_argument("--to", type=int, help="up or down to this version; default: as `apply`")
    _command(commands, "status", _status, "say what is applied; ends with 1 if anything is missing or wrong")
    _command(commands, "verify", _verify, "the same, with the verify queries and the required tables")
    wait = _command(
        commands, "wait", _wait, "the gate: end with 0 as soon as everything is applied", has_document=False
    )
    wait.add_argument("--seconds", type=float, default=300.0, help="at most so long; default 300")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[Plan, argparse.Namespace], int],
    words: str,
    *,
    has_document: bool = True,
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=words, description=words)
    made.add_argument("--database", help="only this one of the plan")
    if has_document:
        made.add_argument("--json", action="store_true", help="print one JSON document")
    made.set_defaults(run=run)
    return made


def _up(plan: Plan, asked: argparse.Namespace) -> int:
    runner.up(plan, _say, asked.to)
    return _shown(runner.status(plan if asked.to is None else plan.towards(asked.to)), asked)


def _apply(plan: Plan, asked: argparse.Namespace) -> int:
    runner.apply(plan, _say)
    return _shown(runner.verify(plan), asked)


def _down(plan: Plan, asked: argparse.Namespace) -> int:
    runner.down(plan, _say, asked.to)
    return _shown(runner.status(plan.towards(asked.to)), asked)


def _dry_run(plan: Plan, asked: argparse.Namespace) -> int:
    found = runner.planned(plan, asked.to)
    if asked.json:
        print(json.dumps({name: [step.script.file for step in steps] for name, steps in found.items()}, indent=2))
        return 0
    for name, steps in found.items():
        for step in steps:
            print(f"{name}: would run {step.script.file}")
        if not steps:
            print(f"{name}: nothing to run")
    return 0


def _status(plan: Plan, asked: argparse.Namespace) -> int:
    return _shown(runner.status(plan), asked)


def _verify(plan: Plan, asked: argparse.Namespace) -> int:
    return _shown(runner.verify(plan), asked)


def _wait(plan: Plan, asked: argparse.Namespace) -> int:
    runner.wait(plan, _say, asked.seconds)
    _say(f"everything is applied: {', '.join(plan.order())}")
    return 0


def _shown(found: list[Status], asked: argparse.Namespace) -> int:
    """Print it; FAILED if anything is missing or not as it should be."""
    if asked.json:
        print(json.dumps({"databases": [_document(each) for each in found]}, indent=2))
    else:
        for each in found:
            print(f"{each.database}: version {each.version}, {len(each.pending)} pending")
            for name in each.pending:
                print(f"  pending  {name}")
            for problem in each.problems:
                print(f"  problem  {problem}")
    return 0 if all(each.complete for each in found) else FAILED


def _document(found: Status) -> dict[str, object]:
    return {
        "database": found.database,
        "version": found.version,
        "complete": found.complete,
        "applied": [
            {
                "version": row.version,
                "name": row.name,
                "state": row.state,
                "applied_at": row.applied_at.isoformat() if row.applied_at else None,
                "applied_by": row.applied_by,
            }
            for row in found.applied
        ],
        "pending": list(found.pending),
        "problems": list(found.problems),
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
