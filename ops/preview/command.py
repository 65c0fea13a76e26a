"""The command `ops preview` from its arguments to its exit code."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from local import policy
from local import stack as stacks
from local.progress import Progress
from ops.preview import run
from ops.preview.compare import compared
from ops.preview.markdown import render
from ops.preview.report import Report, build_report

ROOT = Path(__file__).resolve().parents[2]


def preview(
    stack: str, *, base: str, markdown: bool, as_json: bool, output: Path | None, console: Console, root: Path = ROOT
) -> int:
    """Print a report, or write it to a file; returns the engine's exit code, so that a refused change fails.

    Raises:
        InputError: no such stack, commit or policy levels.
        LocalError: the engine could not be built, or the base cannot be previewed.
    """
    report = collect(root, stack, base)
    text = f"{json.dumps(report.to_dict(), indent=2)}\n" if as_json else render(report)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    elif as_json or markdown:
        sys.stdout.write(text)
    else:
        console.print(Markdown(text.replace("<details><summary>", "**").replace("</summary>", "**")))
    return report.code


def collect(root: Path, stack: str, base: str) -> Report:
    """Preview and judge. With `base` nothing deployed is asked: two programs are compared."""
    stacks.load(root, stack)
    paths = stacks.paths_of(root, stack)
    waivers = [_waiver(each) for each in policy.waivers(policy.levels_file(paths, stack))]
    run.prepare(paths, stack, Progress(Console(stderr=True, highlight=False)))
    if not base:
        code, found = run.deployed(paths, stack)
        return build_report(stack, "", code, found, waivers)
    before = run.program_at(paths, stack, base)
    code, found = run.program(paths, stack)
    return build_report(stack, base, code, compared(before, found), waivers)


def _waiver(given: policy.Waiver) -> dict[str, str]:
    """A waiver of the policy pack in the form of the program's own."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    ended = {"ended": "the rule counts again"} if given.has_ended(today) else {}
    told = {"until": given.until, "owner": given.owner, "reason": given.reason}
    return {"setting": given.rule, "object": given.object, **told, **ended}
