"""The lines of arrows: along the grid, around every box and frame that is not theirs, with few bends and crossings.

Each is the cheapest way on the grid that is still free, the short ones first; one that finds none is drawn before all
others in a new attempt. Lines to the same tab join on their way,
and lines that read metrics part from one that leaves their reader, so that a picture has fewer lines than arrows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ops.graph.boxes import SCRAPE, Arrow
from ops.graph.layout import HEAD, PADDING, STEP, Layout, Placed, Rect, header_height, header_width

Point = tuple[int, int]
"""Column and line of the grid."""
_RIGHT, _DOWN, _LEFT, _UP = range(4)
_MOVES: tuple[Point, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))
_BEND, _CROSSING, _NEAR = 3.0, 5.0, 0.4
_LEAVING = {_RIGHT: 0.0, _DOWN: 4.0, _UP: 4.0, _LEFT: 6.0}
_ACROSS, _UPRIGHT, _BENT, _CROSSED = "across", "upright", "bent", "crossed"

_State = tuple[int, int, int]
"""A point, and the direction in which it was reached."""
_Pixels = tuple[float, float]


class NoWayError(Exception):
    """An arrow finds no free way; with wider gaps it does."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """An arrow's line."""

    arrow: Arrow
    points: tuple[_Pixels, ...]
    """Its corners in pixels, from the source to the tab; one that joins another line ends, or begins, on that."""
    fork: _Pixels | None = None
    """Where it joins or leaves a line that is drawn already."""
    has_tip: bool = True
    """False where the line that it joins has one."""


@dataclass(kw_only=True)
class _Net:
    """Lines that may touch: those to one tab, or those from one reader of metrics."""

    heading: dict[Point, int] = field(default_factory=dict)
    """For each of its points the direction towards what they share, the tab or the reader."""


@dataclass(kw_only=True)
class _Ground:
    """What is where on the grid."""

    columns: int
    lines: int
    solid: set[Point] = field(default_factory=set)
    """Inside of boxes, tabs and texts."""
    near: set[Point] = field(default_factory=set)
    """Beside a border."""
    frame: dict[Point, str] = field(default_factory=dict)
    """The innermost frame."""
    tips: set[Point] = field(default_factory=set)
    """Before the tabs: only the lines that end there may come here."""
    taken: dict[Point, str] = field(default_factory=dict)
    """Points of lines: across, upright, bent or crossed."""


def route(layout: Layout) -> list[Route]:
    """All arrows' lines.

    Raises:
        NoWayError: the gaps are too narrow for all of them.
    """
    places = layout.places
    order = sorted(layout.scene.arrows, key=lambda each: (_length(each, layout, places), each.tab, each.source))
    for _ in range(len(order)):
        found, blocked = _in_order(order, layout, places)
        if blocked is None:
            return [found[arrow] for arrow in layout.scene.arrows]
        if blocked == order[0]:
            raise NoWayError(f"from {blocked.source} to {blocked.target}")
        order = [blocked, *(arrow for arrow in order if arrow != blocked)]
    if order:
        raise NoWayError("for all of them")
    return []


def _in_order(
    order: list[Arrow], layout: Layout, places: Mapping[str, Placed]
) -> tuple[dict[Arrow, Route], Arrow | None]:
    """Lines drawn one after the other; also the first arrow that those before it leave no way."""
    ground = _ground(layout)
    nets: dict[object, _Net] = {}
    found: dict[Arrow, Route] = {}
    for arrow in order:
        net = nets.setdefault(arrow.source if arrow.kind == SCRAPE else arrow.tab, _Net())
        line = _one(arrow, layout, places, ground, net)
        if line is None:
            return found, arrow
        found[arrow] = line
    return found, None


def _length(arrow: Arrow, layout: Layout, places: Mapping[str, Placed]) -> float:
    source, tab = places[arrow.source], layout.tabs[arrow.tab]
    return abs(tab.x - source.right) + abs(tab.y - source.y)


# -- the ground --------------------------------------------------------------------------------------------------------


def _ground(layout: Layout) -> _Ground:
    ground = _Ground(columns=round(layout.width / STEP), lines=round(layout.height / STEP))
    for item in layout.placed:  # frames come before what they hold, so the innermost is written last
        if item.box.children:
            inside = set(_inside(item))
            ground.frame.update(dict.fromkeys(inside, item.box.id))
            ground.near.update(inside.symmetric_difference(_inside(item, around=1)))
            ground.near.update(inside.difference(_inside(item, around=-1)))
            ground.solid.update(_inside(_text(item)))
        else:
            ground.solid.update(_inside(item))
            ground.near.update(_inside(item, around=1))
    for tab, rect in layout.tabs.items():
        ground.solid.update(_inside(rect))
        ground.near.update(_inside(rect, around=1))
        column, line = _before(rect)
        ground.tips.update({(column, line), (column - 1, line)} if tab.kind == SCRAPE else {(column, line)})
    return ground


def _before(tab: Rect) -> Point:
    """The point from which an arrow's tip reaches a tab."""
    return round(tab.x / STEP - 0.5), round((tab.y + tab.height / 2) / STEP)


def _text(frame: Placed) -> Rect:
    return Rect(x=frame.x, y=frame.y, width=header_width(frame.box) + 2 * PADDING, height=header_height(frame.box))


def _inside(rect: Rect, around: int = 0) -> Iterator[Point]:
    first, last = int(rect.x // STEP) + 1 - around, int(-(-rect.right // STEP)) + around
    top, bottom = int(rect.y // STEP) + 1 - around, int(-(-rect.bottom // STEP)) + around
    for column in range(first, last):
        for line in range(top, bottom):
            yield column, line


# -- one arrow ---------------------------------------------------------------------------------------------------------


def _one(arrow: Arrow, layout: Layout, places: Mapping[str, Placed], ground: _Ground, net: _Net) -> Route | None:
    """The line from the end that is the arrow's own to the end or the line that it shares; None if there is no way."""
    source, target, tab = places[arrow.source], places[arrow.target], layout.tabs[arrow.tab]
    tip = (tab.x, tab.y + tab.height / 2)
    before_tip = _before(tab)
    reads = arrow.kind == SCRAPE
    if reads:
        starts = {(before_tip[0] - 1, before_tip[1], _LEFT): 0.0}
        sides = _sides(source, layout).items()
        goals = {
            (x, y, _back(side)): cost
            for (x, y, side), cost in sides
            if (x, y) not in ground.taken and (x, y) not in ground.tips
        }
    else:
        starts = {state: cost for state, cost in _sides(source, layout).items() if state[:2] not in ground.tips}
        goals = {(*before_tip, _RIGHT): 0.0}
    states = _search(starts, _shared(net, ground) or goals, ground, {*source.frames, *target.frames})
    if not states:
        return None
    if reads:
        states.insert(0, (*before_tip, _LEFT))
    joined = bool(net.heading)
    points: list[_Pixels] = [(x * STEP, y * STEP) for x, y, _ in states]
    fork = points[-1] if joined else None
    if reads:
        points = [*([] if joined else [_stub(states[-1], 1)]), *reversed(points), tip]
    else:
        points = [_stub(states[0], -1), *points, *([] if joined else [tip])]
    _take(states, ground, net, joined=joined)
    return Route(arrow=arrow, points=tuple(_corners(points)), fork=fork, has_tip=reads or not joined)


def _sides(box: Placed, layout: Layout) -> dict[_State, float]:
    """Where a line may leave a box: not at a corner, and not where a tab is."""
    found: dict[_State, float] = {}
    left, right = round(box.x / STEP - 0.5), round(box.right / STEP + 0.5)
    top, bottom = round(box.y / STEP - 0.5), round(box.bottom / STEP + 0.5)
    tabs = {round((rect.y + rect.height / 2) / STEP) for tab, rect in layout.tabs.items() if tab.box == box.box.id}
    for line in range(top + 2, bottom - 1):
        found[right, line, _RIGHT] = _LEAVING[_RIGHT] + 0.1 * abs(line - (top + bottom) / 2)
        if line not in tabs:
            found[left, line, _LEFT] = _LEAVING[_LEFT]
    for column in range(left + 2, right - 1):
        found[column, top, _UP] = _LEAVING[_UP]
        found[column, bottom, _DOWN] = _LEAVING[_DOWN]
    return found


def _shared(net: _Net, ground: _Ground) -> dict[_State, float]:
    """Where a line may join those of its net: anywhere but at a crossing, and not against their direction."""
    return {
        (point[0], point[1], direction): 0.0
        for point, heading in net.heading.items()
        if ground.taken.get(point) != _CROSSED
        for direction in range(4)
        if direction != _back(heading)
    }


def _search(
    starts: Mapping[_State, float], goals: Mapping[_State, float], ground: _Ground, allowed: set[str]
) -> list[_State]:
    """The cheapest way from a start to a goal; empty if there is none."""
    if not goals:
        return []
    left, right = min(goal[0] for goal in goals), max(goal[0] for goal in goals)
    top, bottom = min(goal[1] for goal in goals), max(goal[1] for goal in goals)

    def ahead(x: int, y: int) -> int:
        return max(left - x, 0, x - right) + max(top - y, 0, y - bottom)

    costs: dict[_State, float] = {}
    came: dict[_State, _State] = {}
    waiting: list[tuple[float, _State]] = []
    for state, cost in starts.items():
        if _is_free(state[:2], ground, allowed) and state[:2] not in ground.taken:
            costs[state] = cost
            heapq.heappush(waiting, (cost + ahead(*state[:2]), state))
    done: set[_State] = set()
    ends = {goal[:2] for goal in goals}  # reached in another direction, they are no way at all
    while waiting:
        _, state = heapq.heappop(waiting)
        if state in done:
            continue
        done.add(state)
        if state in goals:
            return _way(state, came)
        for following, step in _steps(state, ground, allowed, ends):
            if following not in goals and (following[:2] in ends or following[:2] in ground.tips):
                continue
            cost = costs[state] + step + goals.get(following, 0.0)
            if cost < costs.get(following, float("inf")):
                costs[following], came[following] = cost, state
                heapq.heappush(waiting, (cost + ahead(*following[:2]), following))
    return []


def _steps(state: _State, ground: _Ground, allowed: set[str], ends: set[Point]) -> Iterator[tuple[_State, float]]:
    x, y, direction = state
    crosses = (x, y) in ground.taken
    for turn in range(4):
        if turn == _back(direction) or (crosses and turn != direction):
            continue
        point = (x + _MOVES[turn][0], y + _MOVES[turn][1])
        if not _is_free(point, ground, allowed):
            continue
        cost = 1.0 + (_BEND if turn != direction else 0.0) + (_NEAR if point in ground.near else 0.0)
        if point in ground.taken and point not in ends:
            if ground.taken[point] != (_UPRIGHT if turn in (_RIGHT, _LEFT) else _ACROSS):
                continue
            cost += _CROSSING
        yield (*point, turn), cost


def _is_free(point: Point, ground: _Ground, allowed: set[str]) -> bool:
    x, y = point
    inside = 0 < x < ground.columns and HEAD / STEP <= y < ground.lines
    return inside and point not in ground.solid and ground.frame.get(point, "") in {"", *allowed}


def _way(state: _State, came: Mapping[_State, _State]) -> list[_State]:
    states = [state]
    while states[-1] in came:
        states.append(came[states[-1]])
    return states[::-1]


def _take(states: list[_State], ground: _Ground, net: _Net, *, joined: bool) -> None:
    """Mark the line's points; the last is the other line's where it joins one."""
    for number, (x, y, direction) in enumerate(states):
        is_last = number == len(states) - 1
        onward = direction if is_last else states[number + 1][2]
        if is_last and joined:
            ground.taken[x, y] = _BENT
        elif (x, y) in ground.taken:
            ground.taken[x, y] = _CROSSED
        elif onward != direction:
            ground.taken[x, y] = _BENT
        else:
            ground.taken[x, y] = _ACROSS if direction in (_RIGHT, _LEFT) else _UPRIGHT
        if 1 < number < len(states) - 1:  # nothing joins beside a box or the tip of an arrow
            net.heading[x, y] = onward


def _back(direction: int) -> int:
    return (direction + 2) % 4


def _stub(state: _State, sign: int) -> _Pixels:
    """The point of the border from which, or at which, a line leaves or ends."""
    x, y, direction = state
    return (x + sign * _MOVES[direction][0] / 2) * STEP, (y + sign * _MOVES[direction][1] / 2) * STEP


def _corners(points: list[_Pixels]) -> list[_Pixels]:
    """Without the points between which a line goes straight on."""
    kept = points[:1]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        if not (before[0] == here[0] == after[0] or before[1] == here[1] == after[1]):
            kept.append(here)
    return [*kept, points[-1]]
