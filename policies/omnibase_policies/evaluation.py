"""Judge objects: every rule on every object, none of which can stop the others."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence

from omnibase_policies import rules  # noqa: F401 - registers the rules
from omnibase_policies.model import (
    RULES,
    STACK_RULES,
    Finding,
    Level,
    Problem,
    Rule,
    RuleText,
    StackRule,
    State,
    Tier,
)
from omnibase_policies.objects import Object, objects_in
from omnibase_policies.parameters import ParameterError, Parameters, parse


def evaluate(objects: Sequence[object], *, tier: str, parameters: Mapping[str, object] | None = None) -> list[Finding]:
    """Judge plain Kubernetes manifests as parsed from YAML.

    Args:
        objects: the manifests; Lists are taken apart. What is no mapping is a finding of `readable-pod`.
        tier: dev, test, staging or prod; decides the levels.
        parameters: see `omnibase_policies.parameters.parse`; default the rules' own settings.

    Returns:
        What was found, sorted and without repetitions. A finding of state `unknown` is a value that is not known yet.

    Raises:
        ParameterError: an unknown tier or parameter; nothing was judged.
    """
    if tier not in tuple(Tier):
        raise ParameterError(f"tier={tier!r} is unknown; allowed are {', '.join(Tier)}")
    settings = parse(parameters)
    found: set[Finding] = set()
    for index, manifest in enumerate(objects):
        found.update(judge(manifest, settings, Tier(tier), index=index))
    return sorted(found)


def evaluate_stack(
    objects: Sequence[object], *, tier: str, parameters: Mapping[str, object] | None = None
) -> list[Finding]:
    """Judge manifests as one whole stack: only the rules that look at all of them together.

    Args, returns, raises: as `evaluate`. What is no mapping is left to it.
    """
    if tier not in tuple(Tier):
        raise ParameterError(f"tier={tier!r} is unknown; allowed are {', '.join(Tier)}")
    settings = parse(parameters)
    indexed: list[Object] = []
    places: dict[int, int] = {}
    for index, manifest in enumerate(objects):
        if not isinstance(manifest, Mapping):
            continue
        for found in _guarded_objects(manifest, ""):
            if isinstance(found, Object):
                indexed.append(found)
                places[id(found)] = index
    findings = {
        _finding(rule, problem, Tier(tier), places[id(found)])
        for rule in STACK_RULES.values()
        for found, problem in run_stack(rule, indexed, settings)
    }
    return sorted(findings)


def run_stack(rule: StackRule, objects: Sequence[Object], parameters: Parameters) -> list[tuple[Object, Problem]]:
    """What one rule says about all objects of a stack; a rule that fails is a problem of the first object."""
    try:
        problems = list(rule.check(objects, parameters))
    except Exception as error:  # noqa: BLE001,RUF100 - as in `run`
        return [(found, _defect(error)) for found in objects[:1]]
    return [(found, left) for found, problem in problems for left in _unwaived(rule, found, [problem], parameters)]


def judge(
    manifest: object, parameters: Parameters, tier: Tier, *, token: str = "", index: int = 0
) -> Iterator[Finding]:
    """Findings of one manifest, unsorted.

    Args:
        token: type token of a Pulumi resource, for example `kubernetes:apps/v1:Deployment`.
    """
    if not isinstance(manifest, Mapping):
        yield _finding(RULES["readable-pod"], Problem("", "must be a mapping"), tier, index)
        return
    for found in _guarded_objects(manifest, token):
        if isinstance(found, Problem):
            yield _finding(RULES["readable-pod"], found, tier, index)
            continue
        for rule in RULES.values():
            for problem in run(rule, found, parameters):
                yield _finding(rule, problem, tier, index)


def run(rule: Rule, found: Object, parameters: Parameters) -> list[Problem]:
    """What one rule says about one object; a rule that fails is itself a problem, which blocks where the rule does."""
    try:
        problems = list(_raw(rule, found, parameters))
    except Exception as error:  # noqa: BLE001,RUF100 - a defect in one rule must neither hide others nor let pass
        return [_defect(error)]
    if found.partial:
        problems = [problem for problem in problems if not problem.because_absent]
    return _unwaived(rule, found, problems, parameters)


def _defect(error: Exception) -> Problem:
    return Problem("", f"the rule itself failed ({type(error).__name__}); this is a defect of the policy pack")


def _raw(rule: Rule, found: Object, parameters: Parameters) -> Iterator[Problem]:
    if found.is_resource:
        yield from rule.check_resource(found, parameters) if rule.check_resource is not None else ()
        return
    if rule.check_object is not None:
        yield from rule.check_object(found, parameters)
    if rule.check_pod is not None:
        for pod in found.pods:
            yield from rule.check_pod(pod, parameters)


def _unwaived(rule: RuleText, found: Object, problems: list[Problem], parameters: Parameters) -> list[Problem]:
    waiver = next((each for each in parameters.waivers if each.rule == rule.id and each.object == found.identity), None)
    if waiver is None or not problems:
        return problems
    today = parameters.today or datetime.datetime.now(tz=datetime.UTC).date()
    if waiver.until >= today:
        return []
    note = f"; the waiver of {waiver.owner} ended on {waiver.until}"
    return [Problem(each.path, each.message + note, each.state, each.because_absent) for each in problems]


def _guarded_objects(manifest: Mapping[object, object], token: str) -> Iterable[Object | Problem]:
    try:
        return list(objects_in(manifest, token=token))
    except RecursionError:
        return [Problem("", "is nested too deeply to be judged")]


def _finding(rule: RuleText, problem: Problem, tier: Tier, index: int) -> Finding:
    # What is not known yet is decided by the update, so it cannot stop a preview.
    level = Level.ADVISORY if problem.state is State.UNKNOWN else rule.level_in(tier)
    return Finding(index, rule.id, problem.path, problem.state, problem.message, rule.severity, level)
