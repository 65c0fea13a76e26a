"""The command `ops status` from its arguments to its exit code."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from rich.console import Console

from local import stack as stacks
from local.node import pki
from ops.status import fetch
from ops.status.cluster import cluster_documents
from ops.status.render import render
from ops.status.report import Report, build_report

ROOT = Path(__file__).resolve().parents[2]


def status(stack_name: str, *, as_json: bool, console: Console) -> int:
    """Print the state of a stack; 0 if it is healthy, 1 if not or if it cannot be seen.

    Raises:
        InputError: no such stack, or a broken stack file.
    """
    report = collect(stack_name)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2, sort_keys=True))
    else:
        render(console, report)
    return 0 if report.healthy else 1


def collect(stack_name: str) -> Report:
    """Fetch and judge everything of a stack.

    Raises:
        InputError: as for `status`.
    """
    paths = stacks.paths_of(ROOT, stack_name)
    chosen = stacks.load(ROOT, stack_name)
    now = datetime.datetime.now(datetime.UTC)
    engine = fetch.engine_documents(paths, chosen, now)
    cluster = cluster_documents(paths, chosen, engine.namespaces)
    deployed = engine.last_update.commit if engine.last_update else ""
    ends = pki.ends(paths.node / "pki") if chosen.is_local else {}
    return build_report(engine, cluster, fetch.checkout(paths, chosen, deployed), now, ends)
