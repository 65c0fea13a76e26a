"""The matrix as an SVG grid: a row per source, a column per target, the allowed ports where they cross."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

from ops.network.matrix import Arrow, Matrix

_ROW, _NARROWEST, _MARGIN = 24, 40, 16
_GROUP = 8  # px between namespaces
_LETTER = 6.6  # px of one letter of the grid's font, as nothing measures it
_HEAD = 60
_STYLE = """<style>
text { font-family: -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1d2733; }
.head { font-size: 18px; font-weight: 600; }
.line { font-size: 11.5px; fill: #44505e; }
.name { font-size: 11.5px; }
.port { font-size: 10px; }
</style>"""
_LEGEND = "A row may connect to a column on the ports in the cell; every empty cell is refused."


def render_matrix(matrix: Matrix) -> str:
    """Draw a matrix. The same matrix gives the same bytes.

    What every pod of the stack may reach on the same ports (the DNS server) is a sentence instead of a column.
    """
    cells, common = _cells(matrix.arrows), _common(matrix)
    cells = {pair: text for pair, text in cells.items() if pair[1] not in common}
    order = [party.id for party in matrix.parties]
    rows = [each for each in order if any(source == each for source, _ in cells)]
    columns = [each for each in order if any(target == each for _, target in cells)]
    silent = [each for each in order if each not in rows and each not in columns and each not in common]
    left = _MARGIN + max((len(each) for each in rows), default=0) * _LETTER + 10
    longest = max((len(each) for each in columns), default=0) * _LETTER
    top = _HEAD + longest * 0.82 + 12  # slanted names rise by the sine of 55 degrees and lean to the right
    column = _width(cells.values())
    across, down = _offsets(columns, column), _offsets(rows, _ROW)
    notes = [f"Every pod may also reach {target} on {ports}." for target, ports in common.items()]
    if silent:
        notes.append(f"Neither connects nor is connected to: {', '.join(silent)}.")
    end, bottom = left + max(across.values(), default=0) + column, top + max(down.values(), default=0) + _ROW
    width, height = round(end + longest * 0.58 - column / 2 + _MARGIN), round(bottom + _MARGIN + _ROW * len(notes))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{escape(_title(matrix))}">',
        _STYLE,
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<text class="head" x="{_MARGIN}" y="30">{escape(_title(matrix))}</text>',
        f'<text class="line" x="{_MARGIN}" y="50">{escape(_LEGEND)}</text>',
        *(_column(name, left + across[name], column, top) for name in columns),
        *(_row(name, across, column, cells, (left, top + down[name])) for name in rows),
        *(
            f'<text class="line" x="{_MARGIN}" y="{bottom + 18 + _ROW * number:.1f}">{escape(note)}</text>'
            for number, note in enumerate(notes)
        ),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _common(matrix: Matrix) -> dict[str, str]:
    """Targets that all pods of the stack's namespaces may reach on the same ports, with these."""
    inside = [party.id for party in matrix.parties if party.namespace and party.is_managed]
    cells = _cells(matrix.arrows)
    found = {}
    for target in (party.id for party in matrix.parties if party.namespace and not party.is_managed):
        ports = {cells.get((source, target), "") for source in inside}
        if len(inside) > 1 and len(ports) == 1 and all(ports) and all(a in inside for a, b in cells if b == target):
            found[target] = ports.pop()
    return found


def _offsets(names: Sequence[str], size: int) -> dict[str, int]:
    """Where each begins: those of one namespace together, with a gap before the next."""
    offsets: dict[str, int] = {}
    at, before = 0, None
    for name in names:
        space = name.partition("/")[0] if "/" in name else ""
        at += _GROUP if before not in (None, space) else 0
        offsets[name], at, before = at, at + size, space
    return offsets


def _title(matrix: Matrix) -> str:
    return f"stack {matrix.stack}: who may connect to whom"


def _cells(arrows: Sequence[Arrow]) -> dict[tuple[str, str], str]:
    """Ports of each pair as text; TCP is not said."""
    ports: dict[tuple[str, str], dict[str, list[str]]] = {}
    for arrow in arrows:
        pair = ports.setdefault((arrow.source, arrow.target), {})
        pair.setdefault(str(arrow.port or "every port"), []).append(arrow.protocol)
    return {
        pair: ", ".join(
            port if protocols == ["TCP"] else f"{port} {'+'.join(protocols)}" for port, protocols in found.items()
        )
        for pair, found in ports.items()
    }


def _column(name: str, x: float, width: int, y: float) -> str:
    middle = x + width / 2
    return (
        f'<text class="name" transform="translate({middle:.1f} {y - 8:.1f}) rotate(-55)">{escape(name)}</text>'
        f'<path d="M{x:.1f} {y:.1f}h{width}" stroke="#8a99ad" stroke-width="1"/>'
    )


def _row(
    name: str, columns: Mapping[str, int], width: int, cells: dict[tuple[str, str], str], at: tuple[float, float]
) -> str:
    x, y = at
    parts = [f'<text class="name" text-anchor="end" x="{x - 8:.1f}" y="{y + 16:.1f}">{escape(name)}</text>']
    for column, offset in columns.items():
        lines = _lines(cells.get((name, column), ""))
        fill = "#dcebdc" if lines else "#f5f7fa"
        place = x + offset
        parts.append(
            f'<rect x="{place:.1f}" y="{y:.1f}" width="{width}" height="{_ROW}" fill="{fill}" stroke="#ffffff"/>'
        )
        first = y + (16 if len(lines) == 1 else 11)
        parts += [
            f'<text class="port" text-anchor="middle" x="{place + width / 2:.1f}" y="{first + 10 * number:.1f}">'
            f"{escape(line)}</text>"
            for number, line in enumerate(lines)
        ]
    return "\n".join(parts)


def _lines(text: str) -> list[str]:
    """The ports of a cell in at most two lines, so that a column need not be wide."""
    ports = text.split(", ") if text else []
    half = (len(ports) + 1) // 2
    return [", ".join(part) for part in (ports[:half], ports[half:]) if part]


def _width(texts: Iterable[str]) -> int:
    """Of a column: the longest line of all cells."""
    longest = max((len(line) for text in texts for line in _lines(text)), default=0)
    return max(_NARROWEST, round(longest * _LETTER + 8))
