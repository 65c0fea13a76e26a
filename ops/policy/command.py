"""`ops policy check`, `list` and `explain` from their arguments to their exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omnibase_policies import Rule
from omnibase_policies.model import RuleText, Tier, every_rule
from omnibase_policies.parameters import unknown_name
from omnibase_policies.pss import PROFILES
from rich.console import Console

from local.errors import InputError
from ops.policy.judgement import Judgement, judge
from ops.policy.junit import to_junit
from ops.policy.reports import PAGE, print_text, to_json, to_markdown, verdict_of
from ops.policy.sarif import to_sarif
from ops.policy.settings import read_settings
from ops.policy.sources import read
from ops.rows import print_rows

_FORMS: Mapping[str, Callable[[Judgement], str]] = {
    "json": to_json,
    "sarif": to_sarif,
    "junit": to_junit,
    "markdown": to_markdown,
}


def check(
    names: Sequence[str],
    *,
    tier: str,
    parameters: Path | None,
    whole: bool,
    form: str,
    output: Path | None,
    console: Console,
) -> int:
    """Judge files, directories and standard input; 1 if the engine would stop.

    Args:
        names: files, directories, `-`.
        tier: the environment, which decides what a violation does.
        parameters: see `ops.policy.settings.read_settings`.
        whole: they are all of a stack, so that rules over all objects together are asked, too.
        form: text, json, sarif, junit or markdown.
        output: the file that gets the report; None prints it.

    Raises:
        InputError: something cannot be read, or is unknown; nothing was judged.
    """
    settings = read_settings(tier, parameters)
    judgement = judge(read(names), settings, whole=whole)
    if output is not None:
        _write(output, judgement, form)
        console.print(verdict_of(judgement), markup=False, soft_wrap=True)
    elif form == "text":
        print_text(judgement, console)
    else:
        sys.stdout.write(_FORMS[form](judgement))
    return 1 if judgement.violations else 0


def _write(output: Path, judgement: Judgement, form: str) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    if form == "text":
        with output.open("w", encoding="utf-8") as file:
            print_text(judgement, Console(file=file, highlight=False))
        return
    output.write_text(_FORMS[form](judgement), encoding="utf-8")


def list_rules(tier: str, *, as_json: bool, console: Console) -> int:
    """Print every rule with what its violation does in an environment.

    Raises:
        InputError: an unknown tier.
    """
    settings = read_settings(tier, None)
    rules = every_rule().values()
    if as_json:
        print(json.dumps([_entry(rule, settings.tier) for rule in rules], indent=2, ensure_ascii=False))
        return 0
    rows = [(rule.id, rule.title, str(rule.severity), str(rule.level_in(settings.tier))) for rule in rules]
    print_rows(("rule", "what it asks for", "severity", f"level in {tier}"), rows, console)
    return 0


def explain(name: str, *, as_json: bool, console: Console) -> int:
    """Print all that is known of one rule.

    Raises:
        InputError: there is no such rule.
    """
    rule = every_rule().get(name)
    if rule is None:
        raise InputError(unknown_name("rule", name, every_rule()), hint="`ops policy list` lists them")
    if as_json:
        print(json.dumps(_entry(rule, Tier.PROD), indent=2, ensure_ascii=False))
        return 0
    print_rows(
        ("", name), [(key.replace("_", " "), _text(value)) for key, value in _entry(rule, None).items()], console
    )
    return 0


def _entry(rule: RuleText, tier: Tier | None) -> dict[str, Any]:
    """What a rule says of itself; its level in one environment or in each."""
    level: Any = str(rule.level_in(tier)) if tier else {str(each): str(rule.level_in(each)) for each in Tier}
    return {
        "id": rule.id,
        "title": rule.title,
        "severity": str(rule.severity),
        "level": level,
        "pod_security": [name for name, rules in PROFILES.items() if rule.id in rules],
        "frameworks": list(rule.frameworks),
        "why": rule.rationale,
        "remedy": rule.remedy,
        "remediated": rule.right is not None if isinstance(rule, Rule) else False,
        "judges": "one object" if isinstance(rule, Rule) else "all objects of a stack together",
        **({"stopped": dict(rule.bad), "let_through": dict(rule.good)} if isinstance(rule, Rule) else {}),
        "page": f"{PAGE}#{rule.id}",
    }


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each if isinstance(each, str) else json.dumps(each)}" for key, each in value.items())
    return ", ".join(value) or "-" if isinstance(value, list) else str(value)
