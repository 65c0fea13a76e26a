"""Every rule on everything that was read, with the waivers that were asked for."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from omnibase_policies import STACK_RULES, Level, State, Waiver
from omnibase_policies.asking import problems_of, problems_together, rules_for
from omnibase_policies.evaluation import unwaived, waiver_for
from omnibase_policies.model import Problem, RuleText
from omnibase_policies.objects import Object, objects_in
from omnibase_policies.waivers import annotated_waivers

from ops.policy.places import Lines
from ops.policy.settings import Settings
from ops.policy.shown import shown_value
from ops.policy.sources import Item, Sources


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """What one rule says of one place, as every report shows it. Sorted by what stops, then by where it is."""

    rank: int
    """0 stops, 1 advises, 2 cannot tell yet, 3 is waived."""
    resource: str
    """`Kind/namespace/name`."""
    rule: str
    path: str
    message: str
    file: str
    line: int
    """On which the document begins; 0 where there are no lines."""
    level: Level
    state: State
    value: str
    """What stands there, if it can be no secret; else empty."""
    waiver: Waiver | None = field(default=None, compare=False)
    """The one that accepts it."""

    @property
    def stops(self) -> bool:
        """Whether the engine would stop here."""
        return self.rank == 0


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Everything that a check found."""

    settings: Settings
    resources: list[str]
    """What was judged, sorted."""
    findings: list[Finding]
    """Sorted, without repetitions."""
    skipped: list[str]
    others: int
    """Resources of which no rule speaks."""
    waivers: list[tuple[Waiver, str]]
    """Those of the settings and of annotations, the one that ends first at the head: in force, ended or not needed."""

    @property
    def violations(self) -> list[Finding]:
        """What stops."""
        return [each for each in self.findings if each.stops]


def _first_to_end(waiver: Waiver) -> tuple[datetime.date, str, str]:
    return waiver.until, waiver.rule, waiver.object


def _standings(said: Iterable[_Said], judged: Iterable[_Judged], settings: Settings) -> list[tuple[Waiver, str]]:
    noted = {each for one in judged for each in annotated_waivers(one.object)}
    needed = {each.waiver for each in said if each.waiver is not None}
    today = settings.parameters.today or datetime.datetime.now(tz=datetime.UTC).date()
    return [
        (each, "ended" if each.until < today else "in force" if each in needed else "not needed")
        for each in sorted({*settings.parameters.waivers, *needed, *noted}, key=_first_to_end)
    ]


def judge(sources: Sources, settings: Settings, *, whole: bool) -> Judgement:
    """Judge what was read, each object alone and, if they are a whole stack, all of them together."""
    judged = [found for item in sources.items for found in _objects(item)]
    said = [*_alone(judged, settings), *(_together(judged, settings) if whole else ())]
    lines = Lines()
    return Judgement(
        settings=settings,
        resources=sorted({each.name for each in judged}),
        findings=sorted({_finding(each, settings, lines) for each in said}),
        skipped=sources.skipped,
        others=sources.others,
        waivers=_standings(said, judged, settings),
    )


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """One object and where it was read."""

    item: Item
    object: Object
    name: str


class _Said(NamedTuple):
    """What a rule says of an object."""

    rule: RuleText
    judged: _Judged
    problem: Problem
    waiver: Waiver | None = None
    """The one for it, also one that has ended."""
    is_accepted: bool = False


def _objects(item: Item) -> list[_Judged]:
    found = objects_in(item.manifest, token=item.token, registered=item.registered)
    return [_Judged(item=item, object=each, name=_name(each, item)) for each in found]


def _name(found: Object, item: Item) -> str:
    """`Kind/namespace/name`, with Pulumi's name where the object has none of its own."""
    return found.identity if "/" in found.identity else f"{found.kind or 'Object'}/{item.name or '(no name)'}"


def _alone(judged: Iterable[_Judged], settings: Settings) -> Iterator[_Said]:
    for each in judged:
        for rule in rules_for(each.object):
            if settings.level_of(rule) is not None:
                yield from _said(rule, each, problems_of(rule, each.object, settings.parameters), settings)


def _together(judged: Sequence[_Judged], settings: Settings) -> Iterator[_Said]:
    objects = [each.object for each in judged]
    places = {id(each.object): each for each in judged}
    for rule in STACK_RULES.values():
        if settings.level_of(rule) is not None:
            for found, problem in problems_together(rule, objects, settings.parameters):
                yield from _said(rule, places[id(found)], [problem], settings)


def _said(rule: RuleText, each: _Judged, problems: list[Problem], settings: Settings) -> Iterator[_Said]:
    if not problems:
        return
    waiver = waiver_for(rule, each.object, settings.parameters)
    left = unwaived(rule, each.object, problems, settings.parameters)
    for problem in left or problems:
        yield _Said(rule, each, problem, waiver, is_accepted=not left)


def _finding(said: _Said, settings: Settings, lines: Lines) -> Finding:
    rule, each, problem, found_waiver, is_accepted = said
    waiver = found_waiver if is_accepted else None
    level = settings.level_of(rule) or Level.ADVISORY
    return Finding(
        rank=_rank(level, problem, waiver),
        resource=each.name,
        rule=rule.id,
        path=problem.path,
        message=problem.message,
        file=each.item.file,
        line=lines.of(each.item, problem.path),
        level=level,
        state=problem.state,
        value=shown_value(each.item.manifest, problem.path),
        waiver=waiver,
    )


def _rank(level: Level, problem: Problem, waiver: Waiver | None) -> int:
    if waiver is not None:
        return 3
    if problem.state is State.UNKNOWN:
        return 2
    return 0 if level is Level.MANDATORY else 1
