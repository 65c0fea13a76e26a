"""Ask rules about an object: which of them can say something, and what they say before waivers.

Apart from `evaluation`, which registers the rules, so that a rule can ask others.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from omnibase_policies.model import RULES, Problem, Rule, StackRule
from omnibase_policies.objects import READABLE, Object
from omnibase_policies.parameters import Parameters


def rules_for(found: Object) -> list[Rule]:
    """The rules over one object that can say something about this one."""
    return [RULES[name] for name in _applicable(found.kind, found.is_resource, bool(found.pods))]


@functools.cache
def _applicable(kind: str, is_resource: bool, has_pods: bool) -> tuple[str, ...]:
    """Ids of the rules that can say something about an object of a kind."""
    return tuple(
        name
        for name, rule in RULES.items()
        if (rule.check_resource is not None if is_resource else _asks(rule, kind, has_pods))
    )


def _asks(rule: Rule, kind: str, has_pods: bool) -> bool:
    of_object = rule.check_object is not None and (not rule.kinds or kind in rule.kinds)
    return of_object or (rule.check_pod is not None and has_pods)


def problems_of(rule: Rule, found: Object, parameters: Parameters) -> list[Problem]:
    """What one rule says about one object; a rule that fails is itself a problem, which blocks where the rule does."""
    try:
        problems = list(_raw(rule, found, parameters))
    except Exception as error:  # noqa: BLE001,RUF100 - a defect in one rule must neither hide others nor let pass
        return [_defect(error)]
    if found.partial:
        return [problem for problem in problems if not problem.because_absent]
    return problems


def problems_together(
    rule: StackRule, objects: Sequence[Object], parameters: Parameters
) -> list[tuple[Object, Problem]]:
    """What one rule says about all objects of a stack; a rule that fails is a problem of the first object."""
    objects = [found for found in objects if not found.fault]
    try:
        return list(rule.check(objects, parameters))
    except Exception as error:  # noqa: BLE001,RUF100 - as in `problems_of`
        return [(found, _defect(error)) for found in objects[:1]]


def _defect(error: Exception) -> Problem:
    return Problem("", f"the rule itself failed ({type(error).__name__}); this is a defect of the policy pack")


def _raw(rule: Rule, found: Object, parameters: Parameters) -> Iterator[Problem]:
    if found.fault and rule.id != READABLE:
        return
    if found.is_resource:
        yield from rule.check_resource(found, parameters) if rule.check_resource is not None else ()
        return
    if rule.check_object is not None and (not rule.kinds or found.kind in rule.kinds):
        yield from rule.check_object(found, parameters)
    if rule.check_pod is not None:
        for pod in found.pods:
            judged = pod.without(parameters.exempt_images) if parameters.exempt_images else pod
            yield from rule.check_pod(judged, parameters)
