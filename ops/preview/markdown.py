"""A report as Markdown for a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ops.markdown import MOST_LINES, plural, table
from ops.preview.events import Resource
from ops.preview.report import CHANGES, Report

_MOST_PATHS = 6
_WAIVER = ("setting", "object", "until", "owner", "reason")


def render(report: Report) -> str:
    """The whole report."""
    return (
        "\n".join(
            [
                *_head(report),
                *_errors(report),
                *_risks(report),
                *_components(report),
                *_policies(report),
                *_settings(report),
            ]
        ).rstrip()
        + "\n"
    )


def _head(report: Report) -> Iterator[str]:
    against = f"against `{report.base}`" if report.base else "against what is deployed"
    yield f"## Preview of `{report.stack}` {against}"
    yield ""
    counts = ", ".join(f"**{report.count(op)}** to {op}" for op in CHANGES if report.count(op))
    yield f"{counts or 'No changes'}; {report.unchanged} unchanged."
    mandatory = sum(1 for finding in report.findings if finding.level == "mandatory")
    if mandatory:
        yield f"**{plural(mandatory, 'mandatory policy finding')}: this does not go up.**"
    elif report.code:
        yield f"**The preview failed (exit code {report.code}).**"
    yield ""


def _errors(report: Report) -> Iterator[str]:
    if report.errors:
        yield "### Errors"
        yield ""
        yield "```"
        for error in report.errors[:MOST_LINES]:
            yield error.replace("```", "'''")
        yield "```"
        yield ""


def _risks(report: Report) -> Iterator[str]:
    if not report.risks:
        return
    yield "### Look at these"
    yield ""
    yield from table(
        ("mark", "resource", "why"),
        [(f"**{risk.mark}**", _resource(risk.resource), risk.reason) for risk in report.risks],
    )


def _components(report: Report) -> Iterator[str]:
    if not report.groups:
        return
    yield "### Changes by component"
    yield ""
    rows = [(f"`{group.name}`", *(str(group.count(op) or "") for op in CHANGES)) for group in report.groups]
    yield from table(("component", *CHANGES), rows)
    for group in report.groups:
        yield f"<details><summary>{group.name}: {plural(len(group.changes), 'change')}</summary>"
        yield ""
        for resource in group.changes[:MOST_LINES]:
            yield f"- {resource.op} {_resource(resource)}{_paths(resource)}"
        if len(group.changes) > MOST_LINES:
            yield f"- ... and {len(group.changes) - MOST_LINES} more"
        yield ""
        yield "</details>"
        yield ""


def _policies(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield "### Policy findings"
    yield ""
    yield from table(
        ("level", "rule", "resource", "finding"),
        [
            (finding.level, f"`{finding.rule}`", f"`{finding.urn.rpartition('::')[2]}`", finding.message)
            for finding in report.findings
        ],
    )


def _settings(report: Report) -> Iterator[str]:
    if report.overrides:
        yield "### Settings overridden by variables"
        yield ""
        yield from table(("setting", "by"), [(f"`{key}`", f"`{_text(who)}`") for key, who in report.overrides.items()])
    if report.waivers:
        yield "### Waivers"
        yield ""
        yield from table(_WAIVER, [_waiver(waiver) for waiver in report.waivers])


def _waiver(waiver: Mapping[str, object]) -> tuple[str, ...]:
    until = f"**ended {waiver['until']}, {waiver['ended']}**" if "ended" in waiver else _text(waiver.get("until", ""))
    told = {**waiver, "until": until}
    return tuple(_text(told.get(key, "")) for key in _WAIVER)


def _resource(resource: Resource) -> str:
    kind = resource.type.rpartition(":")[2]
    return f"{kind} `{resource.name}`"


def _paths(resource: Resource) -> str:
    if not resource.paths:
        return ""
    shown = ", ".join(f"`{path}`" for path in resource.paths[:_MOST_PATHS])
    more = len(resource.paths) - _MOST_PATHS
    return f": {shown}{f' and {more} more' if more > 0 else ''}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
