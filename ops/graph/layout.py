"""Where everything goes: frames hold columns from left to right, a column holds boxes from top to bottom.

Borders lie between the lines of a grid and arrows run on them, so that an arrow never runs along a border and two
arrows are never closer than one step. Which box stands in which column is found by `arrange`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.graph.boxes import Arrow, Box, Scene, Tab

STEP = 12
"""Distance of two lines of the grid, px."""
LINE = 16
PADDING = 12
TAB_HEIGHT = 18
HEAD = 60
"""Height of the picture's title, px."""
_TITLE, _TEXT, _PORT = 8.6, 6.9, 7.2  # widths of a character at 14, 11.5 and 11 px in DejaVu Sans, the widest we name
_NOTES_WIDTH = 200
_FIRST_TAB = 2 * STEP
_MIN_WIDTH = 120

Columns = Mapping[str, Sequence[Sequence[str]]]
"""For each frame (the picture itself is "") its columns of ids."""


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """Room for arrows, in steps of the grid."""

    inside: int = 4
    """Between columns of a frame, beside the tabs."""
    rows: int = 2
    rooms: int = 4
    """Between the outermost frames."""

    @property
    def wider(self) -> Gaps:
        """For arrows that found no way."""
        return Gaps(inside=self.inside + 2, rows=self.rows + 1, rooms=self.rooms + 2)


@dataclass(frozen=True, kw_only=True)
class Rect:
    """A rectangle in pixels from the upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right border."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower border."""
        return self.y + self.height

    def overlaps(self, other: Rect) -> bool:
        """Whether they share a point that is on neither border."""
        across = self.x < other.right and other.x < self.right
        return across and self.y < other.bottom and other.y < self.bottom

    def holds(self, other: Rect) -> bool:
        """Whether the other lies within it."""
        across = self.x <= other.x and other.right <= self.right
        return across and self.y <= other.y and other.bottom <= self.bottom

    def moved(self, x: float, y: float) -> Rect:
        """The same elsewhere."""
        return Rect(x=self.x + x, y=self.y + y, width=self.width, height=self.height)


@dataclass(frozen=True, kw_only=True)
class Placed(Rect):
    """A box with its rectangle."""

    box: Box
    frames: tuple[str, ...]
    """Ids of the frames around it, the outermost first."""

    def moved(self, x: float, y: float) -> Placed:
        """The same elsewhere."""
        return Placed(
            x=self.x + x, y=self.y + y, width=self.width, height=self.height, box=self.box, frames=self.frames
        )


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A picture with positions; frames come before what they hold."""

    scene: Scene
    width: float
    height: float
    """Without what is said below the picture."""
    placed: tuple[Placed, ...]
    tabs: Mapping[Tab, Rect]

    @property
    def places(self) -> dict[str, Placed]:
        """Boxes by id."""
        return {item.box.id: item for item in self.placed}


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A box with all that it holds, at the origin."""

    placed: tuple[Placed, ...]
    width: float
    height: float
    tab: float
    """Width of the tabs at its left side."""


def lay_out(scene: Scene, columns: Columns, gaps: Gaps) -> Layout:
    """Give every box of a scene its place."""
    tabs = tabs_of(scene.arrows)
    block = _columns(scene.boxes, columns, gaps, tabs, ())
    half = STEP / 2
    placed = tuple(item.moved(2 * STEP + half, HEAD + half) for item in _settled(block, scene, gaps.rooms * STEP))
    places = {item.box.id: item for item in placed}
    return Layout(
        scene=scene,
        width=_up(max((item.right for item in placed), default=0) + 2 * STEP),
        height=_up(max((item.bottom for item in placed), default=HEAD) + STEP),
        placed=placed,
        tabs={tab: _tab_rect(places[key], number, tab) for key, own in tabs.items() for number, tab in enumerate(own)},
    )


def tabs_of(arrows: Iterable[Arrow]) -> dict[str, list[Tab]]:
    """The tabs of each box that an arrow ends at, sorted."""
    found: dict[str, list[Tab]] = {}
    for tab in sorted({arrow.tab for arrow in arrows}):
        found.setdefault(tab.box, []).append(tab)
    return found


def text_lines(box: Box) -> list[str]:
    """What stands below a box's title."""
    return [*([box.subtitle] if box.subtitle else []), *box.lines, *_joined(box.notes)]


def header_height(box: Box) -> float:
    """Height of a box's own texts."""
    return PADDING + LINE * (1 + len(text_lines(box))) + PADDING / 2


def header_width(box: Box) -> float:
    """Width of a box's own texts, without the space around them."""
    return max(len(box.title) * _TITLE, *(text_width(text) for text in text_lines(box)), 0.0)


def text_width(text: str) -> float:
    """Width of a line of small text, rounded up."""
    return len(text) * _TEXT


def tab_width(tab: Tab) -> float:
    """Width of a tab: the tip of its arrow must lie on the grid."""
    return _up(len(tab.text) * _PORT + 8)


def _joined(notes: Sequence[str]) -> list[str]:
    """Notes in as few lines as are not wider than most boxes."""
    lines: list[str] = []
    for note in notes:
        longer = f"{lines[-1]} · {note}" if lines else ""
        if longer and text_width(longer) <= _NOTES_WIDTH:
            lines[-1] = longer
        else:
            lines.append(note)
    return lines


def _settled(block: _Block, scene: Scene, gap: float) -> list[Placed]:
    """Outermost boxes that no arrow enters or leaves fill the space that columns leave free: left, then up."""
    rooms = {item.box.id: item for item in block.placed if not item.frames}
    room_of = {item.box.id: (*item.frames, item.box.id)[0] for item in block.placed}
    pairs = [(room_of[arrow.source], room_of[arrow.target]) for arrow in scene.arrows]
    bound = {room for pair in pairs if pair[0] != pair[1] for room in pair}
    shifts: dict[str, tuple[float, float]] = {}
    for key, room in rooms.items():
        if key in bound:
            continue
        others = [other for other in rooms.values() if other is not room]
        left = _slid(room, others, gap, (-STEP, 0))
        rooms[key] = _slid(left, others, gap, (0, -STEP))
        shifts[key] = (rooms[key].x - room.x, rooms[key].y - room.y)
    return [item.moved(*shifts.get(room_of[item.box.id], (0, 0))) for item in block.placed]


def _slid(room: Placed, others: Sequence[Placed], gap: float, step: tuple[float, float]) -> Placed:
    """A box moved in steps as far as it keeps its distance from others and stays on the page."""
    while True:
        further = room.moved(*step)
        around = Rect(
            x=further.x - gap, y=further.y - gap, width=further.width + 2 * gap, height=further.height + 2 * gap
        )
        if min(further.x, further.y) < 0 or any(around.overlaps(other) for other in others):
            return room
        room = further


def _tab_rect(place: Placed, number: int, tab: Tab) -> Rect:
    width = tab_width(tab)
    middle = place.y + STEP / 2 + _FIRST_TAB * (number + 1) - STEP
    return Rect(x=place.x - width, y=middle - TAB_HEIGHT / 2, width=width, height=TAB_HEIGHT)


def _up(length: float) -> float:
    return math.ceil(length / STEP) * STEP


def _columns(
    boxes: Sequence[Box], columns: Columns, gaps: Gaps, tabs: Mapping[str, Sequence[Tab]], frames: tuple[str, ...]
) -> _Block:
    """Place sibling boxes with everything inside them."""
    blocks = {box.id: _one(box, columns, gaps, tabs, frames) for box in boxes}
    order = [column for column in columns[frames[-1] if frames else ""] if column]
    between = gaps.rooms if not frames else gaps.inside
    below = (gaps.rooms if not frames else gaps.rows) * STEP
    placed: list[Placed] = []
    x = tallest = 0.0
    for number, column in enumerate(order):
        x += max(blocks[key].tab for key in column) + (between * STEP if number else 0)
        width, y = max(blocks[key].width for key in column), 0.0
        for key in column:
            placed += [item.moved(x, y) for item in blocks[key].placed]
            y += blocks[key].height + below
        tallest = max(tallest, y - below)
        x += width
    first = max((blocks[key].tab for key in order[0]), default=0.0) if order else 0.0
    return _Block(placed=tuple(placed), width=x, height=tallest, tab=first)


def _one(box: Box, columns: Columns, gaps: Gaps, tabs: Mapping[str, Sequence[Tab]], frames: tuple[str, ...]) -> _Block:
    """One box at the origin, with its children below its own texts."""
    own = tabs.get(box.id, ())
    tab = max((tab_width(each) for each in own), default=0.0)
    width = _up(max(_MIN_WIDTH, header_width(box) + 2 * PADDING))
    height = _up(max(header_height(box), _FIRST_TAB * len(own) + STEP))
    if not box.children:
        place = Placed(x=0, y=0, width=width, height=height, box=box, frames=frames)
        return _Block(placed=(place,), width=width, height=height, tab=tab)
    inner = _columns(box.children, columns, gaps, tabs, (*frames, box.id))
    side, left = 2 * STEP, 2 * STEP + (STEP if inner.tab else 0)
    width, height = max(width, left + inner.width + side), height + STEP + inner.height + side
    place = Placed(x=0, y=0, width=width, height=height, box=box, frames=frames)
    top = height - inner.height - side
    return _Block(
        placed=(place, *(item.moved(left, top) for item in inner.placed)), width=width, height=height, tab=tab
    )
