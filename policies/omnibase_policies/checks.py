"""The few shapes that most checks have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from omnibase_policies.model import Problem, State, missing, undecided, violated
from omnibase_policies.objects import Pod
from omnibase_policies.values import View

Good = Callable[[object], bool]


def must_not_be_true(view: View, message: str) -> Iterator[Problem]:
    """A switch that must be off or not set; anything but false counts as on, also a text that says true."""
    if view.is_unknown:
        yield undecided(view, message)
    elif not view.is_absent and view.value is not False:
        yield violated(view, message)


def if_set(view: View, good: Good, message: str) -> Iterator[Problem]:
    """A value that may be left out, and must be a good one where it is set."""
    if view.is_unknown:
        yield undecided(view, message)
    elif not view.is_absent and not good(view.value):
        yield violated(view, message)


def required(view: View, good: Good, message: str) -> Iterator[Problem]:
    """A value that must be set, and must be a good one."""
    if view.is_absent:
        yield missing(view, message)
    else:
        yield from if_set(view, good, message)


def inherited(pod: Pod, read: Callable[[View], View], good: Good, message: str) -> Iterator[Problem]:
    """A value that every container must have, its own or the pod's.

    A bad value at the pod is a violation even where every container has a good one of its own, as in the Pod Security
    Standards: the next container that is added would inherit it.

    Args:
        read: takes the value out of a securityContext.
    """
    above = read(pod.security)
    yield from if_set(above, good, message)
    for container in pod.containers:
        own = read(container["securityContext"])
        if not own.is_absent:
            yield from if_set(own, good, message)
        elif above.is_unknown:
            yield undecided(own, message)
        elif above.is_absent:
            yield missing(own, message)


def unless(view: View, excuse: object, problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems, but none where the view has the excusing value, and none for certain where it is unknown."""
    if view.is_unknown:
        for problem in problems:
            yield replace(problem, state=State.UNKNOWN)
    elif view.is_absent or view.value != excuse:
        yield from problems


def everywhere(pod: Pod) -> list[View]:
    """The securityContext of the pod and of each container."""
    return [pod.security, *(container["securityContext"] for container in pod.containers)]


def any_of(view: View, bad: Good, message: str) -> Iterator[Problem]:
    """A list none of whose texts may be bad; a problem at the first one, or an unknown one at an unknown entry."""
    entries = view.items()
    first = next((entry for entry in entries if not entry.is_unknown and bad(entry.value)), None)
    if first is not None:
        yield violated(first, message)
    elif any(entry.is_unknown for entry in entries):
        yield undecided(view, message)


def is_number(value: object) -> bool:
    """A number, and not a bool; the engine sends whole numbers as floats."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def at_least(bound: float) -> Good:
    """Good is a number that is not below a bound."""
    return lambda value: is_number(value) and float(str(value)) >= bound


def at_most(bound: float) -> Good:
    """Good is a number that is not above a bound."""
    return lambda value: is_number(value) and float(str(value)) <= bound
