"""A judgement as a table, as JSON, and as Markdown for a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from omnibase_policies import State
from omnibase_policies.model import RuleText, every_rule
from rich.console import Console

from ops.markdown import MOST_LINES, plural, table
from ops.policy.judgement import Finding, Judgement
from ops.rows import print_rows

PAGE = "docs/reference/policies.md"
_WORDS = ("mandatory", "advisory", "cannot tell", "waived")
"""What a finding does, by its rank."""


def word_of(finding: Finding) -> str:
    """`mandatory`, `advisory`, `cannot tell` or `waived`."""
    return _WORDS[finding.rank]


def place_of(finding: Finding) -> str:
    """`file:line`, or the file alone."""
    return f"{finding.file}:{finding.line}" if finding.line else finding.file


def message_of(finding: Finding) -> str:
    """What is wrong, with the value where it can be shown, and with whose waiver accepts it."""
    at = f"{finding.path}{f' = {finding.value}' if finding.value else ''}: " if finding.path else ""
    later = "cannot tell before the update, which decides it: " if finding.state is State.UNKNOWN else ""
    waiver = finding.waiver
    accepted = f" (accepted by {waiver.owner} until {waiver.until}: {waiver.reason})" if waiver else ""
    return f"{at}{later}{finding.message}{accepted}"


def verdict_of(judgement: Judgement) -> str:
    """The outcome in one line."""
    counts = [sum(1 for each in judgement.findings if each.rank == rank) for rank in range(len(_WORDS))]
    said = ", ".join(f"{count} {word}" for count, word in zip(counts, _WORDS, strict=True) if count)
    resources = plural(len(judgement.resources), "resource")
    left = [(len(judgement.skipped), "without a kind"), (judgement.others, "of types without rules")]
    outside = "".join(f"; {count} {which} left out" for count, which in left if count)
    return f"{resources} judged for {judgement.settings.tier}: {said or 'no finding'}{outside}"


def print_text(judgement: Judgement, console: Console) -> None:
    """Tables: findings by resource, what to do for each rule, waivers; then the verdict."""
    findings = [
        (word_of(each), each.resource, each.rule, message_of(each), place_of(each)) for each in judgement.findings
    ]
    if findings:
        print_rows(("", "resource", "rule", "finding", "where"), findings, console)
        print_rows(("rule", "why", "to do"), [(_id(each), *_help(each)) for each in rules_of(judgement)], console)
    if judgement.waivers:
        print_rows(("waiver", "object", "until", "owner", "reason"), waiver_rows(judgement), console)
    style = "red" if judgement.violations else "green"
    console.print(verdict_of(judgement), style=style, markup=False, soft_wrap=True)


def _id(rule: RuleText) -> str:
    return rule.id


def _help(rule: RuleText) -> tuple[str, str]:
    return rule.rationale, f"{rule.remedy} See {PAGE}#{rule.id}"


def rules_of(judgement: Judgement) -> list[RuleText]:
    """The rules that said anything, in the order of the reference page."""
    named = {each.rule for each in judgement.findings}
    return [rule for rule in every_rule().values() if rule.id in named]


def waiver_rows(judgement: Judgement) -> list[tuple[str, ...]]:
    """Rule with how the waiver stands, object, last day, owner, reason."""
    return [
        (f"{each.rule} ({standing})", each.object, str(each.until), each.owner, each.reason)
        for each, standing in judgement.waivers
    ]


def to_json(judgement: Judgement) -> str:
    """One document for programs."""
    rules = every_rule()
    document = {
        "tier": str(judgement.settings.tier),
        "violated": bool(judgement.violations),
        "resources": judgement.resources,
        "findings": [_entry(each, rules[each.rule]) for each in judgement.findings],
        "waivers": [
            {
                "rule": each.rule,
                "object": each.object,
                "until": str(each.until),
                "owner": each.owner,
                "reason": each.reason,
                "standing": standing,
            }
            for each, standing in judgement.waivers
        ],
        "skipped": judgement.skipped,
        "others": judgement.others,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _entry(finding: Finding, rule: RuleText) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "title": rule.title,
        "level": str(finding.level),
        "stops": finding.stops,
        "state": str(finding.state),
        "waived": finding.waiver is not None,
        "severity": str(rule.severity),
        "resource": finding.resource,
        "file": finding.file,
        "line": finding.line or None,
        "path": finding.path,
        "value": finding.value or None,
        "message": finding.message,
        "why": rule.rationale,
        "remedy": rule.remedy,
        "page": f"{PAGE}#{rule.id}",
    }


def to_markdown(judgement: Judgement) -> str:
    """A comment for a pull request, in the form of `ops preview`."""
    return "\n".join(_markdown(judgement)).rstrip() + "\n"


def _markdown(judgement: Judgement) -> Iterator[str]:
    yield f"## Policies for `{judgement.settings.tier}`"
    yield ""
    yield f"{verdict_of(judgement)}."
    if judgement.violations:
        yield f"**{plural(len(judgement.violations), 'mandatory finding')}: this does not go up.**"
    yield ""
    if judgement.findings:
        yield "### Policy findings"
        yield ""
        yield from table(("level", "rule", "resource", "finding"), [_row(each) for each in judgement.findings])
        yield "<details><summary>Why, and what to do</summary>"
        yield ""
        yield from (f"- `{rule.id}`: {rule.rationale} {rule.remedy}" for rule in rules_of(judgement)[:MOST_LINES])
        yield ""
        yield "</details>"
        yield ""
    if judgement.waivers:
        yield "### Waivers"
        yield ""
        yield from table(("rule", "object", "until", "owner", "reason"), _quoted(waiver_rows(judgement)))


def _row(finding: Finding) -> tuple[str, str, str, str]:
    return word_of(finding), _code(finding.rule), _code(finding.resource), f"{_code(message_of(finding))}"


def _quoted(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [(rule, _code(found), *(_plain(each) for each in rest)) for rule, found, *rest in rows]


def _code(text: str) -> str:
    """Text of others as code, so that nothing in it is Markdown or HTML."""
    return f"`{text.replace('`', chr(39))}`"


def _plain(text: str) -> str:
    return text.replace("<", "&lt;")
