"""Judge objects: every rule on every object, none of which can stop the others."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from omnibase_policies import rules  # noqa: F401 - registers the rules
from omnibase_policies.asking import problems_of, problems_together, rules_for
from omnibase_policies.model import (
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
from omnibase_policies.objects import Object, Registered, objects_in
from omnibase_policies.parameters import ParameterError, Parameters, Waiver, parse
from omnibase_policies.resources import STACK, is_judged
from omnibase_policies.waivers import annotated_waiver

_NAME_IN_URN = 3


def evaluate(
    objects: Sequence[object], *, tier: str, parameters: Mapping[str, object] | None = None, together: bool = True
) -> list[Finding]:
    """Judge plain Kubernetes manifests as parsed from YAML.

    Args:
        objects: the manifests; Lists are taken apart. What is no mapping is a finding of `readable-pod`.
        tier: dev, test, staging or prod; decides the levels.
        parameters: see `omnibase_policies.parameters.parse`; default the rules' own settings.
        together: judge them also as one whole, so that what is named must be among them; False for a part of a stack.

    Returns:
        What was found, sorted and without repetitions. A finding of state `unknown` is a value that is not known yet.

    Raises:
        ParameterError: an unknown tier or parameter; nothing was judged.
    """
    whole = _Whole(_tier(tier), parse(parameters))
    for index, manifest in enumerate(objects):
        whole.add(manifest, index=index)
    return whole.findings(together=together)


def evaluate_stack(
    objects: Sequence[object], *, tier: str, parameters: Mapping[str, object] | None = None
) -> list[Finding]:
    """Judge manifests as one whole stack: only the rules that look at all of them together.

    Args, returns, raises: as `evaluate`. What is no mapping is left to it.
    """
    found = evaluate(objects, tier=tier, parameters=parameters)
    return [each for each in found if each.rule in STACK_RULES]


def check_registrations(
    resources: Sequence[Mapping[str, object]],
    *,
    tier: str,
    parameters: Mapping[str, object] | None = None,
    together: bool = True,
) -> list[Finding]:
    """Judge resources of a Pulumi program: a recorder's registrations, or the resources of an exported stack.

    Args:
        resources: mappings with `type`, the resource's type token, and its inputs as `inputs`, `properties` or
            `props`, secrets marked as on the engine's wire. `urn`, `protect` and `provider` (a URN) are read where
            they are given. Resources of providers that no rule knows are passed over.
        tier, parameters, together: as for `evaluate`.

    Returns:
        As `evaluate`; `object_index` is that of the resource.

    Raises:
        ParameterError: as `evaluate`.
    """
    whole = _Whole(_tier(tier), parse(parameters))
    for index, resource in enumerate(resources):
        token = str(resource.get("type", ""))
        if is_judged(token):
            names = ("outputs",) if token == STACK else ("inputs", "properties", "props")
            inputs = (resource[name] for name in names if name in resource)
            whole.add(next(inputs, {}), token=token, index=index, registered=registered_as(resource))
    return whole.findings(together=together)


def registered_as(resource: Mapping[str, object]) -> Registered:
    """What a registration, or a resource of a state, says beside its inputs."""
    urn, protect = str(resource.get("urn", "")), resource.get("protect")
    if protect is None and urn:
        protect = False  # a state leaves out what is off
    provider = str(resource.get("provider") or "").split("::")
    return Registered(
        name=str(resource.get("name") or urn.rpartition("::")[2]),
        protect=protect if isinstance(protect, bool) else None,
        provider=provider[_NAME_IN_URN] if len(provider) > _NAME_IN_URN else "",
    )


class _Whole:
    """Objects that are judged one by one, and then together."""

    def __init__(self, tier: Tier, parameters: Parameters) -> None:
        self._tier, self._parameters = tier, parameters
        self._found: set[Finding] = set()
        self._objects: list[Object] = []
        self._places: dict[int, int] = {}

    def add(self, manifest: object, *, index: int, token: str = "", registered: Registered | None = None) -> None:
        """Judge one manifest, and remember its objects."""
        for found in objects_in(manifest, token=token, registered=registered):
            self._found.update(_judged(found, self._parameters, self._tier, index))
            self._objects.append(found)
            self._places[id(found)] = index

    def findings(self, *, together: bool) -> list[Finding]:
        """What was found, sorted."""
        for rule in STACK_RULES.values() if together else ():
            for found, problem in run_stack(rule, self._objects, self._parameters):
                self._found.add(_finding(rule, problem, self._tier, self._places[id(found)]))
        return sorted(self._found)


def _tier(name: str) -> Tier:
    if name not in tuple(Tier):
        raise ParameterError(f"tier={name!r} is unknown; allowed are {', '.join(Tier)}")
    return Tier(name)


def run_stack(rule: StackRule, objects: Sequence[Object], parameters: Parameters) -> list[tuple[Object, Problem]]:
    """What one rule says about all objects of a stack and no waiver accepts."""
    said = problems_together(rule, objects, parameters)
    return [(found, left) for found, problem in said for left in unwaived(rule, found, [problem], parameters)]


def judge(
    manifest: object, parameters: Parameters, tier: Tier, *, token: str = "", index: int = 0
) -> Iterator[Finding]:
    """Findings of one manifest, unsorted.

    Args:
        token: type token of a Pulumi resource, for example `kubernetes:apps/v1:Deployment`.
    """
    for found in objects_in(manifest, token=token):
        yield from _judged(found, parameters, tier, index)


def _judged(found: Object, parameters: Parameters, tier: Tier, index: int) -> Iterator[Finding]:
    """What the rules over one object say of it."""
    for rule in rules_for(found):
        for problem in run(rule, found, parameters):
            yield _finding(rule, problem, tier, index)


def run(rule: Rule, found: Object, parameters: Parameters) -> list[Problem]:
    """What one rule says about one object and no waiver accepts."""
    return unwaived(rule, found, problems_of(rule, found, parameters), parameters)


def waiver_for(rule: RuleText, found: Object, parameters: Parameters) -> Waiver | None:
    """The waiver of a rule for an object, of the parameters or of its own annotation, also one that has ended."""
    given = (each for each in parameters.waivers if each.rule == rule.id and each.object == found.identity)
    return next(given, None) or annotated_waiver(rule.id, found)


def unwaived(rule: RuleText, found: Object, problems: list[Problem], parameters: Parameters) -> list[Problem]:
    """The problems that no waiver accepts; where one did until it ended, they say whose it was."""
    waiver = waiver_for(rule, found, parameters) if problems else None
    if waiver is None:
        return problems
    today = parameters.today or datetime.datetime.now(tz=datetime.UTC).date()
    if waiver.until >= today:
        return []
    note = f"; the waiver of {waiver.owner} ended on {waiver.until}"
    return [replace(each, message=each.message + note) for each in problems]


def _finding(rule: RuleText, problem: Problem, tier: Tier, index: int) -> Finding:
    # What is not known yet is decided by the update, so it cannot stop a preview.
    level = Level.ADVISORY if problem.state is State.UNKNOWN else rule.level_in(tier)
    return Finding(index, rule.id, problem.path, problem.state, problem.message, rule.severity, level)
