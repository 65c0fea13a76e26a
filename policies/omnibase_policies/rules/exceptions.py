"""Exceptions to the rules: who answers for one, and until when."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from omnibase_policies.model import Problem, Severity, every_rule, object_rule, undecided, violated
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.waivers import FORM, PREFIX, UNWAIVABLE, noted, parsed

_LONGEST = datetime.timedelta(days=366)


@object_rule(
    "exception-has-owner-reason-expiry",
    "A waiver in an annotation says until when, who answers for it, and why",
    severity=Severity.HIGH,
    frameworks=("pulumi/pulumi-policy 225, 438",),
    rationale="An exception without an end is a rule that was given up, and nobody remembers why.",
    remedy=f'Write the annotation {PREFIX}<rule>: "{FORM}", at most a year ahead; remove it when it has ended.',
    bad={f"metadata.annotations.{PREFIX}no-privileged": "for now"},
    good={
        "settings": {"today": "2026-11-26"},
        f"metadata.annotations.{PREFIX}no-privileged": "2026-12-31; data; the driver needs it until version 3",
    },
)
def exception_has_owner_reason_expiry(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Each annotation names a rule that may be waived, and has its three parts; it has not ended and ends in a year."""
    for rule, note in noted(found):
        if note.is_unknown:
            yield undecided(note, f"must be {FORM}")
            continue
        problem = _wrong(rule, found, parameters) if rule in every_rule() else "must name a rule that there is"
        if problem:
            yield violated(note, problem)


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
    return "must end within a year" if waiver.until - today > _LONGEST else ""
