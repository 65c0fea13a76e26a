"""docs/architecture/faults.md: by part, what is set wrong, what fails, what is seen of it, and which test shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ops.faults.catalogue import Fault, Part, Wrong

_HEAD = """# What goes wrong, and what happens then

Made from `ops/faults/catalogue.yaml` by `make goldens`; do not edit.

Of each part the most likely wrong settings, which a preview refuses before anything is registered, and the most likely
faults in operation: how far the harm goes, what tells of it, and how it is whole again. Each line is a test. Wrong
settings without a test of their own are tried by [one test](../../tests/unit/ops/test_faults.py) as they stand in the
list; faults happen for real in `make test-cluster`. An alert in the list is one that its test sees pending or firing,
or, where it looks back for minutes, true over a shorter time. What has none is said by the command that it stops
([decision 34](../decisions/0034-alerts-on-faults.md)).
"""


def render_page(parts: Sequence[Part], runbooks: Mapping[str, str]) -> str:
    """The page as Markdown text.

    Args:
        runbooks: alert -> page below docs/runbooks, see `pages_of_alerts`.
    """
    return "\n".join([_HEAD, *(line for part in parts for line in _part(part, runbooks))])


def pages_of_alerts(index: str) -> dict[str, str]:
    """Alert -> its page, from the table in docs/runbooks/README.md."""
    rows = re.findall(r"^\| ([A-Z][A-Za-z, ]+) \|.*\(([a-z-]+\.md)\) \|$", index, re.MULTILINE)
    return {name: page for names, page in rows for name in names.split(", ")}


def _part(part: Part, runbooks: Mapping[str, str]) -> Iterator[str]:
    yield f"## [{part.part}]({part.page})\n"
    yield "| wrong setting | the preview says | test |"
    yield "|-|-|-|"
    yield from (_wrong(each) for each in part.wrong)
    yield ""
    yield "| fault | how far it goes | seen by | whole again | tests |"
    yield "|-|-|-|-|-|"
    yield from (_fault(each, runbooks) for each in part.faults)
    yield ""


def _wrong(wrong: Wrong) -> str:
    setting = _cell(wrong.setting)
    if wrong.change:
        changes = ", ".join(f"`{path}: {_value(value)}`" for path, value in wrong.change.items())
        setting += f": {changes} in {wrong.stack}"
    return f"| {setting} | `{_cell(wrong.message)}` | {_link(wrong.test) if wrong.test else 'tried as it stands'} |"


def _fault(fault: Fault, runbooks: Mapping[str, str]) -> str:
    seen = f"[{fault.alert}](../runbooks/{runbooks[fault.alert]})" if fault.alert else fault.seen
    cells = (fault.fault, fault.bound, seen, fault.recovery, "; ".join(map(_link, fault.tests)))
    return f"| {' | '.join(map(_cell, cells))} |"


def _link(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../{file})"


def _value(value: object) -> str:
    text = "(taken away)" if value is None else str(value)
    return text if "sha256:" not in text else f"{text.partition('sha256:')[0]}sha256:..."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
