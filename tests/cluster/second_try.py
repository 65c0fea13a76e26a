"""The files of the few cluster tests that failed, run once more from their beginning, on nodes and a stack made anew.

`make test-cluster` calls this with pytest's exit code and the command for a second run. A defect fails again; what does
not was an accident of a busy machine, and its report stands above. More than a few failures are never an accident.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

MOST = 3
"""Failed tests of one run that get a second one."""
_ROOT = Path(__file__).resolve().parents[2]
_LAST_FAILED = _ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"


def files(failed: Sequence[str], code: int) -> list[str]:
    """Test files to run again; none where tests were not what failed, or too many of them.

    Args:
        failed: identifiers of the failed tests, `file::test`.
        code: pytest's exit code of the first run.
    """
    if code != pytest.ExitCode.TESTS_FAILED or len(failed) > MOST:
        return []
    return sorted({test.partition("::")[0] for test in failed})


def main(code: int, command: Sequence[str]) -> int:
    """Run the files again with `command` before them; the exit code of the whole."""
    recorded: dict[str, bool] = json.loads(_LAST_FAILED.read_text()) if _LAST_FAILED.exists() else {}
    failed = [test for test in recorded if test.startswith("tests/cluster/")]
    again = files(failed, code)
    if not again:
        return code
    print(f"\nSECOND TRY of {' '.join(again)}, as these failed (reports above; each is a defect until explained):")
    print("".join(f"  {test}\n" for test in failed), flush=True)
    return subprocess.run([*command, *again], cwd=_ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
