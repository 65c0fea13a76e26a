"""A laid-out picture as SVG text: only shapes, no script, no font file, the same bytes for the same picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from ops.graph.arrange import arrange
from ops.graph.boxes import FLOW, SCRAPE, Scene, Tab
from ops.graph.layout import LINE, PADDING, STEP, Gaps, Layout, Placed, Rect, lay_out, text_lines, text_width
from ops.graph.routes import NoWayError, Route, route

_FILL = {"namespace": "#f4f7fa", "machine": "#f4f7fa", "component": "#e4edf6", "pods": "#ffffff", "outside": "#fff6e0"}
_STROKE = {
    "namespace": "#9aa8ba",
    "machine": "#9aa8ba",
    "component": "#7b9cc0",
    "pods": "#2f5d8a",
    "outside": "#b7791f",
}
_LINE = {FLOW: "#2f4156", SCRAPE: "#2e7d5b"}
_SAYS = {
    "namespace": "namespace",
    "machine": "machine",
    "component": "component",
    "pods": "what runs",
    "outside": "outside of the stack",
}
_RULE = "An arrow is an allowed connection and the port it ends at; all others are refused."
_CORNER = 5
_TRIES = 6
_STYLE = """<style>
text { font-family: "DejaVu Sans", Verdana, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1d2733; }
.head { font-size: 18px; font-weight: 600; }
.title { font-size: 13.5px; font-weight: 600; }
.line { font-size: 11.5px; fill: #44505e; }
.note { font-size: 11.5px; fill: #6b7785; }
.port { font-size: 11px; fill: #ffffff; font-weight: 600; }
</style>"""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A scene with everything in its place."""

    layout: Layout
    routes: tuple[Route, ...]


def compose(scene: Scene) -> Picture:
    """Give everything its place: the gaps are widened until every arrow has a way.

    Raises:
        NoWayError: an arrow has none however wide the gaps are.
    """
    gaps = Gaps()
    for _ in range(_TRIES):
        layout = lay_out(scene, arrange(scene, gaps), gaps)
        try:
            return Picture(layout=layout, routes=tuple(route(layout)))
        except NoWayError:
            gaps = gaps.wider
    return Picture(layout=layout, routes=tuple(route(layout)))


def render_svg(scene: Scene) -> str:
    """Draw a scene."""
    return render_picture(compose(scene))


def render_picture(picture: Picture) -> str:
    """Draw a scene that has its places."""
    layout, scene = picture.layout, picture.layout.scene
    width = round(max(layout.width, text_width(_RULE) + 4 * STEP))
    legend, below = _legend(layout, width)
    height = round(layout.height + below)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label={quoteattr(scene.title)}>',
        _STYLE,
        f"<defs>{_marker(FLOW)}{_marker(SCRAPE)}</defs>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        _text("head", 2 * STEP, 30, scene.title),
        _text("line", 2 * STEP, 49, _RULE),
        *(_box(item) for item in layout.placed),
        *(_line(item) for item in picture.routes),
        *(_tab(tab, rect) for tab, rect in layout.tabs.items()),
        *legend,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _marker(kind: str) -> str:
    return (
        f'<marker id="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 10 5 0 10z" fill="{_LINE[kind]}"/></marker>'
    )


def _box(item: Placed) -> str:
    box = item.box
    parts = [_rect(item, box.style)]
    y = item.y + PADDING + LINE - 5
    parts.append(_text("title", item.x + PADDING, y, box.title))
    told = len(text_lines(box)) - len(box.lines) - bool(box.subtitle)
    for number, line in enumerate(text_lines(box)):
        y += LINE
        is_note = number >= len(text_lines(box)) - told
        parts.append(_text("note" if is_note else "line", item.x + PADDING, y, line))
    return "\n".join(parts)


def _rect(rect: Rect, style: str) -> str:
    dash = ' stroke-dasharray="6 4"' if style in ("namespace", "machine") else ""
    return (
        f'<rect x="{rect.x:.0f}" y="{rect.y:.0f}" width="{rect.width:.0f}" height="{rect.height:.0f}" rx="6" '
        f'fill="{_FILL[style]}" stroke="{_STROKE[style]}"{dash}/>'
    )


def _text(style: str, x: float, y: float, text: str) -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'


def _tab(tab: Tab, rect: Rect) -> str:
    middle = rect.x + rect.width / 2
    return (
        f'<rect x="{rect.x:.0f}" y="{rect.y:.0f}" width="{rect.width:.0f}" height="{rect.height:.0f}" rx="3" '
        f'fill="{_LINE[tab.kind]}"/>'
        f'<text class="port" text-anchor="middle" x="{middle:.0f}" y="{rect.y + 13:.0f}">{tab.text}</text>'
    )


def _line(item: Route) -> str:
    kind = item.arrow.kind
    tip = f' marker-end="url(#{kind})"' if item.has_tip else ""
    line = f'<path d="{_path(item.points)}" fill="none" stroke="{_LINE[kind]}" stroke-width="1.4"{tip}/>'
    if item.fork is None:
        return line
    return f'{line}<circle cx="{item.fork[0]:.0f}" cy="{item.fork[1]:.0f}" r="2.6" fill="{_LINE[kind]}"/>'


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line with round corners."""
    parts = [f"M{points[0][0]:.0f} {points[0][1]:.0f}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        (x1, y1), (x2, y2) = _towards(here, before), _towards(here, after)
        parts.append(f"L{x1:.0f} {y1:.0f} Q{here[0]:.0f} {here[1]:.0f} {x2:.0f} {y2:.0f}")
    return " ".join([*parts, f"L{points[-1][0]:.0f} {points[-1][1]:.0f}"])


def _towards(point: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """A corner's length away from a point."""
    dx, dy = other[0] - point[0], other[1] - point[1]
    share = min(1.0, _CORNER / max(abs(dx) + abs(dy), 1.0))
    return point[0] + dx * share, point[1] + dy * share


def _legend(layout: Layout, width: float) -> tuple[list[str], float]:
    """What the shapes mean and the scene's remarks, in lines that fit into the width, and how high they are."""
    styles = [style for style in _SAYS if any(item.box.style == style for item in layout.placed)]
    x, y, parts = 2.0 * STEP, layout.height, list[str]()
    for style in styles:
        parts.append(_rect(Rect(x=x, y=y, width=22, height=14), style))
        parts.append(_text("line", x + 28, y + 11, _SAYS[style]))
        x += 28 + text_width(_SAYS[style]) + 2 * STEP
    remarks = list(layout.scene.remarks)
    if any(tab.kind == SCRAPE for tab in layout.tabs):
        remarks.append("Green: Prometheus reads metrics there.")
    if any(item.box.notes for item in layout.placed):
        remarks.append("Grey in a box: allowed connections that are not drawn. Metrics are read by Prometheus.")
    most = int((width - 4 * STEP) / text_width(" "))
    for remark in remarks:
        y += 4
        for line in textwrap.wrap(remark, most, break_on_hyphens=False):
            y += LINE
            parts.append(_text("line", 2 * STEP, y + 11, line))
    return parts, y - layout.height + 2 * LINE
