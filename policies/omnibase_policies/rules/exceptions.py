"""Exceptions to the rules: who answers for one, until when, and whether anything needs it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence

from omnibase_policies.asking import problems_of, problems_together, rules_for
from omnibase_policies.model import (
    RULES,
    STACK_RULES,
    Problem,
    Severity,
    every_rule,
    object_rule,
    stack_rule,
    undecided,
    violated,
)
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters, Waiver
from omnibase_policies.values import View
from omnibase_policies.waivers import FORM, PREFIX, UNWAIVABLE, noted, parsed

_IDLE = "must be removed: the rule that it waives is content"
_LONGEST = datetime.timedelta(days=366)


@object_rule(
    "exception-has-owner-reason-expiry",
    "A waiver in an annotation says until when, who answers for it, and why",
    severity=Severity.HIGH,
    frameworks=("pulumi/pulumi-policy 225, 438",),
    rationale="An exception without an end, or without a need, is a rule that was given up, and nobody remembers why.",
    remedy=f'Write the annotation {PREFIX}<rule>: "{FORM}", at most a year ahead; remove it when it has ended.',
    bad={f"metadata.annotations.{PREFIX}no-privileged": "for now"},
    good={
        "settings": {"today": "2026-11-26"},
        "spec.containers.0.securityContext.privileged": True,
        f"metadata.annotations.{PREFIX}no-privileged": "2026-12-31; data; the driver needs it until version 3",
    },
)
def exception_has_owner_reason_expiry(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Each annotation names a rule that may be waived and that would complain, has its three parts, and ends in a year.

    A waiver of the settings, too, is for a rule that would complain.
    """
    for rule, note in noted(found):
        if note.is_unknown:
            yield undecided(note, f"must be {FORM}")
            continue
        problem = _wrong(rule, found, parameters) if rule in every_rule() else "must name a rule that there is"
        if problem:
            yield violated(note, problem)

    if parameters.waivers:
        yield from _idle_settings(found, parameters)


def _idle_settings(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Waivers of the settings for this object and a rule over one object that is content with it."""
    name = found.identity
    for waiver in parameters.waivers:
        is_asked = waiver.object == name and waiver.rule in RULES and waiver.rule not in UNWAIVABLE
        if is_asked and not _complains(waiver.rule, found, parameters):
            yield violated(found.metadata["name"], f"the waiver of {waiver.rule} in the settings {_IDLE}")


def _complains(rule: str, found: Object, parameters: Parameters) -> bool:
    """Whether a rule over one object says something of this one, if only that it cannot tell yet."""
    return any(each.id == rule and problems_of(each, found, parameters) for each in rules_for(found))


@stack_rule(
    "exception-is-needed",
    "A waiver of a rule over a whole stack is needed",
    severity=Severity.HIGH,
    frameworks=("pulumi/pulumi-policy 225, 438",),
    rationale="A waiver that nothing needs hides the violation that comes next.",
    remedy="Remove the waiver.",
)
def exception_is_needed(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """Each waiver of such a rule, of an annotation or of the settings, is for an object that the rule speaks of."""
    of_stacks = {name for name in STACK_RULES if name not in UNWAIVABLE}
    settings = [waiver for waiver in parameters.waivers if waiver.rule in of_stacks]
    spoken: dict[str, set[int]] = {}
    for found, rule, place in _waived(objects, of_stacks, settings):
        if rule not in spoken:
            said = problems_together(STACK_RULES[rule], objects, parameters)
            spoken[rule] = {id(each) for each, _ in said}
        if id(found) not in spoken[rule]:
            yield found, violated(place, f"the waiver of {rule} {_IDLE}")


def _waived(
    objects: Sequence[Object], rules: Collection[str], waivers: Sequence[Waiver]
) -> Iterator[tuple[Object, str, View]]:
    """Each object with the rules that are waived for it, and where that is said."""
    for found in objects:
        yield from ((found, rule, note) for rule, note in noted(found) if rule in rules)
        identity = found.identity if waivers else ""
        place = found.metadata["name"]
        yield from ((found, each.rule, place) for each in waivers if each.object == identity)


def _wrong(rule: str, found: Object, parameters: Parameters) -> str:
    """What is wrong with a waiver, or nothing."""
    waiver = parsed(rule, found, found.metadata["annotations"][f"{PREFIX}{rule}"])
    today = parameters.today or datetime.datetime.now(tz=datetime.UTC).date()
    if rule in UNWAIVABLE:
        return "must not waive this rule"
    if waiver is None:
        return f"must be {FORM}"
    if waiver.until < today:
        return "must not have ended"
    if waiver.until - today > _LONGEST:
        return "must end within a year"
    return "" if rule in STACK_RULES or _complains(rule, found, parameters) else _IDLE
