"""Whether the tests that the list names exist, and speak of what it says they show."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from ops.faults.catalogue import Part


def missing_proofs(root: Path, parts: Sequence[Part]) -> list[str]:
    """Every named test that does not exist, or that names neither the message nor the alert; one line each.

    Args:
        root: of the checkout.
    """
    return [line for part in parts for line in _missing(root, part)]


def _missing(root: Path, part: Part) -> Iterator[str]:
    for wrong in (each for each in part.wrong if each.test):
        source = _source(root, wrong.test)
        if not source:
            yield f"{part.part}: {wrong.test} does not exist"
        elif wrong.message not in source:
            yield f"{part.part}: {wrong.test} does not ask for {wrong.message!r}"
    for fault in part.faults:
        sources = {test: _source(root, test) for test in fault.tests}
        yield from (f"{part.part}: {test} does not exist" for test, source in sources.items() if not source)
        quoted = re.compile(f"[\"']{fault.alert}[\"']")
        if fault.alert and not any(map(quoted.search, sources.values())):
            yield f"{part.part}: no test of {fault.fault!r} looks for the alert {fault.alert}"


@cache
def _functions(file: Path) -> dict[str, str]:
    """Test function -> its source with its decorators; expressions lose the escapes of their dots."""
    if not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    found = {}
    for node in ast.parse("\n".join(lines)).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno]).replace("\\", "")
    return found


def _source(root: Path, test: str) -> str:
    file, _, name = test.partition("::")
    return _functions(root / file).get(name, "")
