"""What a rule is, what it reports, and the one list of all rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict, TypeVar, Unpack

if TYPE_CHECKING:
    from omnibase_policies.objects import Object, Pod
    from omnibase_policies.parameters import Parameters
    from omnibase_policies.values import View


class State(StrEnum):
    """What is known about an object and a rule."""

    VIOLATED = "violated"
    UNKNOWN = "unknown"
    """A value that decides it is not known before the update, which decides it."""


class Removed(Enum):
    """The type of the one value REMOVED."""

    REMOVED = "removed"


REMOVED: Final = Removed.REMOVED
"""What is right where nothing may stand."""


class Severity(StrEnum):
    """How bad it is if it is so; the engine shows it."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Level(StrEnum):
    """What a violation does."""

    MANDATORY = "mandatory"
    """It stops preview and update."""
    ADVISORY = "advisory"
    """It is shown."""


class Tier(StrEnum):
    """The environments; each has a file of levels in policies/environments."""

    DEV = "dev"
    TEST = "test"
    STAGING = "staging"
    PROD = "prod"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule found at one place. The message never holds a value of the object: it may be a secret."""

    path: str
    message: str
    state: State = State.VIOLATED
    because_absent: bool = False
    """True if something required is not there; says nothing about a patch, which leaves out what it keeps."""
    at: View | None = field(default=None, compare=False, repr=False)
    """The place itself, for what mends it."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What a rule found in one of the objects that were judged."""

    object_index: int
    rule: str
    path: str
    state: State
    message: str
    severity: Severity
    level: Level


PodCheck = Callable[["Pod", "Parameters"], Iterator[Problem]]
ObjectCheck = Callable[["Object", "Parameters"], Iterator[Problem]]

StackCheck = Callable[[Sequence["Object"], "Parameters"], Iterator[tuple["Object", Problem]]]

Example = Mapping[str, object]
"""Fields of a hardened pod (docs/reference/policies.md shows it) and what they are changed to; None removes a field."""


@dataclass(frozen=True, kw_only=True)
class RuleText:
    """What every rule says of itself."""

    id: str
    title: str
    severity: Severity
    level: Level = Level.MANDATORY
    """In test, staging and prod; in dev every rule is advisory."""
    only_in_prod: bool = False
    """True if it is mandatory in prod only: it asks for what the smaller environments do without."""
    frameworks: tuple[str, ...] = ()
    """Where others ask for the same, as `benchmark number` or `tool rule`."""
    rationale: str
    remedy: str

    def level_in(self, tier: Tier) -> Level:
        """What a violation does in an environment."""
        advised = tier is Tier.DEV or (self.only_in_prod and tier is not Tier.PROD)
        return Level.ADVISORY if advised else self.level


@dataclass(frozen=True, kw_only=True)
class Rule(RuleText):
    """A rule over one object: what it checks, why, what to do, and an example on each side."""

    bad: Example
    good: Example
    kinds: frozenset[str] = frozenset()
    """Kinds that `check_object` judges; none means every kind."""
    right: object = None
    """The one right value for the place of each of its problems, or a function of that place; REMOVED for none.

    None if there is more than one. The level `remediate` puts it there.
    """
    check_pod: PodCheck | None = None
    check_object: ObjectCheck | None = None
    check_resource: ObjectCheck | None = None


@dataclass(frozen=True, kw_only=True)
class StackRule(RuleText):
    """A rule over all objects of a stack together."""

    check: StackCheck


_RuleType = TypeVar("_RuleType", bound=RuleText)
_Check = TypeVar("_Check", bound=Callable[..., object])

RULES: dict[str, Rule] = {}
"""Every rule over one object by its id, in the order of the reference page."""
STACK_RULES: dict[str, StackRule] = {}
"""Every rule over a whole stack by its id, in the order of the reference page."""


def every_rule() -> dict[str, RuleText]:
    """Both kinds by id."""
    return {**RULES, **STACK_RULES}


class _Told(TypedDict):
    """What a rule says of itself beside its id and title; RuleText says what is meant."""

    severity: Severity
    level: NotRequired[Level]
    only_in_prod: NotRequired[bool]
    frameworks: NotRequired[tuple[str, ...]]
    rationale: str
    remedy: str


class _Shown(_Told):
    """The same with an example on each side."""

    bad: Example
    good: Example
    right: NotRequired[object]


def pod_rule(id: str, title: str, **told: Unpack[_Shown]) -> Callable[[PodCheck], PodCheck]:
    """Register a function that judges the pods of every workload kind."""
    return _registering(RULES, lambda check: Rule(id=id, title=title, check_pod=check, **told))


def object_rule(
    id: str, title: str, *, kinds: Iterable[str] = (), and_resources: bool = False, **told: Unpack[_Shown]
) -> Callable[[ObjectCheck], ObjectCheck]:
    """Register a function that judges whole objects of some kinds, or of all, and with `and_resources` others as well.

    An example's key `kind` says which kind it changes.
    """

    def make(check: ObjectCheck) -> Rule:
        of_resource = check if and_resources else None
        return Rule(id=id, title=title, check_object=check, check_resource=of_resource, kinds=frozenset(kinds), **told)

    return _registering(RULES, make)


def resource_rule(id: str, title: str, **told: Unpack[_Shown]) -> Callable[[ObjectCheck], ObjectCheck]:
    """Register a function that judges what is no Kubernetes object; `resources.py` lists the kinds."""
    return _registering(RULES, lambda check: Rule(id=id, title=title, check_resource=check, **told))


def stack_rule(id: str, title: str, **told: Unpack[_Told]) -> Callable[[StackCheck], StackCheck]:
    """Register a function that judges all objects of a stack together and says of which object each problem is."""
    return _registering(STACK_RULES, lambda check: StackRule(id=id, title=title, check=check, **told))


def violated(at: View, message: str) -> Problem:
    """A value that must not be."""
    return Problem(at.path, message, at=at)


def missing(at: View, message: str) -> Problem:
    """A value that must be there and is not."""
    return Problem(at.path, message, because_absent=True, at=at)


def undecided(at: View, message: str) -> Problem:
    """A value that is not known yet."""
    return Problem(at.path, message, State.UNKNOWN)


def _registering(rules: dict[str, _RuleType], make: Callable[[_Check], _RuleType]) -> Callable[[_Check], _Check]:
    """A decorator that adds the rule that `make` builds of the function, which stays as it is."""

    def register(check: _Check) -> _Check:
        rule = make(check)
        if rule.id in every_rule():
            raise ValueError(f"rule {rule.id!r} is defined twice; give one of them another id")
        rules[rule.id] = rule
        return check

    return register
