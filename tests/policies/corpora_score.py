"""How well the collections at hand are decided: `python -m tests.policies.corpora_score` prints it for each rule."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path

import yaml
from omnibase_policies import State, evaluate
from omnibase_policies.pss import PROFILES

from tests.policies import corpora_kit as kit

MAPPING: dict[str, dict[str, list[str] | str]] = yaml.load(
    (Path(__file__).parent / "corpora.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
)
"""What each rule of a collection is called here, or why there is none."""
_WRONG = ("missed", "false alarm")


def scored() -> list[str]:
    """The collections that are at hand and mapped."""
    return [corpus for corpus in MAPPING if corpus in kit.collections()]


@functools.cache
def outcomes(corpus: str) -> dict[str, Counter[str]]:
    """Outcomes by the collection's rule; a case counts only by the rules that its own is mapped to."""
    counts: dict[str, Counter[str]] = {}
    for case in kit.cases(corpus):
        ours = MAPPING[corpus].get(case.rule)
        if isinstance(ours, list):
            counts.setdefault(case.rule, Counter())[_outcome(case, ours)] += 1
    return counts


def rates(counts: Counter[str]) -> tuple[float, float]:
    """Recall and precision."""
    found = counts["found"]
    return _share(found, counts["missed"]), _share(found, counts["false alarm"])


def _share(found: int, others: int) -> float:
    return found / (found + others) if found + others else 1.0


def _outcome(case: kit.Case, ours: list[str]) -> str:
    wanted = {rule for name in ours for rule in (PROFILES[name[1:]] if name.startswith("@") else (name,))}
    found = evaluate(case.objects, tier="prod", parameters=case.parameters)
    fired = any(each.rule in wanted and each.state is State.VIOLATED for each in found)
    if case.bad:
        return "found" if fired else "missed"
    return "false alarm" if fired else "passed"


def report() -> str:
    """Recall and precision of each collection and of each of its rules, and the rules that are not mapped."""
    lines: list[str] = []
    for corpus in scored():
        by_rule = outcomes(corpus)
        lines.append(_line(corpus, sum(by_rule.values(), Counter())))
        lines += [f"  {_line(rule, counts)}" for rule, counts in sorted(by_rule.items())]
        reasons = sorted((rule, why) for rule, why in MAPPING[corpus].items() if isinstance(why, str))
        lines += [f"  not mapped: {rule}: {why}" for rule, why in reasons]
    return "\n".join(lines)


def _line(name: str, counts: Counter[str]) -> str:
    recall, precision = rates(counts)
    wrong = ", ".join(f"{counts[each]} {each}" for each in _WRONG if counts[each])
    cases = f"{counts['found']} found, {counts['passed']} passed"
    return f"{name}: recall {recall:.3f}, precision {precision:.3f} ({cases}{', ' if wrong else ''}{wrong})"


if __name__ == "__main__":
    print(report())
