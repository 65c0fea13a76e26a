"""Verdicts on labelled cases: the Pod Security Standards exactly, other collections by recall and precision."""

from __future__ import annotations

from collections import Counter

import pytest
from omnibase_policies import pod_security
from omnibase_policies.model import every_rule

from tests.policies import corpora_kit as kit
from tests.policies.corpora_score import MAPPING, outcomes, rates, scored

_PROFILES = ("baseline", "restricted")
_RECALL, _PRECISION = 0.92, 0.96


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
    assert {name for name in named if not name.startswith("@")} - set(every_rule()) == set()
    reasons = [ours for rules in MAPPING.values() for ours in rules.values() if isinstance(ours, str)]
    assert all(len(reason) > 10 for reason in reasons)


def test_every_rule_of_the_collections_at_hand_is_mapped_or_has_a_reason() -> None:
    known = {corpus: {case.rule for case in kit.cases(corpus)} for corpus in MAPPING if corpus in kit.collections()}
    assert {corpus: rules - set(MAPPING[corpus]) for corpus, rules in known.items()} == {
        corpus: set() for corpus in known
    }


def test_recall_and_precision_of_the_collections_at_hand_do_not_fall() -> None:
    at_hand = {corpus: rates(sum(outcomes(corpus).values(), Counter())) for corpus in scored()}
    assert [
        (corpus, recall, precision)
        for corpus, (recall, precision) in at_hand.items()
        if recall < _RECALL or precision < _PRECISION
    ] == []


def test_kyvernos_pod_security_cases_are_found_and_pass_as_far_as_they_should() -> None:
    at_hand = [rates(_of_pod_security()) for corpus in kit.collections() if corpus == "kyverno"]
    assert [rate for found in at_hand for rate in found if rate < 0.98] == []


def _of_pod_security() -> Counter[str]:
    found = outcomes("kyverno").items()
    return sum((counts for rule, counts in found if rule.startswith("pod-security/")), Counter())
