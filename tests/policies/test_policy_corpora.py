"""Verdicts on labelled cases: the Pod Security Standards exactly, other collections by recall and precision."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path

import pytest
import yaml
from omnibase_policies import RULES, State, evaluate, pod_security
from omnibase_policies.pss import PROFILES

from tests.policies import corpora_kit as kit

MAPPING: dict[str, dict[str, list[str] | str]] = yaml.safe_load(
    (Path(__file__).parent / "corpora.yaml").read_text(encoding="utf-8")
)
_PROFILES = ("baseline", "restricted")
_FLOORS = {"kyverno": (0.95, 0.99), "kubescape": (0.99, 0.99), "polaris": (0.99, 0.99), "gatekeeper": (0.99, 0.80)}
"""Least recall and precision; docs/architecture/policies.md says what is missed and why."""


def _wrong(found: list[kit.Case], profile: str) -> list[str]:
    return [
        case.id
        for case in found
        if bool(pod_security(case.objects, profile=profile, version=case.version)) is not case.bad
    ]


@pytest.mark.req("C5.9")
@pytest.mark.parametrize("profile", _PROFILES)
def test_our_own_cases_of_a_pod_security_standard_are_all_decided_rightly(profile: str) -> None:
    found = [case for case in kit.own_cases() if case.corpus == profile]
    assert len(found) > 100
    assert _wrong(found, profile) == []


def test_the_larger_collections_for_pod_security_standards_are_decided_without_a_mistake() -> None:
    names = {profile: f"psa-{profile}" for profile in _PROFILES}
    at_hand = {profile: kit.cases(name) for profile, name in names.items() if name in kit.collections()}
    assert {profile: _wrong(list(found), profile) for profile, found in at_hand.items()} == {
        profile: [] for profile in at_hand
    }


def test_every_mapping_names_rules_that_exist_or_gives_a_reason() -> None:
    named = {name for rules in MAPPING.values() for ours in rules.values() if isinstance(ours, list) for name in ours}
    assert {name for name in named if not name.startswith("@")} - set(RULES) == set()
    reasons = [ours for rules in MAPPING.values() for ours in rules.values() if isinstance(ours, str)]
    assert all(len(reason) > 10 for reason in reasons)


def test_recall_and_precision_of_the_collections_at_hand_do_not_fall() -> None:
    at_hand = {corpus: _rates(_counts(corpus)) for corpus in MAPPING if corpus in kit.collections()}
    assert [
        (corpus, recall, precision)
        for corpus, (recall, precision) in at_hand.items()
        if recall < _FLOORS[corpus][0] or precision < _FLOORS[corpus][1]
    ] == []


def test_kyvernos_pod_security_cases_are_found_and_pass_as_far_as_they_should() -> None:
    at_hand = [_rates(_counts("kyverno", "pod-security/")) for corpus in kit.collections() if corpus == "kyverno"]
    assert [rate for rates in at_hand for rate in rates if rate < 0.98] == []


def _rates(counts: Counter[str]) -> tuple[float, float]:
    """Recall and precision."""
    found = counts["found"]
    return found / (found + counts["missed"]), found / (found + counts["false alarm"])


@functools.cache
def _counts(corpus: str, prefix: str = "") -> Counter[str]:
    """A case counts only by the rules that its own rule is mapped to."""
    counts: Counter[str] = Counter()
    for case in kit.cases(corpus):
        ours = MAPPING[corpus].get(case.rule)
        if isinstance(ours, list) and case.rule.startswith(prefix):
            counts[_outcome(case, ours)] += 1
    return counts


def _outcome(case: kit.Case, ours: list[str]) -> str:
    wanted = {rule for name in ours for rule in (PROFILES[name[1:]] if name.startswith("@") else (name,))}
    found = evaluate(case.objects, tier="prod")
    fired = any(each.rule in wanted and each.state is State.VIOLATED for each in found)
    if case.bad:
        return "found" if fired else "missed"
    return "false alarm" if fired else "passed"
