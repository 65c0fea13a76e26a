"""Which box stands in which column, and in which order: arrows short, to the right, and with few crossings.

It begins with layers, each box right of all that point at it, and then moves single boxes as long as that makes the
picture better by a simple measure. The same scene gives the same picture: nothing is random, ties keep the order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ops.graph.boxes import Arrow, Box, Scene
from ops.graph.layout import Columns, Gaps, Layout, Rect, lay_out

_WIDTH, _HEIGHT = 1440, 1100  # px: what a page shows without scaling text until it is too small
_BACKWARD, _CROSSING, _DETOUR, _TOO_LARGE = 300.0, 80.0, 80.0, 20.0  # in px of an arrow's length
_ROUNDS = 8

_Order = dict[str, list[list[str]]]
_Point = tuple[float, float]


def arrange(scene: Scene, gaps: Gaps) -> Columns:
    """The columns of every frame of a scene; the picture itself is the frame ""."""
    owners = _owners(scene.boxes)
    order: _Order = {
        frame: _layers([box.id for box in boxes], _edges(boxes, scene.arrows, owners, depth))
        for frame, boxes, depth in _frames(scene.boxes)
    }
    cost = _cost(lay_out(scene, order, gaps))
    for _ in range(_ROUNDS):
        before = cost
        for frame in order:
            for key in sorted(itertools.chain.from_iterable(order[frame])):
                for columns in _moves(order[frame], key):
                    other = {**order, frame: columns}
                    found = _cost(lay_out(scene, other, gaps))
                    if found < cost:
                        order, cost = other, found
        if cost == before:
            break
    return order


def _frames(boxes: Sequence[Box], key: str = "", depth: int = 0) -> Iterator[tuple[str, Sequence[Box], int]]:
    yield key, boxes, depth
    for box in boxes:
        if box.children:
            yield from _frames(box.children, box.id, depth + 1)


def _owners(boxes: Sequence[Box], above: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """For each box the ids of its frames from the outside, itself last."""
    found: dict[str, tuple[str, ...]] = {}
    for box in boxes:
        found[box.id] = (*above, box.id)
        found |= _owners(box.children, (*above, box.id))
    return found


def _moves(columns: Sequence[Sequence[str]], key: str) -> Iterator[list[list[str]]]:
    """The same columns with one box elsewhere, also in a column of its own."""
    rest = [[other for other in column if other != key] for column in columns]
    for number, column in enumerate(rest):
        for place in range(len(column) + 1):
            made = [*column[:place], key, *column[place:]]
            yield [each for each in (*rest[:number], made, *rest[number + 1 :]) if each]
    for number in range(len(rest) + 1):
        yield [each for each in (*rest[:number], [key], *rest[number:]) if each]
    for other in sorted(itertools.chain.from_iterable(rest)):
        swap = {key: other, other: key}
        yield [[swap.get(each, each) for each in column] for column in columns]


# -- the measure -------------------------------------------------------------------------------------------------------


def _cost(layout: Layout) -> float:
    places = layout.places
    ends = [_ends(places[arrow.source], layout.tabs[arrow.tab]) for arrow in layout.scene.arrows]
    lengths = sum(abs(end[1] - start[1]) + 0.5 * abs(end[0] - start[0]) for start, end in ends)
    backward = sum(_BACKWARD for start, end in ends if end[0] <= start[0])
    rooms = [item for item in layout.placed if not item.frames]
    detours = sum(_DETOUR for start, end in ends for room in rooms if _passes(start, end, room))
    crossings = sum(_CROSSING for one, other in itertools.combinations(ends, 2) if _cross(one, other))
    large = max(0.0, layout.width - _WIDTH) + max(0.0, layout.height - _HEIGHT)
    return lengths + backward + detours + crossings + _TOO_LARGE * large + layout.width + layout.height


def _ends(source: Rect, tab: Rect) -> tuple[_Point, _Point]:
    return (source.right, source.y + source.height / 2), (tab.x, tab.y + tab.height / 2)


def _passes(start: _Point, end: _Point, room: Rect) -> bool:
    """Whether the straight line between two points outside of a room goes through it."""
    (x1, y1), (x2, y2) = start, end
    if max(x1, x2) < room.x or min(x1, x2) > room.right or max(y1, y2) < room.y or min(y1, y2) > room.bottom:
        return False  # most are far apart, and this is what is asked most often
    if any(room.x <= x <= room.right and room.y <= y <= room.bottom for x, y in (start, end)):
        return False
    corners = [(room.x, room.y), (room.right, room.bottom)], [(room.right, room.y), (room.x, room.bottom)]
    return any(_cross((start, end), (one, other)) for one, other in corners)


def _cross(one: tuple[_Point, _Point], other: tuple[_Point, _Point]) -> bool:
    (a, b), (c, d) = one, other
    if b == d:
        return False
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: _Point, b: _Point, c: _Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


# -- layers ------------------------------------------------------------------------------------------------------------


def _edges(
    boxes: Sequence[Box], arrows: Sequence[Arrow], owners: dict[str, tuple[str, ...]], depth: int
) -> list[tuple[str, str]]:
    """Arrows lifted to the siblings that hold their ends; those inside one of them or to elsewhere fall away."""
    siblings = {box.id for box in boxes}
    found: dict[tuple[str, str], None] = {}
    for arrow in arrows:
        source, target = owners.get(arrow.source, ()), owners.get(arrow.target, ())
        if len(source) > depth and len(target) > depth:
            pair = (source[depth], target[depth])
            if pair[0] != pair[1] and set(pair) <= siblings:
                found[pair] = None
    return list(found)


def _layers(keys: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Columns: each box right of all that point at it; an arrow that would close a circle is not counted."""
    forward: list[tuple[str, str]] = []
    for edge in edges:
        if not _reaches(edge[1], edge[0], forward):
            forward.append(edge)
    column = dict.fromkeys(keys, 0)
    for _ in keys:
        for source, target in forward:
            column[target] = max(column[target], column[source] + 1)
    return [[key for key in keys if column[key] == index] for index in range(max(column.values(), default=-1) + 1)]


def _reaches(start: str, goal: str, edges: Sequence[tuple[str, str]]) -> bool:
    open_, seen = [start], {start}
    while open_:
        here = open_.pop()
        if here == goal:
            return True
        following = [target for source, target in edges if source == here and target not in seen]
        seen.update(following)
        open_ += following
    return False
