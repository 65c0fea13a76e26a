"""The differences of two stacks as people read them: what many services share is one row, and so is a whole service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ops.config.render import text
from ops.config.settings import Difference, Setting

_SERVICES = "services"
Row = tuple[str, str, str, str]
"""Path, left, right, who set them."""


def rows(found: Sequence[Difference], left: Mapping[str, Setting], right: Mapping[str, Setting]) -> list[Row]:
    """The differences, sorted by path.

    What a tier gives every service alike is one row `services.*`. What one stack does not have at all is one row with
    the number of its settings.
    """
    both = [each for each in found if each.left is not None and each.right is not None]
    alone = [each for each in found if each.left is None or each.right is None]
    return sorted([*_shared(both), *_missing(alone, left, right)])


def _shared(found: Sequence[Difference]) -> Iterator[Row]:
    groups: dict[Row, list[Difference]] = {}
    for each in found:
        groups.setdefault(_of_any_service(each), []).append(each)
    for (path, left, right, who), members in groups.items():
        if len(members) == 1:
            yield _row(members[0])
        else:
            yield f"{path} ({len(members)} services)", left, right, who


def _of_any_service(each: Difference) -> Row:
    """The row of a difference, with `*` for its service where both values are defaults of a tier."""
    path, left, right, who = _row(each)
    head, _, below = path.partition(".")
    tiers = all(side is not None and side.origin.endswith(" defaults") for side in (each.left, each.right))
    if head == _SERVICES and tiers:
        path = f"{_SERVICES}.*.{below.partition('.')[2]}"
    return path, left, right, who


def _missing(found: Sequence[Difference], left: Mapping[str, Setting], right: Mapping[str, Setting]) -> Iterator[Row]:
    groups: dict[str, list[Difference]] = {}
    heads = {id(side): _heads(side) for side in (left, right)}
    for each in found:
        groups.setdefault(_top(each.path, heads[id(left if each.left is None else right)]), []).append(each)
    for path, members in groups.items():
        if len(members) == 1:
            yield _row(members[0])
            continue
        count = f"{len(members)} settings"
        who = dict.fromkeys(side.origin.partition(":")[0] for each in members for side in _sides(each))
        yield path, *(("-", count) if members[0].left is None else (count, "-")), ", ".join(who)


def _heads(settings: Mapping[str, Setting]) -> set[str]:
    """Every beginning of every path."""
    words = [path.split(".") for path in settings]
    return {".".join(each[:length]) for each in words for length in range(1, len(each) + 1)}


def _top(path: str, known: set[str]) -> str:
    """The shortest beginning of a path that the other stack does not have."""
    words = path.split(".")
    return next(
        (head for length in range(1, len(words)) if (head := ".".join(words[:length])) not in known),
        path,
    )


def _sides(each: Difference) -> list[Setting]:
    return [side for side in (each.left, each.right) if side is not None]


def _row(each: Difference) -> Row:
    origins = dict.fromkeys(side.origin for side in _sides(each))
    return each.path, text(each.left), text(each.right), ", ".join(origins)
