"""A report as Markdown for a pull request. A forge cuts long comments, so long lists end in a count."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from ops.preview.events import Resource
from ops.preview.report import CHANGES, Report

_MOST_LINES = 60
_MOST_PATHS = 6
_LONGEST = 300


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
        yield f"**{_plural(mandatory, 'mandatory policy finding')}: this does not go up.**"
    elif report.code:
        yield f"**The preview failed (exit code {report.code}).**"
    yield ""


def _errors(report: Report) -> Iterator[str]:
    if report.errors:
        yield "### Errors"
        yield ""
        yield "```"
        for error in report.errors[:_MOST_LINES]:
            yield error.replace("```", "'''")
        yield "```"
        yield ""


def _risks(report: Report) -> Iterator[str]:
    if not report.risks:
        return
    yield "### Look at these"
    yield ""
    yield from _table(
        ("mark", "resource", "why"),
        [(f"**{risk.mark}**", _resource(risk.resource), risk.reason) for risk in report.risks],
    )


def _components(report: Report) -> Iterator[str]:
    if not report.groups:
        return
    yield "### Changes by component"
    yield ""
    rows = [(f"`{group.name}`", *(str(group.count(op) or "") for op in CHANGES)) for group in report.groups]
    yield from _table(("component", *CHANGES), rows)
    for group in report.groups:
        yield f"<details><summary>{group.name}: {_plural(len(group.changes), 'change')}</summary>"
        yield ""
        for resource in group.changes[:_MOST_LINES]:
            yield f"- {resource.op} {_resource(resource)}{_paths(resource)}"
        if len(group.changes) > _MOST_LINES:
            yield f"- ... and {len(group.changes) - _MOST_LINES} more"
        yield ""
        yield "</details>"
        yield ""


def _policies(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield "### Policy findings"
    yield ""
    yield from _table(
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
        yield from _table(("setting", "by"), [(f"`{key}`", f"`{_text(who)}`") for key, who in report.overrides.items()])
    if report.waivers:
        yield "### Waivers in force"
        yield ""
        yield from _table(("setting", "until", "owner", "reason"), [_waiver(waiver) for waiver in report.waivers])


def _waiver(waiver: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(_text(waiver.get(key, "")) for key in ("setting", "until", "owner", "reason"))


def _resource(resource: Resource) -> str:
    kind = resource.type.rpartition(":")[2]
    return f"{kind} `{resource.name}`"


def _paths(resource: Resource) -> str:
    if not resource.paths:
        return ""
    shown = ", ".join(f"`{path}`" for path in resource.paths[:_MOST_PATHS])
    more = len(resource.paths) - _MOST_PATHS
    return f": {shown}{f' and {more} more' if more > 0 else ''}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('-' * len(head))}|"
    for row in rows[:_MOST_LINES]:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    if len(rows) > _MOST_LINES:
        yield f"| ... and {len(rows) - _MOST_LINES} more |{' |' * (len(head) - 1)}"
    yield ""


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
