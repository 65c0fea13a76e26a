"""The house as SVG: a floor for each sort of parts, arrows between floors, and in each part what it uses.

An arrow from part to part would be a web that nobody can read, so arrows are drawn between floors; only one that goes
against the architecture is drawn from part to part, in red.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from xml.sax.saxutils import escape

from ops.house.imports import Import
from ops.house.rules import GROUND, PROGRAM, SIDES, faults

_WIDTH, _LINE, _GAP, _PADDING = 148, 15, 14, 14
_LEFT, _HEAD, _BETWEEN = 180, 76, 34
_IN_ROW = 6
_LETTERS = 21  # of a line in a box
_COLOURS = {"program": "#dbe7f5", "part": "#ffffff", "ground": "#eef1e6", "side": "#fff3dd"}
_ARROW, _FAULT = "#2f4156", "#c0392b"
_LEGEND = "An arrow: a floor imports from one below it. In a box: which other capabilities it uses."
_SERVICE = "reference"
_FLOORS = ("the program", "the platform", "capabilities", "what capabilities are built from", "settings", "the ground")
_STYLE = """<style>
text { font-family: "DejaVu Sans", Verdana, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1d2733; }
.head { font-size: 18px; font-weight: 600; }
.floor { font-size: 12px; font-weight: 600; fill: #44505e; }
.line { font-size: 11.5px; fill: #44505e; }
.part { font-size: 13px; font-weight: 600; }
</style>"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Half of its height."""
        return self.y + self.height / 2


@dataclass(frozen=True, kw_only=True)
class _Floor:
    name: str
    place: Place
    parts: dict[str, Place]


def draw_house(parts: Iterable[str], imports: Iterable[Import]) -> str:
    """SVG text, the same for the same imports. Arrows point from who imports to who is imported; faults are red."""
    found = sorted(set(imports))
    names = sorted({*parts, *(item.importer for item in found), *(item.imported for item in found)})
    uses = _uses(names, found)
    floors = _floors(names, found, uses)
    sides = _sides(names, floors)
    width = round(max(place.x + place.width for place in [*(floor.place for floor in floors), *sides.values()]) + 24)
    bottom = max(place.y + place.height for place in [*(floor.place for floor in floors), *sides.values()])
    wrong = faults(found)
    verdict = "No import goes against the architecture." if not wrong else f"{len(wrong)} imports go against it."
    body = [
        *(_floor(floor) for floor in floors),
        *(_box(name, place, uses.get(name, [])) for floor in floors for name, place in floor.parts.items()),
        *(_box(name, place, uses.get(name, [])) for name, place in sides.items()),
        *_between_floors(floors, found),
        *_from_sides(floors, sides, found),
        *_wrong(floors, sides, found),
        *(_text("line", 24, bottom + 24 + _LINE * number, line) for number, line in enumerate(wrong)),
    ]
    height = round(bottom + 24 + _LINE * len(wrong))
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="who imports whom">',
        _STYLE,
        _markers(),
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        _text("head", 24, 32, "Who imports whom"),
        _text("line", 24, 54, f"{verdict} {_LEGEND}"),
    ]
    return "\n".join([*head, *body, "</svg>"]) + "\n"


# -- places ------------------------------------------------------------------------------------------------------------


def _floor_of(part: str, shared: set[str]) -> int:
    if part in PROGRAM:
        return 0
    if part in ("platform", "config"):
        return 1 if part == "platform" else 4
    return 5 if part in GROUND else 3 if part in shared else 2


def _shared(imports: Sequence[Import]) -> set[str]:
    """Parts that a capability is built from."""
    above = {*PROGRAM, *SIDES, "platform", _SERVICE}
    found = {item.imported for item in imports if item.importer not in above and item.imported not in above}
    return found - {*GROUND, "config"}


def _uses(parts: Sequence[str], imports: Sequence[Import]) -> dict[str, list[str]]:
    """For each capability, which others it uses."""
    shared = _shared(imports)
    middle = [part for part in parts if part not in (*SIDES, _SERVICE) and _floor_of(part, shared) in (2, 3)]
    return {
        part: sorted({item.imported for item in imports if item.importer == part and item.imported in middle})
        for part in middle
    }


def _floors(names: Sequence[str], imports: Sequence[Import], uses: dict[str, list[str]]) -> list[_Floor]:
    shared, y, floors = _shared(imports), float(_HEAD), list[_Floor]()
    for number, title in enumerate(_FLOORS):
        parts = [name for name in names if name not in (*SIDES, _SERVICE) and _floor_of(name, shared) == number]
        if not parts:
            continue
        places, bottom = _rows(parts, uses, y + 2 * _PADDING)
        width = _IN_ROW * (_WIDTH + _GAP) - _GAP + 2 * _PADDING
        place = Place(x=_LEFT, y=y, width=width, height=bottom - y + _PADDING)
        floors.append(_Floor(name=title, place=place, parts=places))
        y = place.y + place.height + _BETWEEN
    return floors


def _rows(parts: Sequence[str], uses: dict[str, list[str]], y: float) -> tuple[dict[str, Place], float]:
    """Boxes in rows of the same height, and where they end."""
    places: dict[str, Place] = {}
    for start in range(0, len(parts), _IN_ROW):
        row = parts[start : start + _IN_ROW]
        height = max(_height(uses.get(part, [])) for part in row)
        for number, part in enumerate(row):
            places[part] = Place(x=_LEFT + _PADDING + number * (_WIDTH + _GAP), y=y, width=_WIDTH, height=height)
        y += height + _GAP
    return places, y - _GAP


def _height(used: Sequence[str]) -> float:
    return 30 + _LINE * len(_lines(used))


def _lines(used: Sequence[str]) -> list[str]:
    return wrap(f"uses {', '.join(used)}", _LETTERS) if used else []


def _sides(names: Sequence[str], floors: Sequence[_Floor]) -> dict[str, Place]:
    """What stands beside the library, each below the other, ops beside the settings that it reads."""
    parts = [name for name in (_SERVICE, "policies", "ops", "local") if name in names]
    right = _LEFT + _IN_ROW * (_WIDTH + _GAP) - _GAP + 2 * _PADDING + 90
    beside = next((floor.place for floor in floors if floor.name == "settings"), None)
    start = beside.middle - 15 if beside else float(_HEAD)
    first = parts.index("ops") if "ops" in parts else 0
    return {
        part: Place(x=right, y=start + (number - first) * 80, width=_WIDTH - 20, height=30)
        for number, part in enumerate(parts)
    }


# -- drawing -----------------------------------------------------------------------------------------------------------


def _floor(floor: _Floor) -> str:
    place = floor.place
    return (
        f'<rect x="{place.x:.0f}" y="{place.y:.0f}" width="{place.width:.0f}" height="{place.height:.0f}" rx="7" '
        f'fill="#f4f7fa" stroke="#9aa8ba" stroke-dasharray="6 4"/>'
        + _text("floor", place.x + _PADDING, place.y + 19, floor.name)
    )


def _between_floors(floors: Sequence[_Floor], imports: Sequence[Import]) -> list[str]:
    """One arrow for each two floors, in the margin: the longer, the further left."""
    level = {part: number for number, floor in enumerate(floors) for part in floor.parts}
    ends = {(level.get(item.importer, -1), level.get(item.imported, -1)) for item in imports}
    pairs = sorted((pair for pair in ends if 0 <= pair[0] < pair[1]), key=lambda pair: (pair[1] - pair[0], pair))
    leaving: Counter[int] = Counter()
    ending: Counter[int] = Counter()
    drawn = []
    for slot, (start, end) in enumerate(pairs):
        leaving[start] += 1
        ending[end] += 1
        y1 = floors[start].place.y + floors[start].place.height - 8 * leaving[start]
        y2 = floors[end].place.y + 10 * ending[end]
        drawn.append(_arrow(f"M{_LEFT} {y1:.0f}H{_LEFT - 22 - 9 * slot}V{y2:.0f}H{_LEFT}", _ARROW))
    return drawn


def _from_sides(floors: Sequence[_Floor], sides: dict[str, Place], imports: Sequence[Import]) -> list[str]:
    """What ops uses: the only one beside the library that knows of others."""
    used = {item.imported for item in imports if item.importer == "ops"}
    if "ops" not in sides:
        return []
    here, drawn = sides["ops"], list[str]()
    if "local" in used and "local" in sides:
        x = here.x + here.width / 2
        drawn.append(_arrow(f"M{x:.0f} {here.y + here.height:.0f}V{sides['local'].y:.0f}", _ARROW))
    for number, floor in enumerate(floors):
        if used & set(floor.parts) & {"config", *GROUND}:
            x, y = floor.place.x + floor.place.width, floor.place.middle
            way = f"H{x:.0f}" if abs(y - here.middle) < 1 else f"h-{30 + 8 * number}V{y:.0f}H{x:.0f}"
            drawn.append(_arrow(f"M{here.x:.0f} {here.middle:.0f}{way}", _ARROW))
    return drawn


def _wrong(floors: Sequence[_Floor], sides: dict[str, Place], imports: Sequence[Import]) -> list[str]:
    """Each import against the architecture, straight from part to part."""
    places = {**sides, **{part: place for floor in floors for part, place in floor.parts.items()}}
    pairs = {(item.importer, item.imported) for item in imports if faults([item])}
    drawn = []
    for importer, imported in sorted(pairs):
        here, there = places[importer], places[imported]
        start, end = here.x + here.width / 2, there.x + there.width / 2
        drawn.append(_arrow(f"M{start:.0f} {here.middle:.0f}L{end:.0f} {there.middle:.0f}", _FAULT))
    return drawn


def _markers() -> str:
    markers = [
        f'<marker id="tip{colour[1:]}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 10 5 0 10z" fill="{colour}"/></marker>'
        for colour in (_ARROW, _FAULT)
    ]
    return f"<defs>{''.join(markers)}</defs>"


def _arrow(path: str, colour: str) -> str:
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3" marker-end="url(#tip{colour[1:]})"/>'


def _text(style: str, x: float, y: float, text: str) -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'


def _box(part: str, place: Place, used: Sequence[str]) -> str:
    kinds = {"program": (*PROGRAM, "platform"), "ground": (*GROUND, "config"), "side": (*SIDES, _SERVICE)}
    kind = next((kind for kind, names in kinds.items() if part in names), "part")
    parts = [
        f'<rect x="{place.x:.0f}" y="{place.y:.0f}" width="{place.width:.0f}" height="{place.height:.0f}" rx="6" '
        f'fill="{_COLOURS[kind]}" stroke="#5b7fa8"/>',
        _text("part", place.x + 10, place.y + 20, part),
    ]
    parts += [_text("line", place.x + 10, place.y + 35 + _LINE * n, line) for n, line in enumerate(_lines(used))]
    return "\n".join(parts)
