"""What makes a picture hard to read, found by its geometry."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from ops.graph.layout import HEAD, PADDING, Placed, Rect, header_height, header_width
from ops.graph.routes import Route
from ops.graph.svg import Picture

Point = tuple[float, float]
Segment = tuple[Point, Point]


def faults(picture: Picture) -> list[str]:
    """Each line through a foreign box, each overlap, and all that is outside of its frame or of the picture."""
    return [*_boxes(picture), *_tabs(picture), *_lines(picture), *_pairs(picture.routes)]


def _boxes(picture: Picture) -> Iterator[str]:
    layout = picture.layout
    page = Rect(x=0, y=HEAD, width=layout.width, height=layout.height - HEAD)
    for item in layout.placed:
        if not page.holds(item):
            yield f"{item.box.title} is outside of the picture"
        if header_width(item.box) + 2 * PADDING > item.width or header_height(item.box) > item.height:
            yield f"{item.box.title} is too small for its words"
        yield from (
            f"{item.box.title} is outside of its frame" for key in item.frames if not layout.places[key].holds(item)
        )
    for one, other in combinations(layout.placed, 2):
        related = one.box.id in other.frames or other.box.id in one.frames
        if one.overlaps(other) and not related:
            yield f"{one.box.title} overlaps {other.box.title}"


def _tabs(picture: Picture) -> Iterator[str]:
    tabs = list(picture.layout.tabs.items())
    for (one, here), (other, there) in combinations(tabs, 2):
        if here.overlaps(there):
            yield f"tab {one.text} overlaps tab {other.text}"
    for tab, rect in tabs:
        target = picture.layout.places[tab.box]
        yield from (
            f"tab {tab.text} overlaps {item.box.title}"
            for item in picture.layout.placed
            if item.box.id not in target.frames and rect.overlaps(item)
        )
        yield from (
            f"tab {tab.text} leaves {key}" for key in target.frames if not picture.layout.places[key].holds(rect)
        )


def _lines(picture: Picture) -> Iterator[str]:
    layout = picture.layout
    page = Rect(x=0, y=HEAD - 1, width=layout.width, height=layout.height - HEAD + 1)
    for route in picture.routes:
        name = f"{route.arrow.source} -> {route.arrow.target}"
        source, target = layout.places[route.arrow.source], layout.places[route.arrow.target]
        frames = {*source.frames, *target.frames}
        for start, end in pairwise(route.points):
            if start[0] != end[0] and start[1] != end[1]:
                yield f"{name} is slanted"
            if not page.holds(_around((start, end))):
                yield f"{name} leaves the picture"
            for item in layout.placed:
                what = _words(item) if item.box.id in frames else item
                if _crosses((start, end), what):
                    yield f"{name} goes through {item.box.title}"
            yield from (
                f"{name} goes through tab {tab.text}"
                for tab, rect in layout.tabs.items()
                if _crosses((start, end), rect)
            )


def _pairs(routes: tuple[Route, ...]) -> Iterator[str]:
    for one, other in combinations(routes, 2):
        forks = {one.fork, other.fork}
        name = f"{one.arrow.source} -> {one.arrow.target} and {other.arrow.source} -> {other.arrow.target}"
        for first in pairwise(one.points):
            for second in pairwise(other.points):
                if _share_a_stretch(first, second):
                    yield f"{name} share a line"
        corners = [(point, other) for point in one.points] + [(point, one) for point in other.points]
        for point, line in corners:
            tips = (line.points[0], line.points[-1])
            if (
                point not in forks
                and point not in tips
                and any(_lies_on(point, each) for each in pairwise(line.points))
            ):
                yield f"{name} touch at {point}"


def _words(frame: Placed) -> Rect:
    return Rect(x=frame.x, y=frame.y, width=header_width(frame.box) + PADDING, height=header_height(frame.box))


def _around(segment: Segment) -> Rect:
    (x1, y1), (x2, y2) = segment
    return Rect(x=min(x1, x2), y=min(y1, y2), width=abs(x2 - x1), height=abs(y2 - y1))


def _crosses(segment: Segment, rect: Rect) -> bool:
    return _around(segment).overlaps(rect)


def _share_a_stretch(one: Segment, other: Segment) -> bool:
    for axis in (0, 1):
        if one[0][axis] == one[1][axis] == other[0][axis] == other[1][axis]:
            along = 1 - axis
            low = max(min(one[0][along], one[1][along]), min(other[0][along], other[1][along]))
            high = min(max(one[0][along], one[1][along]), max(other[0][along], other[1][along]))
            if high > low:
                return True
    return False


def _lies_on(point: Point, segment: Segment) -> bool:
    box = _around(segment)
    return box.x <= point[0] <= box.right and box.y <= point[1] <= box.bottom
