"""The reports of the last test runs: `make test` writes build/reports/test.json, `make test-cluster` cluster.json."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from local.errors import LocalError
from ops.requirements.results import Results

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "build" / "reports"


def last_results(reports: Sequence[Path] = ()) -> Results:
    """What the given reports say, the newest last; by default all of build/reports, none where no test ever ran.

    Raises:
        InputError: a report is missing or is none.
    """
    chosen = list(reports) or sorted(REPORTS.glob("*.json"), key=lambda file: file.stat().st_mtime)
    results = Results(())
    for report in chosen:
        results = results.merged(Results.read(report))
    return results


def present_tests() -> Results:
    """Every test of the checkout that names a requirement, not run.

    A report may be older than the checkout: tests that went away must not prove anything, and tests that never ran
    here (those of the cluster need root) must not be missing.

    Raises:
        LocalError: the tests cannot be collected.
    """
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "collected.json"
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "tests", "--collect-only", "-qq"),
                *("-p", "no:cacheprovider", "--requirements-report", str(report)),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            hint = "see `.venv/bin/python -m pytest --collect-only -q tests`"
            raise LocalError(f"the tests cannot be collected: {ended.stderr.strip() or ended.stdout[-600:]}", hint=hint)
        return Results.read(report)
