"""docs/reference/requirements.md: every requirement, what proves it, how that went last, and what is not proven yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ops.requirements.catalogue import Catalogue, Requirement
from ops.requirements.results import Results, TestResult

_SHOWN = 4  # tests per requirement; a cell with twenty sentences is not read
_WORDS = ("shown", "shown in part", "partly run", "not run", "failed", "not yet")
_HEAD = """# Requirements and their proof

Made by `make requirements` from a real test run; do not edit. A test names what it proves with
`@pytest.mark.req("C2.3")`. A requirement counts as shown when all tests that name it passed and nothing of it is known
to be missing (`ops/requirements/gaps.yaml`). Tests of the cluster need root and minutes: they keep the day of their
last run.

C: what an environment can do. R: how it is built, changed and handed over. P: what went wrong in the past.
V: what a policy must refuse.
"""


def render_page(catalogue: Catalogue, results: Results) -> str:
    """The page as Markdown text, the same for the same arguments."""
    proofs = results.by_requirement()
    parts = [_HEAD, _summary(catalogue, proofs)]
    for chapter, requirements in catalogue.chapters().items():
        parts.append(f"## {chapter}\n\n" + _table(requirements, proofs))
    parts.append("## Not yet\n\nNo test names these:\n\n" + _not_yet(catalogue, proofs))
    return "\n".join(parts)


def state_of(requirement: Requirement, tests: Sequence[TestResult]) -> str:
    """One or two words for a requirement: shown, shown in part, failed, partly run, not run, not yet."""
    if not tests:
        return "not yet"
    outcomes = {test.outcome for test in tests}
    if "failed" in outcomes:
        return "failed"
    if outcomes == {"passed"}:
        return "shown in part" if requirement.gap else "shown"
    return "partly run" if "passed" in outcomes else "not run"


def _summary(catalogue: Catalogue, proofs: Mapping[str, list[TestResult]]) -> str:
    """How many are in which state: all together, and by chapter."""
    states = {each.id: state_of(each, proofs.get(each.id, [])) for each in catalogue}
    words = [word for word in _WORDS if word in states.values()]
    rows = "\n".join(f"| {word} | {list(states.values()).count(word)} |" for word in words)
    chapters = []
    for chapter, requirements in catalogue.chapters().items():
        found = [states[each.id] for each in requirements]
        counts = " | ".join(str(found.count(word) or "") for word in words)
        chapters.append(f"| [{chapter}](#{_anchor(chapter)}) | {counts} |")
    head = f"| chapter | {' | '.join(words)} |\n|-|{'-:|' * len(words)}"
    return "\n".join([f"| of {len(catalogue)} requirements | number |\n|-|-:|\n{rows}\n", head, *chapters]) + "\n"


def _anchor(heading: str) -> str:
    """What the site calls a heading in addresses."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _table(requirements: Sequence[Requirement], proofs: Mapping[str, list[TestResult]]) -> str:
    lines = ["| id | requirement | proven by | last result |", "|-|-|-|-|"]
    for requirement in requirements:
        tests = proofs.get(requirement.id, [])
        lines.append(
            f"| {requirement.id} | {requirement.title} | {_proof_cell(tests)} | {_result_cell(requirement, tests)} |"
        )
    return "\n".join(lines) + "\n"


def _proof_cell(tests: Sequence[TestResult]) -> str:
    shown = [f"[{test.sentence}](../../{test.file})" for test in tests[:_SHOWN]]
    if len(tests) > _SHOWN:
        shown.append(f"{len(tests) - _SHOWN} more")
    return "; ".join(shown)


def _result_cell(requirement: Requirement, tests: Sequence[TestResult]) -> str:
    state = state_of(requirement, tests)
    days = sorted({test.day for test in tests if test.day})
    if state == "failed":
        failed = [test.sentence for test in tests if test.outcome == "failed"]
        return f"**failed**: {'; '.join(failed)} ({days[-1]})"
    missing = f"; missing: {requirement.gap}" if requirement.gap and tests else ""
    return f"{state} ({days[0]}){missing}" if days else f"{state}{missing}"


def _not_yet(catalogue: Catalogue, proofs: Mapping[str, list[TestResult]]) -> str:
    lines = []
    for chapter, requirements in catalogue.chapters().items():
        missing = [requirement.id for requirement in requirements if requirement.id not in proofs]
        if missing:
            lines.append(f"- {chapter}: {', '.join(missing)}")
    return "\n".join(lines) + "\n" if lines else "None.\n"
