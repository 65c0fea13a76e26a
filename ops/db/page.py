"""A page of line charts as HTML, pure: one file with nothing from elsewhere, the same for the same figures."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ops.db.panels import Panel, Unit

WIDTH, HEIGHT = 420, 120
_MOST_LINES = 8
_COLOURS = ("#2f5d8a", "#b7791f", "#2e7d5b", "#9b2c2c", "#6b46c1", "#2c7a7b", "#97266d", "#4a5568")
_STEPS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_STYLE = """
body { font: 14px "DejaVu Sans", Verdana, "Segoe UI", Helvetica, Arial, sans-serif; color: #1d2733; margin: 24px; }
h2 { margin: 28px 0 8px; border-bottom: 1px solid #9aa8ba; }
section { display: flex; flex-wrap: wrap; gap: 18px; }
figure { margin: 0; padding: 10px; background: #f4f7fa; border: 1px solid #9aa8ba; border-radius: 5px; width: 420px; }
figure.firing { border: 2px solid #9b2c2c; background: #fff5f5; }
figcaption { font-weight: 600; } small { color: #44505e; font-weight: 400; }
ul { list-style: none; margin: 6px 0 0; padding: 0; font-size: 12px; }
table { border-collapse: collapse; font-size: 12px; } td, th { text-align: left; padding: 3px 10px 3px 0; }
td.number { text-align: right; } code { font-size: 12px; }
"""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]
    """Time in seconds, and value."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A panel with what was measured."""

    panel: Panel
    series: Sequence[Series]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything on the page."""

    title: str
    start: float
    end: float
    sections: Mapping[str, Sequence[Chart]]
    firing: Sequence[str]
    """Names of alerts."""
    statements: Sequence[Mapping[str, object]]
    """Rows of `ops db top`."""
    note: str = ""
    """Why there are no statements."""


def html(report: Report) -> str:
    """The page."""
    return "\n".join([
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/><title>{escape(report.title)}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{escape(report.title)}</h1>",
        f"<p>{_moment(report.start)} to {_moment(report.end)} UTC. {_alerts(report.firing)}</p>",
        *(line for name, charts in report.sections.items() for line in _section(name, charts, report)),
        "</body></html>\n",
    ])  # fmt: skip


def _alerts(firing: Sequence[str]) -> str:
    return f"Firing: <b>{escape(', '.join(firing))}</b>." if firing else "No alert of the database fires."


def _section(name: str, charts: Sequence[Chart], report: Report) -> Iterator[str]:
    yield f"<h2>{escape(name)}</h2><section>"
    yield from (_figure(chart, report) for chart in charts)
    yield "</section>"
    if name == "Slow statements":
        yield _statements(report)


def _figure(chart: Chart, report: Report) -> str:
    panel = chart.panel
    about = f"alert {escape(panel.alert)}" if panel.alert else ""
    if panel.limit is not None:
        about += f" above {shown(panel.limit, panel.unit)}"
    lines = sorted(chart.series, key=lambda line: (-max(value for _, value in line.points), line.name))
    body = _svg(lines[:_MOST_LINES], panel, report) if lines else "<p>nothing was measured</p>"
    more = f"<li>and {len(lines) - _MOST_LINES} more</li>" if len(lines) > _MOST_LINES else ""
    legend = "".join(_legend(line, colour, panel.unit) for line, colour in zip(lines, _COLOURS, strict=False))
    state = ' class="firing"' if panel.alert in report.firing else ""
    return (
        f"<figure{state}><figcaption>{escape(panel.title)}<br/><small>{about}</small></figcaption>"
        f"{body}<ul>{legend}{more}</ul></figure>"
    )


def _legend(line: Series, colour: str, unit: Unit) -> str:
    last, most = line.points[-1][1], max(value for _, value in line.points)
    figures = f"{shown(last, unit)}, at most {shown(most, unit)}"
    return f'<li><span style="color:{colour}">&#9632;</span> {escape(line.name) or "all"}: {figures}</li>'


def _svg(lines: Sequence[Series], panel: Panel, report: Report) -> str:
    """The lines below a top that all of them fit under; the limit only where it is near."""
    most = max(value for line in lines for _, value in line.points)
    near = panel.limit is not None and panel.limit <= 2 * most
    top = max(most, panel.limit or 0 if near else 0) * 1.05 or 1.0
    span = max(report.end - report.start, 1)

    def at(time: float, value: float) -> str:
        return f"{(time - report.start) / span * WIDTH:.1f},{HEIGHT - value / top * HEIGHT:.1f}"

    drawn = [
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" '
        f'points="{" ".join(at(*point) for point in line.points)}"/>'
        for line, colour in zip(lines, _COLOURS, strict=False)
    ]
    if near and panel.limit is not None:
        ends = f"{at(report.start, panel.limit)} {at(report.end, panel.limit)}"
        drawn.append(f'<polyline fill="none" stroke="#9b2c2c" stroke-dasharray="5 4" points="{ends}"/>')
    label = escape(f"{panel.title}, from 0 to {shown(top, panel.unit)}")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'


def _statements(report: Report) -> str:
    if report.note or not report.statements:
        return f"<p>{escape(report.note) or 'No statement was counted.'}</p>"
    head = "".join(f"<th>{name}</th>" for name in ("id", "database", "role", "calls", "total", "mean", "statement"))
    rows = "".join(
        f"<tr><td>{escape(str(row['id']))}</td><td>{escape(str(row['database']))}</td>"
        f'<td>{escape(str(row["role"]))}</td><td class="number">{row["calls"]}</td>'
        f'<td class="number">{row["total_seconds"]:.1f} s</td><td class="number">{row["mean_ms"]:.2f} ms</td>'
        f"<td><code>{escape(str(row['statement'])[:200])}</code></td></tr>"
        for row in report.statements
    )
    return f"<table><tr>{head}</tr>{rows}</table><p><code>ops db explain ID</code> shows the plan of one.</p>"


def shown(value: float, unit: Unit) -> str:
    """A figure for people."""
    if unit == "bytes":
        for size, name in _STEPS:
            if value >= size:
                return f"{value / size:.1f} {name}"
        return f"{value:.0f} B"
    text = f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.2f}"  # noqa: PLR2004
    return f"{text} {unit}".rstrip()


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M")
